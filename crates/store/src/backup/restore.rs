//! Filling a store of either engine from a backup, all of it or nothing.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use secrecy::SecretSlice;
use sqlx::{Connection, SqliteConnection};

use super::file::{io, open, remove, verify};
use super::{Contents, Progress, WITHOUT_TIMEOUTS, entry};
use crate::connections::Way;
use crate::lock::beside;
use crate::tables::{self, Side, Table};
use crate::{Engine, Fault, Options, Store, migrations, sqlcipher};

/// Fills a store from a backup, all of it or nothing. Processes that run on the store must be started again afterwards:
/// they remember what was there before.
///
/// # Errors
/// [`Fault::Backup`] for what is no backup under this key, or damaged; [`Fault::Newer`] for one of a newer version;
/// [`Fault::NotEmpty`] for a store with rows when `replace` is not asked for. Then nothing has changed.
pub async fn restore(
    store: &Store,
    file: &Path,
    key: &SecretSlice<u8>,
    replace: bool,
    mut progress: impl FnMut(Progress<'_>) + Send,
) -> Result<Vec<Contents>, Fault> {
    let mut backup = open(file, key).await?;
    let listed = verify(&mut backup, file).await?;
    let applied = migrations::applied(&mut backup).await?;
    if migrations::is_older(&applied)? {
        backup.close().await?;
        // The backup itself is never written to: a copy of it, still encrypted, is brought up to date.
        let copy = beside(file, ".restoring");
        remove(&copy);
        let restored = restore_older(store, file, &copy, key, replace, &mut progress).await;
        remove(&copy);
        return restored;
    }
    let restored = fill(store, &mut backup, replace, Some(&listed), &mut progress).await;
    backup.close().await?;
    restored
}

async fn restore_older(
    store: &Store,
    file: &Path,
    copy: &Path,
    key: &SecretSlice<u8>,
    replace: bool,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Vec<Contents>, Fault> {
    let mut from = File::open(file).map_err(|error| io(file, &error))?;
    let mut to = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(copy)
        .map_err(|error| io(copy, &error))?;
    std::io::copy(&mut from, &mut to).map_err(|error| io(copy, &error))?;
    Store::open_file(copy, key, &Options::default(), None).await?.close().await;
    let mut backup = sqlcipher::single(copy, key, false).await?;
    let restored = fill(store, &mut backup, replace, None, progress).await;
    backup.close().await?;
    restored
}

/// One transaction: empty or emptied, filled, and summed again on the store's side.
async fn fill(
    store: &Store,
    backup: &mut SqliteConnection,
    replace: bool,
    listed: Option<&[Contents]>,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Vec<Contents>, Fault> {
    let tables = tables::of(backup).await?;
    let mut from = backup.begin_with("BEGIN").await?;
    let from = Side::SqlCipher(&mut from);
    let pass = store.inner.enter(Way::Write).await;
    let restored = match store.inner.engine {
        Engine::SqlCipher { .. } => {
            let pool = pass.connections.write.get_sqlite_connection_pool();
            let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
            let to = Side::SqlCipher(&mut transaction);
            let restored = fill_tables(from, to, &tables, replace, listed, progress).await?;
            transaction.commit().await?;
            restored
        }
        Engine::Postgres => {
            let pool = pass.connections.write.get_postgres_connection_pool();
            let mut transaction = pool.begin().await?;
            let mut to = Side::Postgres(&mut transaction);
            to.run(WITHOUT_TIMEOUTS.to_owned()).await?;
            let names: Vec<_> = tables.iter().map(|table| format!("\"{}\"", table.name)).collect();
            to.run(format!("LOCK TABLE {} IN EXCLUSIVE MODE", names.join(", "))).await?;
            let restored = fill_tables(from, to, &tables, replace, listed, progress).await?;
            transaction.commit().await?;
            restored
        }
    };
    drop(pass);
    store.inner.changed.notify_waiters();
    Ok(restored)
}

async fn fill_tables(
    mut from: Side<'_>,
    mut to: Side<'_>,
    tables: &[Table],
    replace: bool,
    listed: Option<&[Contents]>,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Vec<Contents>, Fault> {
    // Those that refer to others first.
    for table in tables.iter().rev() {
        if replace {
            to.run(format!("DELETE FROM \"{}\"", table.name)).await?;
        } else if !to.is_empty(table).await? {
            return Err(Fault::NotEmpty { table: table.name.clone() });
        }
    }
    let differs =
        |table: &Table| Fault::Unreadable(format!("{}: what arrived differs from the backup", table.name));
    let mut restored = Vec::with_capacity(tables.len());
    for (place, table) in tables.iter().enumerate() {
        let mut tell = |rows| {
            progress(Progress { table: &table.name, number: place + 1, tables: tables.len(), rows });
        };
        let read = tables::copy(&mut from, &mut to, table, &mut tell).await?;
        restored.push(entry(table, read));
    }
    for (table, read) in tables.iter().zip(&restored) {
        if entry(table, to.sum(table).await?) != *read {
            return Err(differs(table));
        }
    }
    match listed {
        Some(listed) if listed != restored => {
            Err(Fault::Unreadable("the backup changed while it was read".to_owned()))
        }
        _ => Ok(restored),
    }
}
