//! Looks at a database as a stranger and as its owner would, and says what that means here: strength and reach.

use super::databases::{Kind, Managed};
use crate::clock;
use crate::config::Configuration;
use ::steward::isolation::{VisibleVariable, visible_variables};
use ::steward::rotation::Database;
use ::steward::strength::{self, Certainty, Options, Severity};
use ::steward::{Credential, Environment, Steward};
use base64::Engine as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long one start-up of the wire protocol may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// How it is looked at, and judged.
#[derive(Clone, Debug)]
pub struct Eye {
    /// Where this runs: what warns in one environment refuses in another.
    pub environment: Environment,
    /// What our own environment tells of ways in from the internet.
    pub visible: Vec<VisibleVariable>,
}

impl Eye {
    /// The one of an installation.
    pub fn of(configuration: &Configuration) -> Self {
        Eye {
            environment: super::steward::environment(configuration),
            visible: visible_variables(configuration.variables()),
        }
    }
}

/// What was found, by what follows from it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Examination {
    /// Certain, and not to be had in this environment: refuses a start, and turns a node not-ready.
    pub problems: Vec<String>,
    /// Worth changing.
    pub warnings: Vec<String>,
    /// What nobody could tell: never taken for fine.
    pub untold: Vec<String>,
    /// Who can reach it, as far as its name and addresses tell.
    pub reach: Option<String>,
    /// Everything that was claimed, as data.
    pub strength: Vec<strength::Finding>,
}

impl Examination {
    /// Nothing was found, and everything could be looked at.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty() && self.warnings.is_empty() && self.untold.is_empty()
    }

    fn untold(why: String) -> Self {
        Examination { untold: vec![why], ..Self::default() }
    }
}

/// Every PostgreSQL database at once, by name.
pub async fn of_all<'a>(
    steward: Option<&Steward>,
    databases: impl IntoIterator<Item = &'a Managed>,
    eye: &Eye,
) -> BTreeMap<String, Examination> {
    let mut looking = tokio::task::JoinSet::new();
    for managed in databases {
        let Kind::Postgres { database, .. } = &managed.kind else { continue };
        // What the steward does not know it cannot be asked of.
        let steward = steward.filter(|_| managed.configured).cloned();
        let (database, eye) = ((**database).clone(), eye.clone());
        looking.spawn(async move {
            let examination = of(steward.as_ref(), &database, &eye).await;
            (database.name, examination)
        });
    }
    looking.join_all().await.into_iter().collect()
}

/// What would refuse a start, with the database's name before it.
pub fn problems(examinations: &BTreeMap<String, Examination>) -> Vec<String> {
    let named = |(name, examination): (&String, &Examination)| {
        examination.problems.iter().map(|problem| format!("database {name}: {problem}")).collect::<Vec<_>>()
    };
    examinations.iter().flat_map(named).collect()
}

/// One database.
pub async fn of(steward: Option<&Steward>, database: &Database, eye: &Eye) -> Examination {
    let credential = match in_use(steward, database).await {
        Ok(credential) => credential,
        Err(why) => return Examination::untold(why),
    };
    let mut examination = Examination::default();
    super::reach::examine(&credential, eye, &mut examination).await;
    // Where it is refused for its place, nobody needs to log in there to say so.
    if !examination.problems.is_empty() {
        return examination;
    }
    let administrator = administrator(steward, database).await;
    let Ok(wrong) = clock::fresh::<24>() else {
        return Examination::untold("the operating system gave no randomness".to_owned());
    };
    let wrong = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(wrong);
    let options = Options {
        administrator: administrator.as_ref(),
        direct: None,
        wrong: SecretString::from(wrong),
        patience: PATIENCE,
    };
    let facts = strength::observe(&credential, &options).await;
    for finding in strength::judge(&facts, eye.environment) {
        let text = with_remedy(&finding.sentence, &finding.remedy);
        match (finding.severity, finding.certainty) {
            (Severity::Refusal, _) => examination.problems.push(text),
            (Severity::Fine, _) => {}
            (_, Certainty::CouldNotTell) => examination.untold.push(text),
            (Severity::Warning, _) => examination.warnings.push(text),
            (Severity::Note, _) => {}
        }
        examination.strength.push(finding);
    }
    examination
}

/// A sentence and what to do about it, as messages are written here: without a final stop.
pub fn with_remedy(sentence: &str, remedy: &str) -> String {
    let (sentence, remedy) = (sentence.trim_end_matches('.'), remedy.trim_end_matches('.'));
    if remedy.is_empty() { sentence.to_owned() } else { format!("{sentence}; {remedy}") }
}

/// Who may read the catalogues: the journal's administrator, else the configured one; none where there is none.
async fn administrator(steward: Option<&Steward>, database: &Database) -> Option<Credential> {
    let configured = database.administrator.as_ref()?;
    if let Some(steward) = steward
        && let Ok(Some(credential)) = steward.administrator(&database.name).await
    {
        return Some(credential);
    }
    Credential::from_url(configured.expose_secret(), None).ok()
}

/// The credential in use: the journal's, else the configured one.
async fn in_use(steward: Option<&Steward>, database: &Database) -> Result<Credential, String> {
    if let Some(steward) = steward
        && let Some(credential) =
            steward.credential(&database.name).await.map_err(|fault| fault.to_string())?
    {
        return Ok(credential);
    }
    Credential::from_url(&database.url, database.password.as_ref())
        .map_err(|error| format!("nobody can log in: {error}, and database.{}.password_file", database.name))
}
