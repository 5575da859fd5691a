//! The schema's history, one file a step, for both engines at once. A step that has been released is never edited.

mod m0001_beginning;
mod m0002_rotations;
mod m0003_reports;

use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::{MigrationStatus, MigrationTrait, MigratorTrait};

use crate::transaction::{Lock, exclusively};
use crate::{Fault, Store};

struct Steps;

impl MigratorTrait for Steps {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_beginning::Step), Box::new(m0002_rotations::Step), Box::new(m0003_reports::Step)]
    }
}

/// Applies what is missing, all of it or nothing. Nodes that start together wait for the first.
pub(crate) async fn bring_up_to_date(store: &Store) -> Result<(), Fault> {
    let pending = store
        .read(move |database| async move {
            let database = &database;
            let applied = Steps::get_migration_with_status_read_only(database).await.map_err(unknown_step)?;
            Ok(applied.iter().any(|step| step.status() == MigrationStatus::Pending))
        })
        .await?;
    if !pending {
        return Ok(());
    }
    store
        .write(move |transaction| async move {
            let transaction = &*transaction;
            if transaction.get_database_backend() == DbBackend::Postgres {
                // A step over a large table, or the wait for another node's, may take longer than a request.
                transaction.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
            }
            exclusively(transaction, Lock::Migrations).await?;
            Steps::up(transaction, None).await.map_err(unknown_step)
        })
        .await
}

/// Whether the database has every step that this program knows, and none that it does not know.
pub(crate) async fn is_complete(database: &sea_orm::DatabaseConnection) -> Result<bool, Fault> {
    let steps = Steps::get_migration_with_status_read_only(database).await.map_err(unknown_step)?;
    Ok(steps.iter().all(|step| step.status() == MigrationStatus::Applied))
}

/// The steps that a SQLCipher file has gone through.
pub(crate) async fn applied(file: &mut sqlx::SqliteConnection) -> Result<Vec<String>, Fault> {
    Ok(sqlx::query_scalar("SELECT version FROM seaql_migrations").fetch_all(file).await?)
}

/// Whether steps are missing from these; one that this program does not know is [`Fault::Newer`].
pub(crate) fn is_older(applied: &[String]) -> Result<bool, Fault> {
    let steps = Steps::migrations();
    match applied.iter().find(|name| steps.iter().all(|step| step.name() != name.as_str())) {
        Some(unknown) => Err(Fault::Newer { migration: unknown.clone() }),
        None => Ok(applied.len() < steps.len()),
    }
}

/// The migrator says "Migration file of version 'x' is missing" of a step that it does not know.
fn unknown_step(error: sea_orm::DbErr) -> Fault {
    match error {
        sea_orm::DbErr::Custom(message) if message.contains("is missing") => {
            let migration = message.split('\'').nth(1).unwrap_or("unknown").to_owned();
            Fault::Newer { migration }
        }
        other => Fault::from(other),
    }
}
