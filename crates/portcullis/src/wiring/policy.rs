//! From `[gateway]` to the table of rules and the frontend's origins, with everything that is wrong named at once.

use crate::config::{Configuration, Environment};
use policy::{OpenApi, Origins, Requirement, Table};
use store::Store;

/// What the gateway decides by.
pub struct Policy {
    /// The rules.
    pub table: Table,
    /// The frontend's origins.
    pub origins: Origins,
    /// The OpenAPI document that most rules come from.
    pub openapi: Option<OpenApi>,
    /// What is worth saying and is no reason to stop.
    pub warnings: Vec<String>,
}

/// What was read, and all that would refuse to start.
pub struct Reading {
    /// The policy, where it can be put together at all.
    pub policy: Option<Policy>,
    /// What is wrong with it.
    pub problems: Vec<String>,
}

/// Reads document and routes; any problem refuses.
pub fn read(configuration: &Configuration) -> Result<Policy, Vec<String>> {
    match look(configuration) {
        Reading { policy: Some(policy), problems } if problems.is_empty() => Ok(policy),
        Reading { problems, .. } => Err(problems),
    }
}

/// Reads document and routes. Problems are complete: all that would refuse to start, not the first.
pub fn look(configuration: &Configuration) -> Reading {
    let section = configuration.file.gateway.clone().unwrap_or_default();
    let development = configuration.environment == Environment::Development;
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let openapi = match section.openapi.as_ref().map(|file| configuration.path(file)) {
        None => None,
        Some(file) => match std::fs::read(&file) {
            Err(error) => {
                problems.push(format!("gateway.openapi: cannot read {}: {error}", file.display()));
                None
            }
            Ok(bytes) => match OpenApi::parse(&bytes, &file.display().to_string()) {
                Ok(openapi) => Some(openapi),
                Err(error) => {
                    problems.push(format!("gateway.openapi: {error}"));
                    None
                }
            },
        },
    };
    let table = if problems.is_empty() {
        Table::build(openapi.as_ref(), &section.route.unwrap_or_default())
            .map_err(|errors| problems.extend(errors.iter().map(ToString::to_string)))
            .ok()
    } else {
        // Without its document every route that replaces something would be called wrong.
        None
    };
    let origins = Origins::parse(&section.frontend_origins.unwrap_or_default(), development)
        .map_err(|error| problems.push(format!("gateway.frontend_origins: {error}")))
        .ok();
    for rule in table.iter().flat_map(Table::rules) {
        if let Requirement::Denied { why } = &rule.requirement {
            let text =
                format!("{} is denied to everybody: {why}; add a [[gateway.route]] for it", rule.endpoint());
            if development { warnings.push(text) } else { problems.push(text) }
        }
    }
    for lost in openapi.iter().flat_map(OpenApi::unreachable) {
        warnings.push(format!("{} is never reached: {}", lost.operation, lost.why));
    }
    let policy = table.zip(origins).map(|(table, origins)| Policy { table, origins, openapi, warnings });
    Reading { policy, problems }
}

/// Scopes that rules demand and nobody can ever hold: the store's API does not know them.
pub async fn unknown_scopes(
    policy: &Policy,
    audience: &str,
    store: &Store,
) -> Result<Vec<String>, store::Fault> {
    let known: Vec<String> = store
        .api(audience)
        .await?
        .map(|api| api.scopes.into_iter().map(|scope| scope.value).collect())
        .unwrap_or_default();
    let mut unknown = Vec::new();
    for rule in policy.table.rules() {
        let Requirement::Scopes { alternatives } = &rule.requirement else { continue };
        for scope in alternatives.iter().flat_map(|alternative| alternative.scopes.iter()) {
            if !known.iter().any(|known| known == scope.as_str()) {
                let text = format!(
                    "{} wants scope {scope}, which the API {audience} does not have: nobody can call it; \
                     portcullis api update {audience} --add-scope {scope}",
                    rule.endpoint()
                );
                if !unknown.contains(&text) {
                    unknown.push(text);
                }
            }
        }
    }
    Ok(unknown)
}

/// The gateway's API gives tokens that live longer than the gateway accepts.
pub async fn lifetimes_apart(
    configuration: &Configuration,
    store: &Store,
) -> Result<Option<String>, store::Fault> {
    let Ok(audience) = super::gateway::audience(configuration) else { return Ok(None) };
    let accepted = super::identity::access_token_lifetime(configuration);
    let given = store.api(&audience).await?.and_then(|api| api.token_lifetime);
    Ok(given.filter(|given| *given > accepted).map(|given| {
        format!(
            "the API {audience} gives tokens of {} minutes, and the gateway refuses any above access_token_lifetime, {} \
             minutes: portcullis api update {audience} --token-lifetime {}m",
            given / 60,
            accepted / 60,
            accepted / 60
        )
    }))
}
