//! An SQLCipher file, opened by the auditor's own connection.

use std::path::Path;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

use crate::database::shape::names_a_password;
use crate::database::{Found, Needles};

/// A raw key's length; a key file of twice that holds the key in use and the one of a change that is under way.
pub(crate) const KEY: usize = 32;

/// Opens a file read-only, with a raw key or without any, and reads its schema: the first thing that needs the key. Of two
/// keys exactly one opens it, the later one first.
pub(crate) async fn open(path: &Path, key: Option<&[u8]>) -> Result<SqliteConnection, String> {
    if let Some((current, pending)) = key.filter(|key| key.len() == 2 * KEY).map(|key| key.split_at(KEY)) {
        return match open_with(path, Some(pending)).await {
            Ok(connection) => Ok(connection),
            Err(_) => open_with(path, Some(current)).await,
        };
    }
    open_with(path, key).await
}

async fn open_with(path: &Path, key: Option<&[u8]>) -> Result<SqliteConnection, String> {
    silence().await;
    let mut options = SqliteConnectOptions::new().filename(path).read_only(true).create_if_missing(false);
    if let Some(key) = key {
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        options = options.pragma("key", format!("\"x'{hex}'\""));
    }
    let mut connection =
        options.disable_statement_logging().connect().await.map_err(|error| reason(&error))?;
    match sqlx::query("SELECT count(*) FROM sqlite_schema").fetch_one(&mut connection).await {
        Ok(_) => Ok(connection),
        Err(error) => {
            let why = reason(&error);
            // The file stays as it is whatever closing says.
            let _closed = connection.close().await;
            Err(why)
        }
    }
}

/// SQLCipher writes every refused key to standard error. Here a refusal is what is looked for; the setting is the
/// process's, and must be made before a file is opened.
async fn silence() {
    static DONE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    let quiet = || async {
        let options = SqliteConnectOptions::new().in_memory(true).pragma("cipher_log_level", "NONE");
        if let Ok(connection) = options.connect().await {
            let _closed = connection.close().await;
        }
    };
    DONE.get_or_init(quiet).await;
}

/// The database's own words; they never contain the key.
pub(crate) fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}

/// What is wrong with a file's pages: each must authenticate under the key, and together they must be a sound database.
/// Nothing where that is so.
pub(crate) async fn damage(connection: &mut SqliteConnection) -> Vec<String> {
    const SOUND: [(&str, &[&str]); 2] =
        [("PRAGMA cipher_integrity_check", &[]), ("PRAGMA integrity_check", &["ok"])];
    let mut damage = Vec::new();
    for (question, sound) in SOUND {
        let said: Result<Vec<String>, _> = sqlx::query_scalar(question).fetch_all(&mut *connection).await;
        match said {
            Ok(said) if said == sound => {}
            Ok(said) if said.is_empty() => damage.push(format!("{question} said nothing")),
            Ok(said) => damage.extend(said),
            Err(error) => damage.push(reason(&error)),
        }
    }
    damage
}

/// Reads every text and binary value.
pub(crate) async fn scan(path: &Path, key: &[u8], needles: &Needles) -> Result<Found, String> {
    let mut connection = open(path, Some(key)).await?;
    let found = read(&mut connection, needles).await.map_err(|error| reason(&error));
    let _closed = connection.close().await;
    found
}

async fn read(connection: &mut SqliteConnection, needles: &Needles) -> Result<Found, sqlx::Error> {
    let mut found = Found::default();
    let columns = sqlx::query(
        "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS c \
         WHERE t.type = 'table' ORDER BY t.name, c.cid",
    )
    .fetch_all(&mut *connection)
    .await?;
    for column in columns {
        let (table, name): (String, String) = (column.try_get(0)?, column.try_get(1)?);
        if name.to_lowercase().contains("salt") && !names_a_password(&name) {
            found.salted_tables.insert(table.clone());
        }
        let sql = format!(
            "SELECT CAST({c} AS BLOB) FROM {t} WHERE typeof({c}) IN ('text', 'blob')",
            c = quoted(&name),
            t = quoted(&table)
        );
        let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *connection);
        loop {
            match rows.try_next().await {
                Ok(Some(row)) => found.see(needles, &table, &name, row.try_get::<&[u8], _>(0)?),
                Ok(None) => break,
                Err(error) => {
                    found.unread.push(format!("{table}.{name} ({})", reason(&error)));
                    break;
                }
            }
        }
    }
    Ok(found)
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
