//! `portcullis check`: every endpoint with its rule and its caller, and all that would refuse to start.

use super::{CommandError, Environment, columns, print, print_json};
use crate::command_line::Where;
use crate::config::Configuration;
use crate::wiring::databases::{self, Managed, Purpose};
use crate::wiring::examination::{self, Examination, Eye};
use crate::wiring::installation::Installation;
use crate::wiring::policy::{Policy, Reading};
use crate::wiring::refusals::{self, Judged};
use crate::wiring::stewardship::Stewardship;
use crate::wiring::{self};
use policy::{Requirement, Rule};
use serde_json::json;
use std::collections::BTreeMap;

/// Reads everything, starts nothing. A problem is exit code 2.
pub async fn run(place: &Where, environment: &Environment) -> Result<(), CommandError> {
    let installation = Installation::find(place, environment)?;
    let findings = examine(&installation.configuration).await;
    if place.json {
        print_json(&json!({
            "environment": installation.configuration.environment,
            "endpoints": findings.endpoints.iter().map(Endpoint::to_json).collect::<Vec<_>>(),
            "warnings": findings.warnings,
            "problems": findings.problems,
        }))?;
    } else {
        print(&findings.to_string());
    }
    match findings.problems.len() {
        0 => Ok(()),
        count => Err(CommandError::usage(format!(
            "{count} {} would refuse to start",
            if count == 1 { "thing" } else { "things" }
        ))),
    }
}

/// One endpoint as the gateway sees it.
struct Endpoint {
    method: String,
    path: String,
    caller: String,
    requirement: String,
    source: String,
}

impl Endpoint {
    fn of(rule: &Rule) -> Self {
        Endpoint {
            method: rule.method.as_str().to_owned(),
            path: rule.pattern.to_string(),
            caller: match &rule.requirement {
                Requirement::Public { .. } => "anybody".to_owned(),
                Requirement::Denied { .. } => "nobody".to_owned(),
                Requirement::Scopes { .. } => {
                    rule.caller().map_or_else(|| "nobody".to_owned(), |caller| caller.as_str().to_owned())
                }
            },
            requirement: rule.requirement.to_string(),
            source: rule.source.to_string(),
        }
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "method": self.method, "path": self.path, "caller": self.caller,
            "requirement": self.requirement, "source": self.source,
        })
    }
}

/// What there is to say of a configuration.
pub struct Findings {
    endpoints: Vec<Endpoint>,
    /// Worth knowing.
    pub warnings: Vec<String>,
    /// Refuses to start.
    pub problems: Vec<String>,
}

impl Findings {
    fn take_in(&mut self, examinations: &BTreeMap<String, Examination>) {
        self.problems.extend(examination::problems(examinations));
        for (name, examination) in examinations {
            let doubts = examination.warnings.iter().chain(&examination.untold);
            self.warnings.extend(doubts.map(|doubt| format!("database {name}: {doubt}")));
        }
    }
}

impl std::fmt::Display for Findings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows: Vec<Vec<String>> = self
            .endpoints
            .iter()
            .map(|endpoint| {
                vec![
                    endpoint.method.clone(),
                    endpoint.path.clone(),
                    endpoint.caller.clone(),
                    endpoint.requirement.clone(),
                    endpoint.source.clone(),
                ]
            })
            .collect();
        f.write_str(&columns(&rows))?;
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        for problem in &self.problems {
            writeln!(f, "problem: {problem}")?;
        }
        let denied = self.endpoints.iter().filter(|endpoint| endpoint.caller == "nobody").count();
        let public = self.endpoints.iter().filter(|endpoint| endpoint.caller == "anybody").count();
        writeln!(
            f,
            "{} endpoints, {public} public, {denied} denied; everything else is refused",
            self.endpoints.len()
        )
    }
}

/// Looks at all of a configuration without starting anything.
pub async fn examine(configuration: &Configuration) -> Findings {
    let mut findings = Findings { endpoints: Vec::new(), warnings: Vec::new(), problems: Vec::new() };
    let Reading { policy, problems } = wiring::policy::look(configuration);
    findings.problems.extend(problems);
    if let Some(policy) = policy {
        findings.warnings.extend(policy.warnings.clone());
        findings.endpoints.extend(policy.table.rules().map(Endpoint::of));
        examine_rooms(configuration, &policy, &mut findings).await;
    }
    findings.endpoints.extend(session_endpoints(configuration));
    findings.endpoints.sort_by(|one, other| (&one.path, &one.method).cmp(&(&other.path, &other.method)));
    findings.warnings.extend(wiring::gateway::warnings(configuration));
    findings.warnings.extend(configuration.warnings());
    findings
}

