//! The ledger that adoption leaves in a managed database: schema `portcullis`, which says which roles are ours and how
//! old their passwords are, and the functions that alone change them.
//!
//! The functions are the fence: they compare generations under row locks, so that of any number of racing nodes one
//! wins. What they are asked with is a SCRAM-SHA-256 verifier (RFC 5803); a clear password never reaches the server.

mod calls;
mod install;
mod names;

pub(crate) use calls::others;
pub use calls::{
    Slot, StoredCredential, credentials, newest_generation, retire, rotate, rotate_administrator, sessions,
    slots,
};
pub use install::{ROTATOR, Server, Statement, install, statements};
pub(crate) use install::{as_member, own_grant};
pub use names::{Kind, Names, NamesError};

use crate::sql;

/// Why the ledger did not do what it was asked. Never contains a password or a verifier.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Another node was faster (SQLSTATE 40001): read the ledger again.
    #[error("the generation of the database's credentials has moved on: another rotation was faster")]
    Moved,
    /// The session has logged in as the very role that would change.
    #[error("the credential in use is never changed: log in as the other role")]
    OwnSlot,
    /// No slot of this ledger.
    #[error("the role is not one of those that the ledger looks after")]
    NotOurs,
    /// What should be a verifier is none; it was not sent.
    #[error("not a SCRAM-SHA-256 verifier: a clear password never goes to the server")]
    NotAVerifier,
    /// A generation or a period that cannot be.
    #[error("{0}")]
    Argument(String),
    /// There is no ledger in this database, or not for this role.
    #[error("the database has no ledger for this role: run `portcullis database adopt`")]
    Missing,
    /// A schema of the ledger's name that no administrator has made: nothing in it is read or called.
    #[error(
        "the schema portcullis of this database is not ours: {0}, no administrator, owns something in it; rename it, or \
         give it back to the administrator"
    )]
    Foreign(String),
    /// Sessions of a retired role did not go away.
    #[error("{left} sessions of the retired role {role} are still there: end them, then try again")]
    SessionsLeft {
        /// The role.
        role: String,
        /// How many are left.
        left: i32,
    },
    /// Locks or the connection: trying again later may help.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// Anything else that the server said.
    #[error("the database refused: {0}")]
    Database(String),
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(inner) = &error else { return Self::Unavailable(sql::reason(&error)) };
        match inner.code().as_deref() {
            Some("40001" | "40P01") => Self::Moved,
            Some("PC001") => Self::OwnSlot,
            Some("PC002") => Self::NotOurs,
            Some("PC003") => Self::NotAVerifier,
            Some("PC004") => Self::Argument(inner.message().to_owned()),
            // No such schema, no such function or table; EXECUTE or USAGE refused.
            Some("3F000" | "42883" | "42P01" | "42501") => Self::Missing,
            // Lock not available, statement timeout, administrator's shutdown, too many connections.
            Some(code) if ["55P03", "57", "53", "08"].iter().any(|class| code.starts_with(class)) => {
                Self::Unavailable(inner.message().to_owned())
            }
            _ => Self::Database(inner.message().to_owned()),
        }
    }
}
