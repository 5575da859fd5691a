//! `portcullis audit --self-test`: whether the auditor sees what it is there to see. Each row plants one defect in a
//! temporary folder or on loopback, runs the real measure, and wants it found; then runs it on the same world without the
//! defect, and wants nothing found. It needs no configuration and no network; repositories need git.

mod backend;
mod files;
mod names;
mod postgres;

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::config::{
    ClientCredentials, Config, Database, Lifetime, Location, Only, Progress, Session, UserCredentials,
};
use crate::measures::MeasureId;
use crate::verdict::Verdict;
use backend::Backend;
use files::Place;
use names::Names;
use postgres::Postgres;

/// The self-test's own time, 2027-01-15: what it plants is as old as it says, whenever it runs.
const NOW: i64 = 1_800_000_000;

/// What is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    LiveSecretInHistory,
    KeyInHistory,
    KeyInTree,
    ShallowClone,
    UnpatchedDependency,
    NoUpdateTool,
    PlainPassword,
    PlainFile,
    AnyPassword,
    NoAuthentication,
    AnySignature,
    LiveApiKey,
    AnyCaller,
    AnyScope,
    UnscopedOperation,
    LongLife,
    PublicName,
    ReflectedOrigin,
    PublishedPrivateKey,
    ServedHistory,
}

/// Defect, the measure and the claim that must see it, and what it is, in words.
type Case = (Defect, MeasureId, &'static str, &'static str);

/// Every defect.
const CASES: &[Case] = &[
    (
        Defect::LiveSecretInHistory,
        MeasureId::G1,
        "no_live_secret_in_the_repository",
        "a secret in use in a deleted file",
    ),
    (Defect::KeyInHistory, MeasureId::G1, "no_secret_in_the_history", "a private key in a deleted file"),
    (Defect::KeyInTree, MeasureId::G1, "no_secret_in_the_work_tree", "a private key in the work tree"),
    (Defect::ShallowClone, MeasureId::G1, "no_secret_in_the_history", "a clone that has no history"),
    (
        Defect::UnpatchedDependency,
        MeasureId::G2,
        "no_known_vulnerability_is_older_than_the_window",
        "a locked version with a known hole",
    ),
    (
        Defect::NoUpdateTool,
        MeasureId::G2,
        "every_manifest_is_covered",
        "no tool that keeps dependencies current",
    ),
    (
        Defect::PlainPassword,
        MeasureId::A1,
        "no_password_is_stored_in_clear",
        "a password in clear in an encrypted file",
    ),
    (Defect::PlainFile, MeasureId::A3, "file_is_ciphertext", "a database file that is not encrypted"),
    (Defect::AnyPassword, MeasureId::A3, "wrong_password_is_refused", "a database that takes any password"),
    (
        Defect::NoAuthentication,
        MeasureId::A5,
        "no_endpoint_answers_without_a_token",
        "a server without authentication",
    ),
    (Defect::AnySignature, MeasureId::A5, "forged_tokens_are_refused", "a server that checks no signature"),
    (Defect::LiveApiKey, MeasureId::A5, "the_old_api_key_is_dead", "a static API key that still works"),
    (Defect::AnyCaller, MeasureId::A7, "a_clients_token_is_refused", "a client's token on a user's endpoint"),
    (Defect::AnyScope, MeasureId::A9, "a_missing_scope_is_refused", "a server that looks at no scope"),
    (
        Defect::UnscopedOperation,
        MeasureId::A9,
        "every_documented_operation_has_a_rule",
        "an OpenAPI operation without a scope",
    ),
    (Defect::LongLife, MeasureId::A10, "no_token_lives_longer_than_x", "tokens that live for a month"),
    (Defect::PublicName, MeasureId::N1, "name_is_private", "a database with a public address"),
    (
        Defect::ReflectedOrigin,
        MeasureId::N2,
        "foreign_origins_are_not_let_in",
        "CORS that reflects every origin",
    ),
    (
        Defect::PublishedPrivateKey,
        MeasureId::X11,
        "only_public_keys_are_published",
        "a private key in the key set",
    ),
    (Defect::ServedHistory, MeasureId::X12, "no_source_control_is_served", "/.git served to everybody"),
];

