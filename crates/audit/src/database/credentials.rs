//! How a PostgreSQL server stores its roles' passwords, and what the ledger in it says of their age. Facts alone: a
//! verifier never leaves the server.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::postgres::reason;

/// Unix seconds of a `timestamptz`; NULL for "never ends", 0 for "ended before all time".
macro_rules! epoch {
    ($column:literal) => {
        concat!(
            "CASE WHEN ",
            $column,
            " IS NULL OR ",
            $column,
            " = 'infinity' THEN NULL WHEN ",
            $column,
            " = '-infinity' THEN 0 ELSE extract(epoch FROM ",
            $column,
            ")::bigint END"
        )
    };
}

/// The function that adoption leaves for the auditor.
const FUNCTION: &str = concat!(
    "SELECT role_name::text, can_login, kind::text, iterations::bigint, fingerprint::text, ",
    epoch!("valid_until"),
    " FROM portcullis.credentials() ORDER BY 1"
);
/// The same from the catalogue, which superusers alone may read.
const CATALOGUE: &str = concat!(
    "SELECT rolname::text, rolcanlogin, CASE WHEN rolpassword IS NULL THEN 'none' \
     WHEN rolpassword LIKE 'SCRAM-SHA-256$%' THEN 'scram' WHEN rolpassword LIKE 'md5%' THEN 'md5' END, \
     substring(rolpassword FROM '^SCRAM-SHA-256[$]([0-9]{1,9}):')::bigint, \
     encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex'), ",
    epoch!("rolvaliduntil"),
    " FROM pg_authid ORDER BY 1"
);
const ROTATIONS: &str = concat!(
    "SELECT role_name::text, generation, fingerprint::text, extract(epoch FROM set_at)::bigint, ",
    epoch!("valid_until"),
    " FROM portcullis.rotation ORDER BY 2, 1"
);

/// What is stored for one role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) role: String,
    pub(crate) can_login: bool,
    /// `scram`, `md5`, `none`; none where it is not known.
    pub(crate) kind: Option<String>,
    pub(crate) iterations: Option<i64>,
    /// Hex SHA-256 of the verifier.
    pub(crate) fingerprint: Option<String>,
    /// Unix seconds after which the server refuses the password.
    pub(crate) valid_until: Option<i64>,
}

/// One row of the ledger: a password that the steward made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rotation {
    pub(crate) role: String,
    pub(crate) generation: i64,
    pub(crate) fingerprint: String,
    /// Unix seconds.
    pub(crate) set_at: i64,
    pub(crate) valid_until: Option<i64>,
}

/// A role that the steward looks after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) role: String,
    /// `slot`, `legacy`, `owner` or `administrator`.
    pub(crate) kind: String,
    pub(crate) generation: i64,
    /// Whether the steward ended its credential.
    pub(crate) retired: bool,
}

/// What is known of a server's passwords; each part may be out of reach.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// Every role; a row that cannot be read is its reason.
    pub(crate) stored: Result<Vec<Result<Stored, String>>, String>,
    pub(crate) rotations: Result<Vec<Rotation>, String>,
    pub(crate) slots: Result<Vec<Slot>, String>,
    /// Sessions by role, the auditor's own not counted.
    pub(crate) sessions: Result<BTreeMap<String, i64>, String>,
    /// The server's own clock, Unix seconds: a ledger and the auditor's machine may disagree about the time.
    pub(crate) now: Result<i64, String>,
}

impl Credentials {
    pub(crate) async fn read(connection: &mut PgConnection) -> Self {
        Self {
            stored: stored(connection).await,
            rotations: rows(connection, ROTATIONS, rotation).await,
            slots: rows(
                connection,
                "SELECT role_name::text, kind::text, generation, retired_at IS NOT NULL FROM portcullis.slot",
                slot,
            )
            .await,
            sessions: rows(
                connection,
                "SELECT usename::text, count(*) FROM pg_stat_activity \
                 WHERE usename IS NOT NULL AND pid <> pg_backend_pid() GROUP BY 1",
                |row| Ok((row.try_get(0)?, row.try_get(1)?)),
            )
            .await
            .map(|rows| rows.into_iter().collect()),
            now: rows(connection, "SELECT extract(epoch FROM clock_timestamp())::bigint", |row| {
                row.try_get(0)
            })
            .await
            .and_then(|rows| rows.first().copied().ok_or_else(|| "the server told no time".to_owned())),
        }
    }

    /// The newest row of the ledger for a role.
    pub(crate) fn latest(&self, role: &str) -> Option<&Rotation> {
        let rotations = self.rotations.as_ref().ok()?;
        rotations.iter().filter(|rotation| rotation.role == role).max_by_key(|rotation| rotation.generation)
    }

    /// Whether the password that a role has now is one that the steward made: the fingerprint of the live verifier is the
    /// one of the ledger's newest row.
    pub(crate) fn made_here(&self, stored: &Stored) -> bool {
        self.latest(&stored.role)
            .is_some_and(|rotation| stored.fingerprint.as_ref() == Some(&rotation.fingerprint))
    }
}

async fn stored(connection: &mut PgConnection) -> Result<Vec<Result<Stored, String>>, String> {
    let mut why = String::new();
    for sql in [FUNCTION, CATALOGUE] {
        match sqlx::query(sql).fetch_all(&mut *connection).await {
            Ok(rows) => {
                let read = |row: &PgRow| {
                    Ok::<_, sqlx::Error>(Stored {
                        role: row.try_get(0)?,
                        can_login: row.try_get(1)?,
                        kind: row.try_get(2)?,
                        iterations: row.try_get(3)?,
                        fingerprint: row.try_get(4)?,
                        valid_until: row.try_get(5)?,
                    })
                };
                return Ok(rows.iter().map(|row| read(row).map_err(|error| reason(&error))).collect());
            }
            Err(error) => why = reason(&error),
        }
    }
    Err(why)
}

async fn rows<T>(
    connection: &mut PgConnection,
    sql: &'static str,
    read: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, String> {
    let rows = sqlx::query(sql).fetch_all(connection).await.map_err(|error| reason(&error))?;
    rows.iter().map(|row| read(row).map_err(|error| reason(&error))).collect()
}

fn rotation(row: &PgRow) -> Result<Rotation, sqlx::Error> {
    Ok(Rotation {
        role: row.try_get(0)?,
        generation: row.try_get(1)?,
        fingerprint: row.try_get(2)?,
        set_at: row.try_get(3)?,
        valid_until: row.try_get(4)?,
    })
}

fn slot(row: &PgRow) -> Result<Slot, sqlx::Error> {
    Ok(Slot {
        role: row.try_get(0)?,
        kind: row.try_get(1)?,
        generation: row.try_get(2)?,
        retired: row.try_get(3)?,
    })
}
