//! Opening the store: where it lies, which engine, which key.

use crate::Fault;
use secrecy::{SecretSlice, SecretString};
use std::path::PathBuf;

/// Where the store lies.
#[derive(Clone, Debug)]
pub enum Location {
    /// One encrypted file.
    SqlCipher {
        /// The database file; made at first start, mode 0600. Its folder exists already.
        path: PathBuf,
        /// The raw 256-bit key.
        key: SecretSlice<u8>,
    },
    /// A PostgreSQL database.
    Postgres {
        /// `postgres://role@host:port/database?sslmode=…`, without a password.
        url: String,
        /// The role's password.
        password: SecretString,
    },
}

/// What may be set besides the place.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections to PostgreSQL at most.
    pub connections: u32,
    /// Upper limit of the SQLCipher file in pages of 4096 bytes: `PRAGMA max_page_count`.
    pub maximum_pages: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 10, maximum_pages: None }
    }
}

/// The engine in use, as `check` and the audit name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQLCipher.
    SqlCipher {
        /// What `PRAGMA cipher_version` says; never empty.
        cipher_version: String,
    },
    /// PostgreSQL.
    Postgres,
}

/// The one store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    engine: Engine,
}

impl Store {
    /// Opens the store, checks that the key fits, and brings the schema up to date.
    pub async fn open(location: &Location) -> Result<Self, Fault> {
        Self::open_with(location, &Options::default()).await
    }

    /// As [`Store::open`], with limits.
    pub async fn open_with(_location: &Location, _options: &Options) -> Result<Self, Fault> {
        pending()
    }

    /// The engine in use.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), Fault> {
        pending()
    }

    /// Finishes what runs and closes every connection; SQLCipher folds its log into the file.
    pub async fn close(&self) {}
}

pub(crate) fn pending<T>() -> Result<T, Fault> {
    Err(Fault::Unavailable("this operation is being built".to_owned()))
}