async fn examine_rooms(configuration: &Configuration, policy: &Policy, findings: &mut Findings) {
    findings.problems.extend(refusals::of_configuration(configuration, policy));
    if !wiring::store::has_store(configuration) {
        return;
    }
    let (databases, _) = databases::read(configuration, Purpose::Serve);
    let eye = Eye::of(configuration);
    let own = databases.iter().filter(|database| database.name == databases::STORE);
    let own = examination::of_all(None, own, &eye).await;
    let refused = !examination::problems(&own).is_empty();
    findings.take_in(&own);
    if wiring::store::is_first_start(configuration) {
        findings
            .warnings
            .push("the store does not exist yet; the first start makes it and its key".to_owned());
        return;
    }
    if wiring::identity::has_issuer(configuration)
        && let Err(error) = wiring::identity::key_encryption_key(configuration, false)
    {
        findings.problems.push(error.to_string());
    }
    if refused {
        // A start would not come so far as to read its rows.
        return;
    }
    match wiring::store::open(configuration, false).await {
        Err(error) => findings.problems.push(error.to_string()),
        Ok(store) => {
            examine_others(configuration, &store, &databases, &eye, findings).await;
            match refusals::of_store(configuration, policy, &store).await {
                Err(fault) => findings.problems.push(format!("store: {fault}")),
                Ok(Judged { problems, warnings }) => {
                    findings.problems.extend(problems);
                    findings.warnings.extend(warnings);
                }
            }
        }
    }
}

/// The databases whose credentials rest in the journal of the store.
async fn examine_others(
    configuration: &Configuration,
    store: &store::Store,
    databases: &[Managed],
    eye: &Eye,
    findings: &mut Findings,
) {
    match Stewardship::of(configuration, store, databases.to_vec()) {
        Err(error) => findings.problems.push(error.to_string()),
        Ok(stewardship) => {
            let others = stewardship.databases.iter().filter(|database| database.name != databases::STORE);
            findings.take_in(&examination::of_all(stewardship.steward.as_ref(), others, eye).await);
        }
    }
}

/// The session API's paths as this configuration serves them on the gateway's origin: method, path, caller.
pub fn session_paths(configuration: &Configuration) -> Vec<(&'static str, String, Option<String>)> {
    let session = wiring::identity::session(configuration);
    let served = wiring::identity::has_issuer(configuration)
        && !wiring::identity::is_delegated(configuration)
        && session.on_gateway.unwrap_or(true);
    if !served {
        return Vec::new();
    }
    let prefix = session.prefix.unwrap_or_else(|| "/users".to_owned());
    // Both at once is a problem of its own, reported elsewhere.
    let entry = session.public;
    [
        ("POST", "", true),
        ("POST", "/session", true),
        ("POST", "/session/refresh", true),
        ("DELETE", "/session", false),
        ("POST", "/password-reset", true),
        ("PUT", "/password-reset", true),
        ("GET", "/me", false),
        ("PATCH", "/me", false),
        ("DELETE", "/me", false),
    ]
    .into_iter()
    .map(|(method, path, of_entry)| (method, format!("{prefix}{path}"), entry.clone().filter(|_| of_entry)))
    .collect()
}

fn session_endpoints(configuration: &Configuration) -> Vec<Endpoint> {
    session_paths(configuration)
        .into_iter()
        .map(|(method, path, public)| {
            let of_user = path.ends_with("/me") || method == "DELETE";
            let (caller, requirement) = match public {
                Some(reason) => ("anybody", format!("public: {reason}")),
                None if path.ends_with("/me") => {
                    let verb = match method {
                        "GET" => "read",
                        "PATCH" => "update",
                        _ => "delete",
                    };
                    ("user", format!("scopes {verb}:current_user (user)"))
                }
                None if of_user => ("user", "the session's own token".to_owned()),
                None => ("client", "scopes session (client)".to_owned()),
            };
            Endpoint {
                method: method.to_owned(),
                path,
                caller: caller.to_owned(),
                requirement,
                source: "identity.session".to_owned(),
            }
        })
        .collect()
}
