//! The ledger's functions, called. Verifiers and names go as bound parameters, so that no statement's text holds them.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{PgConnection, Row as _};

use super::{Kind, LedgerError};
use crate::{sql, verifier::is_verifier};

/// How often a retirement is repeated for sessions that logged in while it ran.
const PASSES: usize = 5;

/// Answers the names of those who own something in the ledger's schema and are no administrators, as JSON.
pub(super) const OTHERS: &str = include_str!("others.sql");

/// One row of `portcullis.slot`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The role.
    pub role: String,
    /// What it is.
    pub kind: Kind,
    /// The generation of its password; 0 before the first.
    pub generation: i64,
    /// Hex SHA-256 of its verifier, where the ledger set it and it is not retired.
    pub fingerprint: Option<String>,
    /// When its password was set, Unix seconds of the server's clock.
    pub set_at: Option<i64>,
    /// When its password ends, Unix seconds; none where it does not.
    pub valid_until: Option<i64>,
    /// When it was retired, Unix seconds.
    pub retired_at: Option<i64>,
}

/// What the server stores about a role's password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCredential {
    /// The role.
    pub role: String,
    /// Whether it may log in.
    pub can_login: bool,
    /// Whether it is a superuser.
    pub superuser: bool,
    /// `scram`, `md5` or `none`; none here where the server does not let anybody know: not proven.
    pub kind: Option<String>,
    /// SCRAM's iterations.
    pub iterations: Option<i32>,
    /// Hex SHA-256 of the stored verifier.
    pub fingerprint: Option<String>,
    /// Unix seconds; none where the password does not end.
    pub valid_until: Option<i64>,
}

