//! `portcullis audit --self-test`: whether the auditor sees what it is there to see. Each row plants one defect in a
//! temporary folder or on loopback, runs the real measure, and wants it found; then runs it on the same world without the
//! defect, and wants nothing found. Every measure has a row. It needs no configuration and no network; repositories need git.

mod accounts;
mod answers;
mod backend;
mod cases;
mod certificate;
mod files;
mod lengths;
mod names;
mod postgres;

use std::net::Ipv4Addr;
use std::sync::Arc;

use futures_util::StreamExt as _;

use crate::config::{
    Backup, ClientCredentials, Config, Database, Lifetime, Location, Only, Progress, Session, Stewardship,
    UserCredentials,
};
use crate::measures::MeasureId;
use crate::verdict::Verdict;
use backend::Backend;
use cases::{CASES, Case, Defect};
use certificate::Certificate;
use files::Place;
use lengths::Lengths;
use names::Names;
use postgres::{Holds, Postgres};

/// The self-test's own time, 2027-01-15: what it plants is as old as it says, whenever it runs.
const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;
/// Rows that are under way at once: much of a row is waiting.
const AT_ONCE: usize = 4;

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

/// Runs it all, a few defects at once; the rows are in their order.
pub async fn run(progress: impl Fn(Progress)) -> Vec<Row> {
    let total = CASES.len();
    let told = |done: usize| {
        let what = CASES.get(done).map_or_else(|| "done".into(), |case| format!("{} {}", case.1, case.3));
        progress(Progress { done, total, what });
    };
    told(0);
    let mut rows = Vec::new();
    let mut under_way = futures_util::stream::iter(CASES.iter().map(row)).buffered(AT_ONCE);
    while let Some(row) = under_way.next().await {
        rows.push(row);
        told(rows.len());
    }
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
    let (mut server, mut resolver, mut other, mut lengths) = (None, None, None, None);
    let text = |error: std::io::Error| error.to_string();
    match belongs {
        Defect::PlainPassword | Defect::WeakHashInJson => {
            config.database = Some(place.database(planted).await?)
        }
        Defect::PlainFile => config.store = Some(place.database(planted).await?),
        Defect::AnyPassword => {
            let started = Postgres::start(Holds { any_password: planted.is_some(), ..Holds::default() });
            let started = started.await.map_err(text)?;
            config.databases.push(database(&started.url));
            server = Some(started);
        }
        Defect::OldPassword => {
            let age = if planted.is_some() { 100 * DAY } else { 10 * DAY };
            let started = Postgres::start(Holds { ledger: Some(age), ..Holds::default() });
            let started = started.await.map_err(text)?;
            config.databases.push(database(&started.url));
            server = Some(started);
        }
        Defect::PublicName => {
            // A documentation address (RFC 5737), and a name that exists nowhere (RFC 6761): nobody is asked.
            let address =
                if planted.is_some() { Ipv4Addr::new(203, 0, 113, 7) } else { Ipv4Addr::new(10, 0, 0, 7) };
            let started = Names::start(address).await.map_err(text)?;
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
            config.dependencies.advisories =
                Some(crate::dependencies::Advisories::Folder(place.advisories().map_err(text)?));
            // A registry that has nothing, so that none is asked.
            config.dependencies.registry = Some(place.path().display().to_string());
        }
        Defect::DamagedBackup => {
            let (path, key) = place.backup(planted).await?;
            config.backup = Some(Backup { path, key: Some(key) });
        }
        Defect::OtherName => {
            let started = Backend::api(planted, "").await.map_err(text)?;
            config.foreign_issuers = vec![format!("{}/", started.url)];
            other = Some(started);
        }
        Defect::OldTls | Defect::NoHsts => {
            let certificate = Certificate::new()?;
            let started = Backend::secure(planted, &certificate).await.map_err(text)?;
            config.target.clone_from(&started.url);
            config.issuer = format!("{}/", started.url);
            config.certificate_authority = Some(certificate.pem.clone().into_bytes());
            // The frontend is asked elsewhere, and by http.
            config.environment = "development".into();
            other = Some(started);
        }
        Defect::TwoLengths => {
            let started = Lengths::start(planted.is_some()).await.map_err(text)?;
            config.target.clone_from(&started.url);
            config.issuer = format!("{}/", started.url);
            lengths = Some(started);
        }
        Defect::EndlessLink => {
            config.exercise = true;
            config.mailbox = Some(format!("{}/mailbox", backend.url));
        }
        Defect::EndlessGuesses | Defect::ToldWhoIsThere | Defect::EndlessSession | Defect::AnyNewPassword => {
            config.exercise = true
        }
        _ => {}
    }
    let report = crate::run(config, Only::Measures(vec![measure]), |_| ()).await;
    drop((server, resolver, other, lengths));
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
        stewardship: Stewardship {
            maximum_password_age: Some(Lifetime { seconds: 90 * DAY, source: "maximum_password_age".into() }),
            ..Stewardship::default()
        },
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
