//! The encrypted file: one writer, a few readers, and what must be true of the file before a row is believed.
//!
//! `SQLite` ignores pragmas that it does not know, so a library without encryption would take the key and write plain
//! text without an error. Hence the order on every connection: key, `cipher_version` not empty, first page read, and
//! only then anything that writes.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use sea_orm::SqlxSqliteConnector;
use secrecy::{ExposeSecret, SecretSlice};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};
use zeroize::Zeroizing;

use crate::connections::Connections;
use crate::{Fault, Options, last_threads};

/// `SQLite`'s page size, and SQLCipher's.
const PAGE: u64 = 4096;
/// How a file begins that is not encrypted.
pub(crate) const PLAIN: &[u8; 16] = b"SQLite format 3\0";
/// How long a statement waits for another process's write.
const BUSY: Duration = Duration::from_secs(5);
/// How long a request waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(10);
/// Readers beside the writer; each has a thread and a page cache of its own.
const READERS: u32 = 2;

pub(crate) async fn open(
    path: &Path,
    key: &SecretSlice<u8>,
    options: &Options,
) -> Result<(Connections, String), Fault> {
    let connect = connect_options(path, key)?.foreign_keys(true);
    examine(path).await?;

    let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE).test_before_acquire(false);

    let mut writer = connect.clone();
    if let Some(pages) = options.maximum_pages {
        writer = writer.pragma("max_page_count", pages.to_string());
    }
    let write = pool()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(|connection, _| Box::pin(believe(connection, true)))
        .after_release(|connection, _| {
            Box::pin(async move {
                // A full disk ends a transaction behind sqlx's back; such a connection is closed, the next one is new.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
        .connect_with(writer)
        .await
        .map_err(|error| opening_fault(path, error))?;
    let read = pool()
        .max_connections(READERS)
        .idle_timeout(Some(Duration::from_secs(300)))
        .max_lifetime(None)
        .after_connect(|connection, _| Box::pin(believe(connection, false)))
        .connect_lazy_with(connect.pragma("query_only", "ON"));

    let version = sqlx::query("PRAGMA cipher_version")
        .fetch_optional(&write)
        .await
        .map_err(|error| opening_fault(path, error))?
        .and_then(|row| row.try_get::<String, _>(0).ok())
        .filter(|version| !version.is_empty())
        .ok_or_else(|| Fault::NotEncrypted { path: path.to_owned() })?;
    let connections = Connections::new(
        SqlxSqliteConnector::from_sqlx_sqlite_pool(read),
        SqlxSqliteConnector::from_sqlx_sqlite_pool(write),
    );
    Ok((connections, version))
}

fn connect_options(path: &Path, key: &SecretSlice<u8>) -> Result<SqliteConnectOptions, Fault> {
    let thread = last_threads::name();
    Ok(SqliteConnectOptions::new()
        .filename(path)
        .thread_name(move |_| thread.clone())
        .pragma("key", format!("\"{}\"", raw_key(key)?.as_str()))
        .busy_timeout(BUSY)
        .synchronous(SqliteSynchronous::Full)
        // Sorting must not spill plain text to a file.
        .pragma("temp_store", "MEMORY")
        .pragma("cache_size", "-4000")
        // sqlx logs statements, and the first one is the key.
        .disable_statement_logging())
}

/// One connection outside the pools, to a file that exists.
pub(crate) async fn single(
    path: &Path,
    key: &SecretSlice<u8>,
    read_only: bool,
) -> Result<SqliteConnection, Fault> {
    // References are checked by who wrote the rows; a copy keeps them as they are.
    let options = connect_options(path, key)?.foreign_keys(false).read_only(read_only);
    let mut connection = options.connect().await.map_err(|error| opening_fault(path, error))?;
    believe(&mut connection, false).await.map_err(|error| opening_fault(path, error))?;
    Ok(connection)
}

/// Whether this key decrypts the file's first page.
pub(crate) async fn opens(path: &Path, key: &SecretSlice<u8>) -> Result<bool, Fault> {
    match single(path, key, false).await {
        Ok(connection) => {
            connection.close().await?;
            Ok(true)
        }
        Err(Fault::KeyDoesNotFit { .. }) => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Every page authenticates, and what they hold is a sound database.
pub(crate) async fn check_integrity(connection: &mut SqliteConnection, path: &Path) -> Result<(), Fault> {
    let damaged = || Fault::Damaged { path: path.to_owned() };
    let pages = sqlx::query("PRAGMA cipher_integrity_check").fetch_all(&mut *connection).await;
    let sound: Result<Vec<String>, _> =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut *connection).await;
    match (pages, sound) {
        (Ok(pages), Ok(sound)) if pages.is_empty() && sound == ["ok"] => Ok(()),
        (Err(error), _) | (_, Err(error)) => match Fault::from(error) {
            Fault::Damaged { .. } => Err(damaged()),
            fault => Err(fault),
        },
        _ => Err(damaged()),
    }
}

/// A raw key, as SQLCipher wants it: no key derivation, 64 hexadecimal digits.
pub(crate) fn raw_key(key: &SecretSlice<u8>) -> Result<Zeroizing<String>, Fault> {
    let key = key.expose_secret();
    if key.len() != 32 {
        return Err(Fault::KeyLength { length: key.len() });
    }
    let mut text = Zeroizing::new(String::with_capacity(67));
    text.push_str("x'");
    for byte in key {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\'');
    Ok(text)
}

/// Looks at the file before `SQLite` does: makes a missing one with mode 0600, refuses a plain and an empty one.
async fn examine(path: &Path) -> Result<(), Fault> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(file_fault(path, &error)),
    }
    // Another process may have made the file a moment ago and not yet written its first page.
    for _ in 0..100 {
        let mut head = [0; PLAIN.len()];
        let mut file = File::open(path).map_err(|error| file_fault(path, &error))?;
        let length = file.metadata().map_err(|error| file_fault(path, &error))?.len();
        if length > 0 {
            return match file.read_exact(&mut head) {
                Ok(()) if &head == PLAIN => Err(Fault::NotEncrypted { path: path.to_owned() }),
                // Pages are written whole, unless the machine failed; then the log beside the file has them.
                Ok(()) if length >= PAGE && (length.is_multiple_of(PAGE) || log_beside(path)) => Ok(()),
                _ => Err(Fault::Damaged { path: path.to_owned() }),
            };
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(Fault::Empty { path: path.to_owned() })
}

fn log_beside(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Path::new(&log).metadata().is_ok_and(|log| log.len() > 0)
}

/// The checks of every new connection; the writer also sees to the journal.
async fn believe(connection: &mut SqliteConnection, writes: bool) -> Result<(), sqlx::Error> {
    let version = sqlx::query("PRAGMA cipher_version").fetch_optional(&mut *connection).await?;
    let version = version.and_then(|row| row.try_get::<String, _>(0).ok()).unwrap_or_default();
    if version.is_empty() {
        return Err(sqlx::Error::Configuration(NO_CIPHER.into()));
    }
    sqlx::query("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *connection).await?;
    if writes {
        sqlx::query("PRAGMA journal_mode = WAL").fetch_one(&mut *connection).await?;
    }
    Ok(())
}

const NO_CIPHER: &str = "the SQLite library cannot encrypt";

fn opening_fault(path: &Path, error: sqlx::Error) -> Fault {
    let path = || path.to_owned();
    match &error {
        sqlx::Error::Configuration(inner) if inner.to_string() == NO_CIPHER => {
            Fault::NotEncrypted { path: path() }
        }
        sqlx::Error::Database(inner) => match inner.code().as_deref() {
            // SQLITE_NOTADB: the first page does not authenticate under this key.
            Some("26") => Fault::KeyDoesNotFit { path: path() },
            Some("11") => Fault::Damaged { path: path() },
            _ => Fault::from(error),
        },
        _ => Fault::from(error),
    }
}

fn file_fault(path: &Path, error: &std::io::Error) -> Fault {
    Fault::Unavailable(format!("cannot open {}: {error}", path.display()))
}
