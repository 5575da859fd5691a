//! `portcullis database`: the credentials of Portcullis's own database and of every managed one.

mod adopt;
mod check;
mod rotate;
mod shown;
mod status;

use super::{CommandError, Environment};
use crate::command_line::{Database, Where};
use crate::wiring::databases::{self, Managed, Purpose};
use crate::wiring::examination::Eye;
use crate::wiring::installation::Installation;
use ::steward::Steward;
use store::Store;

/// Does what was asked.
pub async fn run(database: Database, environment: &Environment) -> Result<(), CommandError> {
    match database {
        Database::Status(one) => status::run(&one, environment).await,
        Database::Check(one) => check::run(&one, environment).await,
        Database::Rotate { name, now, place } => rotate::run(name.as_deref(), now, &place, environment).await,
        Database::Adopt { name, dry_run, audit_role, place } => {
            adopt::adopt(name.as_deref(), dry_run, audit_role, &place, environment).await
        }
        Database::Unadopt { name, dry_run, place } => {
            adopt::unadopt(name.as_deref(), dry_run, &place, environment).await
        }
    }
}

/// An installation, its store, and its databases.
struct Context {
    installation: Installation,
    store: Store,
    databases: Vec<Managed>,
    /// Knows every PostgreSQL database that the configuration names; none where there is none.
    steward: Option<Steward>,
    eye: Eye,
}

impl Context {
    async fn open(place: &Where, environment: &Environment) -> Result<Self, CommandError> {
        let (installation, databases) = configured(place, environment)?;
        let configuration = &installation.configuration;
        let store = crate::wiring::store::open(configuration, false).await?;
        let steward = crate::wiring::steward::of(configuration, &store, &databases)?;
        let eye = Eye::of(configuration);
        Ok(Context { installation, store, databases, steward, eye })
    }
}

/// What the configuration says, before anything is opened.
fn configured(
    place: &Where,
    environment: &Environment,
) -> Result<(Installation, Vec<Managed>), CommandError> {
    let installation = Installation::find(place, environment)?;
    if !crate::wiring::store::has_store(&installation.configuration) {
        return Err(CommandError::usage(
            "this installation has no store, and the journal of changed passwords lies there: add [store]",
        ));
    }
    let databases = databases::all(&installation.configuration, Purpose::Command)?;
    Ok((installation, databases))
}

/// The databases that were asked for: one by name, or all.
fn selected<'a>(databases: &'a [Managed], name: Option<&str>) -> Result<Vec<&'a Managed>, CommandError> {
    let Some(name) = name else { return Ok(databases.iter().collect()) };
    databases
        .iter()
        .find(|managed| managed.name == name)
        .map(|managed| vec![managed])
        .ok_or_else(|| CommandError::usage(format!("there is no database `{name}`: {}", known(databases))))
}

/// The one that was asked for; the name may be left out where the configuration names one alone.
fn one<'a>(databases: &'a [Managed], name: Option<&str>) -> Result<&'a Managed, CommandError> {
    if name.is_some() {
        return selected(databases, name)?
            .pop()
            .ok_or_else(|| CommandError::usage("there is no such database"));
    }
    let mut configured = databases.iter().filter(|managed| managed.configured);
    match (configured.next(), configured.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(CommandError::usage(
            "no [[database]] is configured: add one, with name = \"store\" for Portcullis's own",
        )),
        _ => Err(CommandError::usage(format!("which one? {}", known(databases)))),
    }
}

fn known(databases: &[Managed]) -> String {
    let names: Vec<&str> = databases.iter().map(|managed| managed.name.as_str()).collect();
    format!("the configuration names {}", names.join(", "))
}

/// A fault of the steward: what the configuration says is usage, the rest failed.
fn failed(fault: ::steward::rotation::Fault) -> CommandError {
    use ::steward::rotation::Fault;
    match fault {
        fault @ (Fault::Unknown(_) | Fault::Configuration { .. }) => CommandError::usage(fault.to_string()),
        fault @ Fault::NoRandomness => CommandError { message: fault.to_string(), code: 70 },
        fault => CommandError::failed(fault.to_string()),
    }
}