/// Who owns something in the ledger's schema and is no administrator. Whoever may make schemas could lay out a ledger
/// before adoption does, and wait for an administrator to read it.
pub(crate) async fn others(connection: &mut PgConnection) -> Result<Vec<String>, LedgerError> {
    // By the simple protocol: it passes a pooler in transaction mode, too.
    let names: String = match sqlx::raw_sql(OTHERS).fetch_one(connection).await {
        Ok(row) => row.try_get(0)?,
        // Where roles are kept secret, only an ordinary role may not look: it has no rights that it could lose.
        Err(error) if sql::code(&error).as_deref() == Some("42501") => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    serde_json::from_str(&names).map_err(|error| LedgerError::Database(error.to_string()))
}

async fn is_ours(connection: &mut PgConnection) -> Result<(), LedgerError> {
    match others(connection).await?.first() {
        Some(other) => Err(LedgerError::Foreign(other.clone())),
        None => Ok(()),
    }
}

/// Gives a slot a new password by its verifier and lets it log in. `expect` is the newest generation of the whole
/// ledger ([`newest_generation`]), `new` a greater one; `valid` ends the password (1 hour to 400 days), none never.
/// Called by a session of the other slot, of the former role or of the administrator. The same call again is fine as
/// long as nothing newer has happened. Answers when the password was set: Unix seconds of the server's clock.
///
/// # Errors
/// [`LedgerError::Moved`] when another rotation was faster; [`LedgerError::OwnSlot`], [`LedgerError::NotOurs`],
/// [`LedgerError::NotAVerifier`] (nothing was sent then), or what the server says.
pub async fn rotate(
    connection: &mut PgConnection,
    role: &str,
    verifier: &SecretString,
    expect: i64,
    new: i64,
    valid: Option<Duration>,
) -> Result<i64, LedgerError> {
    const TEXT: &str =
        "select extract(epoch from portcullis.rotate($1, $2, $3, $4, $5 * interval '1 second'))::bigint";
    change(connection, TEXT, role, verifier, (expect, new), valid).await
}

/// The same for the platform's own role, whose generations are counted apart. Called by the administrator, alone and
/// last: the credential in use is what changes.
///
/// # Errors
/// As [`rotate`].
pub async fn rotate_administrator(
    connection: &mut PgConnection,
    role: &str,
    verifier: &SecretString,
    expect: i64,
    new: i64,
    valid: Option<Duration>,
) -> Result<i64, LedgerError> {
    const TEXT: &str = "select extract(epoch from \
        portcullis.rotate_administrator($1, $2, $3, $4, $5 * interval '1 second'))::bigint";
    is_ours(connection).await?;
    change(connection, TEXT, role, verifier, (expect, new), valid).await
}

async fn change(
    connection: &mut PgConnection,
    text: &'static str,
    role: &str,
    verifier: &SecretString,
    (expect, new): (i64, i64),
    valid: Option<Duration>,
) -> Result<i64, LedgerError> {
    if !is_verifier(verifier.expose_secret()) {
        // The server would refuse it too, but with log_statement = all it would write the parameters down first.
        return Err(LedgerError::NotAVerifier);
    }
    let seconds = match valid {
        Some(valid) => Some(
            i32::try_from(valid.as_secs())
                .map_err(|_| LedgerError::Argument("a password ends within 400 days, or never".into()))?,
        ),
        None => None,
    };
    let set_at = sqlx::query_scalar(text)
        .bind(role)
        .bind(verifier.expose_secret())
        .bind(expect)
        .bind(new)
        .bind(seconds)
        .fetch_one(connection)
        .await?;
    Ok(set_at)
}

/// Ends a credential that nobody uses any more: no password, no login, its sessions terminated. `generation` is that of
/// the credential which ends. Repeats itself for logins that were under way; not inside a transaction. Answers how many
/// sessions it ended.
///
/// # Errors
/// [`LedgerError::Moved`] when that role has a newer generation, or the newest; [`LedgerError::SessionsLeft`]; as
/// [`rotate`].
pub async fn retire(connection: &mut PgConnection, role: &str, generation: i64) -> Result<i32, LedgerError> {
    let mut ended = 0;
    for _ in 0..PASSES {
        ended += sqlx::query_scalar::<_, i32>("select portcullis.retire($1, $2)")
            .bind(role)
            .bind(generation)
            .fetch_one(&mut *connection)
            .await?;
        if sessions(connection, role).await? == 0 {
            return Ok(ended);
        }
    }
    Err(LedgerError::SessionsLeft { role: role.to_owned(), left: sessions(connection, role).await? })
}

/// How many sessions a role of the ledger has, the calling one excluded.
///
/// # Errors
/// [`LedgerError::NotOurs`], or what the server says.
pub async fn sessions(connection: &mut PgConnection, role: &str) -> Result<i32, LedgerError> {
    Ok(sqlx::query_scalar("select portcullis.sessions($1)").bind(role).fetch_one(connection).await?)
}

/// What the server stores of every role's password, by `portcullis.credentials()`.
///
/// # Errors
/// What the server says.
pub async fn credentials(connection: &mut PgConnection) -> Result<Vec<StoredCredential>, LedgerError> {
    const TEXT: &str = "select role_name, can_login, superuser, kind, iterations, fingerprint, \
        extract(epoch from valid_until)::bigint from portcullis.credentials() order by role_name";
    is_ours(connection).await?;
    let rows = sqlx::query(TEXT).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(StoredCredential {
                role: row.try_get(0)?,
                can_login: row.try_get(1)?,
                superuser: row.try_get(2)?,
                kind: row.try_get(3)?,
                iterations: row.try_get(4)?,
                fingerprint: row.try_get(5)?,
                valid_until: row.try_get(6)?,
            })
        })
        .collect()
}

/// The roles that the ledger looks after.
///
/// # Errors
/// [`LedgerError::Missing`] where there is no ledger, [`LedgerError::Foreign`], or what the server says.
pub async fn slots(connection: &mut PgConnection) -> Result<Vec<Slot>, LedgerError> {
    const TEXT: &str = "select role_name, kind, generation, fingerprint, extract(epoch from set_at)::bigint, \
        extract(epoch from valid_until)::bigint, extract(epoch from retired_at)::bigint \
        from portcullis.slot order by role_name";
    is_ours(connection).await?;
    let rows = sqlx::query(TEXT).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let kind: String = row.try_get(1)?;
            let kind = Kind::parse(&kind).ok_or_else(|| {
                LedgerError::Database(format!("the ledger has an unknown kind of role: {kind}"))
            })?;
            Ok(Slot {
                role: row.try_get(0)?,
                kind,
                generation: row.try_get(2)?,
                fingerprint: row.try_get(3)?,
                set_at: row.try_get(4)?,
                valid_until: row.try_get(5)?,
                retired_at: row.try_get(6)?,
            })
        })
        .collect()
}

/// The newest generation of the slots and the former role: what the next [`rotate`] must expect.
///
/// # Errors
/// As [`slots`].
pub async fn newest_generation(connection: &mut PgConnection) -> Result<i64, LedgerError> {
    const TEXT: &str = "select max(generation) from portcullis.slot where kind <> 'administrator'";
    is_ours(connection).await?;
    let newest: Option<i64> = sqlx::query_scalar(TEXT).fetch_one(connection).await?;
    newest.ok_or(LedgerError::Missing)
}
