//! What administration can refuse, and what can fail below it.

use std::path::PathBuf;

use accounts::password::{HashError, PasswordRejection};
use accounts::user::EmailError;

/// A refusal names the thing and the remedy; [`Error::Store`] and [`Error::Hash`] are faults of ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Fault),
    /// A password could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// No such thing.
    #[error("there is no {kind} {name}{}", among(.known))]
    Unknown {
        /// `api`, `role`, `application`, `user` or `key`.
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// What there is, where that is a short list; never users.
        known: Vec<String>,
    },
    /// An API does not define this scope.
    #[error("the api {api} has no scope {scope}; it has: {}", list(.known))]
    UnknownScope {
        /// The API's identifier.
        api: String,
        /// The scope.
        scope: String,
        /// The scopes that it has.
        known: Vec<String>,
    },
    /// The name is taken.
    #[error("the {kind} {name} exists already; change it with update")]
    Exists {
        /// `api`, `role`, `application`, `user` or `key`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A value breaks a rule.
    #[error("{what}: {why}")]
    Invalid {
        /// The field, and the thing that it belongs to.
        what: String,
        /// The rule, and what would do.
        why: String,
    },
    /// The address is none that we take.
    #[error(transparent)]
    Email(#[from] EmailError),
    /// The password is none that we take.
    #[error(transparent)]
    Password(#[from] PasswordRejection),
    /// A file cannot be read.
    #[error("{}: {why}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why, and the remedy.
        why: String,
    },
    /// A declaration is wrong, at a place.
    #[error("{file}:{line}:{column}: {message}")]
    Declared {
        /// The file as it was named.
        file: String,
        /// Line, from 1; 0 where it is not known.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// What is wrong, and the remedy.
        message: String,
    },
}

impl Error {
    pub(crate) fn invalid(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), why: why.into() }
    }

    /// Whether it is a fault of ours, and not of what was asked for.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Hash(_))
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn among(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; there are: {}", names.join(", ")) }
}
