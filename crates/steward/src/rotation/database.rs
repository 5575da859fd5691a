//! What the configuration says of one database, and where time and randomness come from.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;

use crate::delivery::Place;

/// Tells the time in Unix seconds. It names moments in reports and heartbeats; ages and waits are measured by the
/// database's own clock.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Fills bytes with randomness nobody can predict, or fails.
pub type Fresh = Arc<dyn Fn(&mut [u8]) -> Result<(), super::Fault> + Send + Sync>;

/// A database whose credentials the steward looks after.
#[derive(Clone, Debug)]
pub struct Database {
    /// Its name in the configuration; `store` is Portcullis's own.
    pub name: String,
    /// `postgres://role@host:port/database?…`: straight to the server, not through a pooler.
    pub url: String,
    /// The password of the role in `url`, where the URL does not carry it: today's, or what was delivered last.
    pub password: Option<SecretString>,
    /// URL, password and all, of the role that the platform made.
    pub administrator: Option<SecretString>,
    /// Where that URL was read from; it is rewritten when that role's password changes.
    pub administrator_file: Option<PathBuf>,
    /// Seconds after which a password must have been replaced.
    pub maximum_password_age: i64,
    /// Whether the roles get a `VALID UNTIL`, after which the server itself lets nobody in.
    pub dead_man_switch: bool,
    /// Where the application reads its credential.
    pub secret: Option<Place>,
    /// Whether the journal lies in this very database: Portcullis's own store on PostgreSQL.
    pub own_store: bool,
    /// Seconds after delivery for which a silent application is waited for: one that has no session at all, old or
    /// new, is then taken to have adopted. Twice that with sessions of the old role left is an alarm.
    pub grace: i64,
    /// Seconds for which no session of the old role may have been seen before it is retired.
    pub quiet: i64,
}

impl Database {
    /// Seconds of [`Database::grace`] unless told otherwise: an hour, longer than pools keep a connection.
    pub const GRACE: i64 = 3_600;
    /// Seconds of [`Database::quiet`] unless told otherwise.
    pub const QUIET: i64 = 5;

    /// A database with 90 days, no dead man's switch, nothing delivered and no administrator.
    #[must_use]
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            password: None,
            administrator: None,
            administrator_file: None,
            maximum_password_age: 90 * 86_400,
            dead_man_switch: false,
            secret: None,
            own_store: false,
            grace: Self::GRACE,
            quiet: Self::QUIET,
        }
    }
}
