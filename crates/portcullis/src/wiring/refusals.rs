//! What refuses to start, said the same by `check` and by the start itself.

use super::databases::{self, Purpose};
use super::policy::{Policy, lifetimes_apart, unknown_scopes};
use super::{gateway as gateway_wiring, identity as identity_wiring};
use crate::commands::check::session_paths;
use crate::config::{Configuration, Environment};
use ::gateway::{Gateway, OwnKeys, Ports, Revocations};
use ::identity::SmtpPostman;
use ::policy::Lookup;
use ::store::{Fault, Store};
use std::sync::Arc;

/// What is wrong, by what it means here.
#[derive(Default)]
pub struct Judged {
    /// Refuses to start.
    pub problems: Vec<String>,
    /// Worth knowing.
    pub warnings: Vec<String>,
}

/// Everything that the configuration alone shows, complete and not only the first.
pub fn of_configuration(configuration: &Configuration, policy: &Policy) -> Vec<String> {
    let (_, mut problems) = databases::read(configuration, Purpose::Serve);
    match gateway_wiring::config(configuration, policy) {
        Err(error) => problems.push(error.to_string()),
        Ok(config) => {
            let trial = Ports {
                own_keys: Arc::new(OwnKeys::new(jose::KeySet::default())),
                revocations: Arc::new(Revocations::new(0)),
                legacy_keys: None,
                key_uses: None,
                session_api: None,
                now: Arc::new(crate::clock::now),
                fresh: Arc::new(|| [0; 16]),
            };
            problems.extend(Gateway::new(config, trial).err().map(|error| error.to_string()));
        }
    }
    problems.extend(super::schedule::every(configuration).err());
    match identity_wiring::mail(configuration) {
        Err(error) => problems.push(error.to_string()),
        Ok(Some(mail)) => problems.extend(SmtpPostman::new(&mail).err().map(|fault| fault.to_string())),
        Ok(None) => {}
    }
    if !identity_wiring::has_issuer(configuration) {
        if !identity_wiring::is_delegated(configuration) {
            problems.push("identity.issuer is missing, and identity.mode is not \"delegated\"".to_owned());
        }
        return problems;
    }
    match identity_wiring::config(configuration, policy.origins.clone()) {
        Err(error) => problems.push(error.to_string()),
        Ok(config) => problems.extend(plain_issuer(configuration, &config.issuer)),
    }
    problems.extend(clashes(configuration, policy));
    problems
}

/// An issuer over http, where strangers come.
fn plain_issuer(configuration: &Configuration, issuer: &str) -> Option<String> {
    let loopback = url::Url::parse(issuer)
        .ok()
        .is_some_and(|url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")));
    let weak =
        issuer.starts_with("http://") && !loopback && configuration.environment != Environment::Development;
    weak.then(|| {
        format!(
            "identity.issuer {issuer} is not https: tokens and passwords would cross the network in clear"
        )
    })
}

/// Endpoints that both the backend's rules and the session API claim.
fn clashes(configuration: &Configuration, policy: &Policy) -> Vec<String> {
    session_paths(configuration)
        .into_iter()
        .filter_map(|(method, path, _)| {
            let normal = policy::normalise(&path).ok()?;
            match policy.table.lookup(method, &normal) {
                Lookup::Found(rule) if rule.pattern.as_str() == path => Some(format!(
                    "{method} {path} is claimed twice: by {} and by the session API; set identity.session.prefix or \
                     on_gateway = false",
                    rule.source
                )),
                _ => None,
            }
        })
        .collect()
}

/// What only the store shows: scopes that nobody can hold, tokens that the gateway refuses though we issue them. Endpoints
/// that are dead for a reason nobody sees are a problem, and in development a warning.
pub async fn of_store(
    configuration: &Configuration,
    policy: &Policy,
    store: &Store,
) -> Result<Judged, Fault> {
    let mut judged = Judged::default();
    let foreign =
        configuration.file.gateway.iter().any(|gateway| gateway.issuer.iter().flatten().next().is_some());
    let mut dead = Vec::new();
    // A foreign issuer may give scopes that this store has never heard of.
    if !foreign && !identity_wiring::is_delegated(configuration) {
        let audience = gateway_wiring::audience(configuration).unwrap_or_default();
        dead.extend(unknown_scopes(policy, &audience, store).await?);
    }
    dead.extend(lifetimes_apart(configuration, store).await?);
    if configuration.environment == Environment::Development {
        judged.warnings.extend(dead);
    } else {
        judged.problems.extend(dead);
    }
    for api in store.apis().await?.iter().filter(|api| api.signing_alg != "RS256") {
        judged.warnings.push(format!(
            "the API {} asks for {}, and this version signs with RS256; some clients, Auth0's Python SDK among them, fail \
             on a key set that holds other than RSA keys",
            api.identifier, api.signing_alg
        ));
    }
    Ok(judged)
}