/// One defect, and whether it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The measure that must see it.
    pub measure: MeasureId,
    /// The claim.
    pub claim: &'static str,
    /// What was planted.
    pub planted: &'static str,
    /// What the claim came to with the defect, and without it; or why it came to nothing.
    pub verdicts: Result<(Verdict, Verdict), String>,
    /// The first evidence of a sound world that is none in the auditor's eyes, or of a defect that it did not see.
    pub why: Option<String>,
    /// Seen with the defect, and nothing seen without it.
    pub seen: bool,
}

/// Runs it all, one defect after the other.
pub async fn run(progress: impl Fn(Progress)) -> Vec<Row> {
    let mut rows = Vec::new();
    let cases: Vec<&Case> = CASES.iter().filter(|case| MeasureId::ALL.contains(&case.1)).collect();
    let total = cases.len();
    for (done, case) in cases.into_iter().enumerate() {
        progress(Progress { done, total, what: format!("{} {}", case.1, case.3) });
        rows.push(row(case).await);
    }
    progress(Progress { done: total, total, what: "done".into() });
    rows
}

async fn row(&(defect, measure, claim, planted): &Case) -> Row {
    let both = async {
        let with = verdict(Some(defect), defect, measure, claim).await?;
        let without = verdict(None, defect, measure, claim).await?;
        Ok((with, without))
    };
    let both: Result<(Came, Came), String> = both.await;
    // What cannot be looked at is never green: the one defect that hides, and shows nothing.
    let wanted = if defect == Defect::ShallowClone { Verdict::NotProven } else { Verdict::Fail };
    let sound = |verdict| matches!(verdict, Verdict::Pass | Verdict::NotApplicable);
    let why = match &both {
        Ok((with, _)) if with.0 != wanted => Some(with.1.clone()),
        Ok((_, without)) if !sound(without.0) => Some(without.1.clone()),
        _ => None,
    };
    let seen = both.is_ok() && why.is_none();
    let verdicts = both.map(|(with, without)| (with.0, without.0));
    Row { measure, claim, planted, verdicts, why, seen }
}

/// A verdict, and its first evidence.
type Came = (Verdict, String);

/// What a claim comes to in the world that a defect belongs to, with it or without.
async fn verdict(
    planted: Option<Defect>,
    belongs: Defect,
    measure: MeasureId,
    claim: &str,
) -> Result<Came, String> {
    let place = Place::new().map_err(|error| error.to_string())?;
    let frontend = Backend::page().await.map_err(|error| error.to_string())?;
    let backend = Backend::api(planted, &frontend.url).await.map_err(|error| error.to_string())?;
    let mut config = config(&backend, &frontend, &place, planted).map_err(|error| error.to_string())?;
    // They end with this function.
    let (mut server, mut resolver) = (None, None);
    match belongs {
        Defect::PlainPassword => config.database = Some(place.database(planted).await?),
        Defect::PlainFile => config.store = Some(place.database(planted).await?),
        Defect::AnyPassword => {
            let started = Postgres::start(planted.is_some()).await.map_err(|error| error.to_string())?;
            config.databases.push(database(&started.url));
            server = Some(started);
        }
        Defect::PublicName => {
            // A documentation address (RFC 5737), and a name that exists nowhere (RFC 6761): nobody is asked.
            let address =
                if planted.is_some() { Ipv4Addr::new(203, 0, 113, 7) } else { Ipv4Addr::new(10, 0, 0, 7) };
            let started = Names::start(address).await.map_err(|error| error.to_string())?;
            config.resolver = Some(started.address);
            config.databases.push(database("postgres://app@db.self-test.test:5432/app"));
            resolver = Some(started);
        }
        Defect::LiveSecretInHistory | Defect::KeyInHistory | Defect::KeyInTree | Defect::ShallowClone => {
            let (folder, held) = place.repository(planted)?;
            config.repository = Some(folder);
            config.secrets.live = vec![held];
        }
        Defect::UnpatchedDependency | Defect::NoUpdateTool => {
            config.repository = Some(place.repository(planted)?.0);
            let database = place.advisories().map_err(|error| error.to_string())?;
            config.dependencies.advisories = Some(crate::dependencies::Advisories::Folder(database));
            // A registry that has nothing, so that none is asked.
            config.dependencies.registry = Some(place.path().display().to_string());
        }
        _ => {}
    }
    let report = crate::run(config, Only::Measures(vec![measure]), |_| ()).await;
    drop((server, resolver));
    let mut claims = report.measures.iter().flat_map(|measure| &measure.claims);
    let found = claims
        .find(|made| made.id == claim || made.id.strip_suffix(claim).is_some_and(|name| name.ends_with('_')));
    let came = found.map(|claim| {
        let first = claim.evidence.first().map(|evidence| evidence.what.clone());
        (claim.verdict, first.unwrap_or_default())
    });
    came.ok_or_else(|| format!("{measure} did not claim {claim}"))
}

