//! A copy of the store, as `portcullis backup` writes it: an SQLCipher file with a list of its contents, read by the auditor's
//! own SQL. Nothing is written, and nothing restored.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::ExposeSecret as _;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use crate::config::Location;
use crate::database::postgres::{self, Refusal};
use crate::database::sqlcipher::{self, KEY};

/// `application_id` of a copy: `portcullis restore` refuses every other file.
const APPLICATION: i64 = 0x706f_7274;
/// The copy's list of its own contents.
pub(crate) const CONTENTS: &str = "backup_contents";
/// Those of a run of the audit come and go: they are counted nowhere.
const USERS: &str = "SELECT count(*) FROM users WHERE email NOT LIKE 'audit-%@example.com'";

/// What a copy showed that its key opened.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    /// What is wrong with its pages; nothing where they are sound.
    pub(crate) damage: Vec<String>,
    /// How a wrong key was refused; none: it opened the copy, too.
    pub(crate) wrong_key: Option<String>,
    /// What is in it, or why that could not be read.
    pub(crate) held: Result<Held, String>,
}

/// What a copy holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    /// Whether it says that it is a copy of a store.
    pub(crate) is_copy: bool,
    /// The rows of each table.
    pub(crate) tables: BTreeMap<String, i64>,
    /// How many its list says that each had.
    pub(crate) listed: BTreeMap<String, i64>,
    /// Its users.
    pub(crate) users: i64,
}

/// Opens a copy read-only with its key, and tries a wrong one; or says why the key does not open it.
pub(crate) async fn look(path: &Path, key: &[u8]) -> Result<Opened, String> {
    let mut connection = sqlcipher::open(path, Some(key)).await?;
    let damage = sqlcipher::damage(&mut connection).await;
    let held = read(&mut connection).await.map_err(|error| sqlcipher::reason(&error));
    let _closed = connection.close().await;
    // The right key with every bit turned.
    let wrong: Vec<u8> = key.iter().take(KEY).map(|byte| !byte).collect();
    let wrong_key = match sqlcipher::open(path, Some(&wrong)).await {
        Ok(connection) => {
            let _closed = connection.close().await;
            None
        }
        Err(why) => Some(why),
    };
    Ok(Opened { damage, wrong_key, held })
}

async fn read(connection: &mut SqliteConnection) -> Result<Held, sqlx::Error> {
    let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    let mut held = Held { is_copy: application == APPLICATION, ..Held::default() };
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'",
    )
    .fetch_all(&mut *connection)
    .await?;
    for name in names {
        let sql = format!("SELECT count(*) FROM {}", sqlcipher::quoted(&name));
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
        held.tables.insert(name, rows);
    }
    if held.tables.contains_key(CONTENTS) {
        let listed: Vec<(String, i64)> =
            sqlx::query_as("SELECT name, rows FROM backup_contents").fetch_all(&mut *connection).await?;
        held.listed = listed.into_iter().collect();
    }
    if held.tables.contains_key("users") {
        held.users = sqlx::query_scalar(USERS).fetch_one(&mut *connection).await?;
    }
    Ok(held)
}

/// How many users the live store has.
pub(crate) async fn users_of(store: &Location) -> Result<i64, String> {
    match store {
        Location::SqlCipher { path, key } => {
            let mut connection = sqlcipher::open(path, Some(key.expose_secret())).await?;
            let users: Result<i64, sqlx::Error> = sqlx::query_scalar(USERS).fetch_one(&mut connection).await;
            let _closed = connection.close().await;
            users.map_err(|error| sqlcipher::reason(&error))
        }
        Location::Postgres { url, password } => {
            let options = postgres::options(url, password.as_ref())?;
            let mut connection = postgres::connect(&options).await.map_err(|refusal| match refusal {
                Refusal::Login(code) => format!("the login was refused ({code})"),
                Refusal::Other(why) => why,
            })?;
            let users: Result<i64, sqlx::Error> = sqlx::query_scalar(USERS).fetch_one(&mut connection).await;
            let _closed = connection.close().await;
            users.map_err(|error| postgres::reason(&error))
        }
    }
}
