//! The steward of this installation, put together: for the server, and for the command line.

use super::databases::{Kind, Managed};
use super::identity::key_encryption_key;
use crate::config::raw::Environment as Configured;
use crate::config::{ConfigError, Configuration};
use std::sync::Arc;
use steward::rotation::Fault;
use steward::{Environment, Steward};
use store::{Seal, Store};

/// A steward for every PostgreSQL database that the configuration names; none where it names none. SQLCipher files are
/// none of its business.
pub fn of(
    configuration: &Configuration,
    store: &Store,
    databases: &[Managed],
) -> Result<Option<Steward>, ConfigError> {
    let named: Vec<_> = databases
        .iter()
        .filter(|managed| managed.is_stewarded())
        .filter_map(|managed| match &managed.kind {
            Kind::Postgres { database, .. } => Some((**database).clone()),
            Kind::SqlCipher { .. } => None,
        })
        .collect();
    if named.is_empty() {
        return Ok(None);
    }
    let seal = seal(configuration)?;
    Ok(Some(Steward::new(store.clone(), seal, named, Arc::new(crate::clock::now), Arc::new(fresh))))
}

/// What the journal's secrets rest under.
fn seal(configuration: &Configuration) -> Result<Arc<Seal>, ConfigError> {
    let key = key_encryption_key(configuration, false)?;
    Seal::new(&key).map(Arc::new).map_err(|fault| ConfigError::Invalid(fault.to_string()))
}

fn fresh(bytes: &mut [u8]) -> Result<(), Fault> {
    crate::clock::fill(bytes).map_err(|_| Fault::NoRandomness)
}

/// The environment that counts, as the steward calls it.
pub fn environment(configuration: &Configuration) -> Environment {
    match configuration.environment {
        Configured::Development => Environment::Development,
        Configured::Staging => Environment::Staging,
        Configured::Production => Environment::Production,
    }
}