fn config(
    backend: &Backend,
    frontend: &Backend,
    place: &Place,
    planted: Option<Defect>,
) -> std::io::Result<Config> {
    let issuer = format!("{}/", backend.url);
    let mut config = Config::new(&backend.url, &issuer, backend::AUDIENCE, Arc::new(|| NOW));
    // Where nothing is forgiven.
    config.environment = "production".into();
    let mut openapi = backend::OPENAPI.to_owned();
    if planted == Some(Defect::UnscopedOperation) {
        openapi = openapi.replacen("components:", &format!("{}components:", backend::UNSCOPED), 1);
    }
    config.openapi = Some(place.write("openapi.yaml", &openapi)?);
    config.access_token_lifetime =
        Some(Lifetime { seconds: backend::LIFETIME, source: "access_token_lifetime".into() });
    config.session = Some(Session { prefix: "/users".into(), on_gateway: true, public: None });
    config.frontend_origins = vec![frontend.url.clone()];
    config.client =
        Some(ClientCredentials { id: backend::CLIENT.0.into(), secret: backend::CLIENT.1.into() });
    config.user = Some(UserCredentials { email: backend::USER.0.into(), password: backend::USER.1.into() });
    config.api_key = Some("an-old-key".into());
    Ok(config)
}

fn database(url: &str) -> Database {
    Database {
        name: "backend".into(),
        location: Location::Postgres { url: url.to_owned(), password: Some(postgres::PASSWORD.into()) },
        stewardship: crate::config::Stewardship::default(),
    }
}

/// The exit code: 0 when every defect was seen, 70 otherwise: an auditor that does not see is broken.
#[must_use]
pub fn exit_code(rows: &[Row]) -> u8 {
    if !rows.is_empty() && rows.iter().all(|row| row.seen) { 0 } else { 70 }
}

/// The table, for people.
#[must_use]
pub fn text(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let mark = if row.seen { "seen    " } else { "NOT SEEN" };
        let found = match &row.verdicts {
            Ok((with, without)) => {
                let why = row.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                format!("{with}; without it {without}{why}")
            }
            Err(why) => why.clone(),
        };
        let measure = row.measure.as_str();
        text.push_str(&format!("{mark}  {measure:<3}  {:<42}  {found}\n", row.planted));
    }
    let seen = rows.iter().filter(|row| row.seen).count();
    text.push_str(&format!("\n{seen} of {} planted defects were seen\n", rows.len()));
    text
}

/// The table, for programs.
#[must_use]
pub fn json(rows: &[Row]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let (with, without, why) = match &row.verdicts {
                Ok((with, without)) => (Some(with), Some(without), None),
                Err(why) => (None, None, Some(why)),
            };
            serde_json::json!({"measure": row.measure, "claim": row.claim, "planted": row.planted, "seen": row.seen,
                               "with": with, "without": without, "error": why})
        })
        .collect();
    format!("{}\n", serde_json::json!({ "schema": 1, "defects": rows }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measures::claims_of;

    #[test]
    fn every_case_names_a_claim_that_its_measure_can_make() {
        for (defect, measure, claim, _) in CASES {
            assert!(
                claims_of(*measure).iter().any(|listed| listed.id == *claim),
                "{defect:?}: {measure}/{claim}"
            );
        }
    }

    #[tokio::test]
    async fn every_planted_defect_is_seen_and_its_sound_twin_is_not() {
        let rows = run(|_| ()).await;
        assert_eq!(exit_code(&rows), 0, "{}", text(&rows));
        assert!(text(&rows).ends_with("planted defects were seen\n"));
    }

    #[test]
    fn one_that_was_not_seen_is_a_fault_of_ours() {
        let row = |seen| Row {
            measure: MeasureId::N2,
            claim: "c",
            planted: "p",
            verdicts: Err("w".into()),
            why: None,
            seen,
        };
        assert_eq!(exit_code(&[row(true)]), 0);
        assert_eq!(exit_code(&[row(true), row(false)]), 70);
        assert_eq!(exit_code(&[]), 70);
        assert!(text(&[row(false)]).starts_with("NOT SEEN  N2"));
    }
}
