//! Everything in one encrypted file, from either engine, and back into either.
//!
//! A backup is a SQLCipher file with the same schema and a table `backup_contents`: each table's rows and their digest,
//! as they were read in one snapshot. Writing reads the file back before it gets its name; restoring sums the file before
//! and the store after, in the transaction that filled it. What is sealed in the store stays sealed: the key-encryption
//! key is not in the backup, and is needed beside it.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretSlice;
use sqlx::{Connection, SqliteConnection};

use crate::connections::Way;
use crate::key_file::sync_folder;
use crate::lock::beside;
use crate::tables::{self, Side, Sum, Table};
use crate::{Engine, Fault, Options, Store, migrations, sqlcipher};

/// `application_id` of a backup: "port" in ASCII.
const APPLICATION: i64 = 0x706f_7274;
/// How a file begins that is not encrypted.
const PLAIN: &[u8; 16] = b"SQLite format 3\0";

/// How far a backup or its restoring has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What is being copied.
    pub table: &'a str,
    /// Its number, from 1.
    pub number: usize,
    /// How many tables there are.
    pub tables: usize,
    /// Rows of it so far.
    pub rows: u64,
}

/// One table of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The table's name.
    pub table: String,
    /// How many rows.
    pub rows: u64,
    /// The sum of the rows' SHA-256, in hexadecimal digits: the same on both engines.
    pub digest: String,
}

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

/// What a backup holds, after every page and every row has been looked at.
///
/// # Errors
/// [`Fault::Backup`] for what is no backup under this key, or damaged.
pub async fn contents(file: &Path, key: &SecretSlice<u8>) -> Result<Vec<Contents>, Fault> {
    let mut backup = open(file, key).await?;
    let contents = verify(&mut backup, file).await?;
    backup.close().await?;
    Ok(contents)
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
    let mut backup = open(partial, key).await?;
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
    sqlx::query("PRAGMA application_id = 1886351988").execute(&mut *to).await?;
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

/// A copy may take longer than a request.
const WITHOUT_TIMEOUTS: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

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

fn entry(table: &Table, sum: Sum) -> Contents {
    Contents { table: table.name.clone(), rows: sum.rows, digest: sum.digest() }
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

async fn open(file: &Path, key: &SecretSlice<u8>) -> Result<SqliteConnection, Fault> {
    let mut head = [0; PLAIN.len()];
    match File::open(file).and_then(|mut file| file.read_exact(&mut head)) {
        Ok(()) if &head == PLAIN => return Err(refused(file, "it is not encrypted, so no backup of ours")),
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            return Err(refused(file, "it is cut short, or no backup"));
        }
        Err(error) => return Err(io(file, &error)),
    }
    let mut backup = sqlcipher::single(file, key, true).await.map_err(|fault| match fault {
        Fault::KeyDoesNotFit { .. } => {
            refused(file, "this key does not open it: name the key that it was made with")
        }
        fault => read_fault(file, fault),
    })?;
    let application: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut backup)
        .await
        .map_err(|error| read_fault(file, error.into()))?;
    if application != APPLICATION {
        let _ = backup.close().await;
        return Err(refused(file, "the key fits, but it is no backup"));
    }
    Ok(backup)
}

/// Every page, and every row against the list of contents.
async fn verify(backup: &mut SqliteConnection, file: &Path) -> Result<Vec<Contents>, Fault> {
    let (listed, found) = look(backup, file).await.map_err(|fault| read_fault(file, fault))?;
    let matches = |entry: &Contents| {
        listed.iter().any(|(name, rows, digest)| {
            (name, u64::try_from(*rows), digest) == (&entry.table, Ok(entry.rows), &entry.digest)
        })
    };
    if listed.len() == found.len() && found.iter().all(matches) {
        Ok(found)
    } else {
        Err(refused(file, DAMAGED))
    }
}

async fn look(
    backup: &mut SqliteConnection,
    file: &Path,
) -> Result<(Vec<(String, i64, String)>, Vec<Contents>), Fault> {
    sqlcipher::check_integrity(backup, file).await?;
    let listed =
        sqlx::query_as("SELECT name, rows, digest FROM backup_contents").fetch_all(&mut *backup).await?;
    let mut found = Vec::new();
    for table in tables::of(backup).await? {
        let sum = Side::SqlCipher(&mut *backup).sum(&table).await?;
        found.push(entry(&table, sum));
    }
    Ok((listed, found))
}

const DAMAGED: &str = "it is damaged: use another backup";

/// A file that does not read as what it should be is damaged, whatever the database calls it.
fn read_fault(file: &Path, fault: Fault) -> Fault {
    match fault {
        Fault::Damaged { .. } | Fault::Database(_) | Fault::Unreadable(_) => refused(file, DAMAGED),
        fault => fault,
    }
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

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let _ = std::fs::remove_file(beside(path, suffix));
    }
}

fn refused(file: &Path, reason: &'static str) -> Fault {
    Fault::Backup { path: PathBuf::from(file), reason: reason.to_owned() }
}

fn io(path: &Path, error: &std::io::Error) -> Fault {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Fault::Full,
        _ => Fault::Backup { path: path.to_owned(), reason: error.to_string() },
    }
}
