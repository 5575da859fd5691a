//! Writing a backup: one snapshot of either engine, read back before it gets its name.

use std::fs::File;
use std::path::Path;

use secrecy::SecretSlice;
use sqlx::Connection;

use super::file::{self, io, refused, remove, verify};
use super::{Contents, Progress, WITHOUT_TIMEOUTS, entry};
use crate::connections::Way;
use crate::key_file::sync_folder;
use crate::lock::beside;
use crate::tables::{self, Side, Table};
use crate::{Engine, Fault, Options, Store, sqlcipher};

/// Writes a backup while the store is in use, and reads it back. `key` is 32 bytes; `file` must not exist, and does only
/// when the backup is whole.
///
/// # Errors
/// [`Fault::Backup`] when there is a file already or what was read back differs, [`Fault::Full`], and what the store says.
pub async fn write(
    store: &Store,
    file: &Path,
    key: &SecretSlice<u8>,
    mut progress: impl FnMut(Progress<'_>) + Send,
) -> Result<Vec<Contents>, Fault> {
    if file.exists() {
        return Err(refused(file, "there is a file already: choose another name"));
    }
    let partial = beside(file, ".partial");
    remove(&partial);
    let written = write_partial(store, &partial, key, &mut progress).await;
    let written = match written {
        Ok(contents) => put_in_place(&partial, file).map(|()| contents),
        Err(fault) => Err(fault),
    };
    if written.is_err() {
        remove(&partial);
    }
    written
}

async fn write_partial(
    store: &Store,
    partial: &Path,
    key: &SecretSlice<u8>,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Vec<Contents>, Fault> {
    // A store of our own, so that the schema comes from the same steps.
    let target = Store::open_file(partial, key, &Options::default(), None).await?;
    let outcome = copy_out(store, &target, progress).await;
    target.close().await;
    let listed = outcome?;
    let mut backup = sqlcipher::single(partial, key, false).await?;
    // One file, without a log beside it.
    sqlx::query("PRAGMA journal_mode = DELETE").fetch_one(&mut backup).await?;
    backup.close().await?;
    File::open(partial).and_then(|file| file.sync_all()).map_err(|error| io(partial, &error))?;
    let mut backup = file::open(partial, key).await?;
    let found = verify(&mut backup, partial).await?;
    backup.close().await?;
    if found == listed { Ok(found) } else { Err(refused(partial, "what was read back differs: try again")) }
}

async fn copy_out(
    store: &Store,
    target: &Store,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Vec<Contents>, Fault> {
    let target = target.inner.connections.load_full();
    let mut to = target.write.get_sqlite_connection_pool().begin_with("BEGIN IMMEDIATE").await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA application_id = {}", file::APPLICATION)))
        .execute(&mut *to)
        .await?;
    sqlx::query(
        "CREATE TABLE backup_contents (name text PRIMARY KEY, rows integer NOT NULL, digest text NOT NULL)",
    )
    .execute(&mut *to)
    .await?;
    let tables = tables::of(&mut to).await?;
    let pass = store.inner.enter(Way::Read).await;
    let listed = match store.inner.engine {
        Engine::SqlCipher { .. } => {
            let pool = pass.connections.read.get_sqlite_connection_pool();
            let mut from = pool.begin_with("BEGIN").await?;
            let (from, to) = (Side::SqlCipher(&mut from), Side::SqlCipher(&mut to));
            copy_all(from, to, &tables, progress).await?
        }
        Engine::Postgres => {
            let pool = pass.connections.read.get_postgres_connection_pool();
            let mut from = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
            let (mut from, to) = (Side::Postgres(&mut from), Side::SqlCipher(&mut to));
            from.run(WITHOUT_TIMEOUTS.to_owned()).await?;
            copy_all(from, to, &tables, progress).await?
        }
    };
    drop(pass);
    for table in &listed {
        sqlx::query("INSERT INTO backup_contents (name, rows, digest) VALUES (?, ?, ?)")
            .bind(&table.table)
            .bind(i64::try_from(table.rows).unwrap_or(i64::MAX))
            .bind(&table.digest)
            .execute(&mut *to)
            .await?;
    }
    to.commit().await?;
    Ok(listed)
}

async fn copy_all(
    mut from: Side<'_>,
    mut to: Side<'_>,
    tables: &[Table],
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Vec<Contents>, Fault> {
    let mut listed = Vec::with_capacity(tables.len());
    for (place, table) in tables.iter().enumerate() {
        let mut tell = |rows| {
            progress(Progress { table: &table.name, number: place + 1, tables: tables.len(), rows });
        };
        let sum = tables::copy(&mut from, &mut to, table, &mut tell).await?;
        listed.push(entry(table, sum));
    }
    Ok(listed)
}

fn put_in_place(partial: &Path, file: &Path) -> Result<(), Fault> {
    // A link first and not a rename: it does not replace what somebody has put there meanwhile. Some file systems have none.
    let named = match std::fs::hard_link(partial, file) {
        Ok(()) => std::fs::remove_file(partial),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => std::fs::rename(partial, file),
    };
    named.and_then(|()| sync_folder(file)).map_err(|error| io(file, &error))
}
