//! The store's handle: which engine, where, and the connections behind it.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use sea_orm::DatabaseConnection;
use secrecy::{SecretSlice, SecretString};
use tokio::sync::Notify;

use crate::{Fault, migrations, postgres, sqlcipher};

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
        /// `postgres://role@host:port/database?sslmode=…`, without a password. `sslmode` is `prefer` unless said.
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

/// The one store. Cheap to clone: every clone is the same store.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    /// The file, where there is one: faults name it.
    pub(crate) path: Option<PathBuf>,
    /// Behind a swap, since a new key or password needs new connections while requests run.
    pub(crate) connections: ArcSwap<Connections>,
    /// Wakes who waits for a change in this process.
    pub(crate) changed: Notify,
}

/// `SQLite` has one writer at a time, so the pool that writes has one connection; on PostgreSQL both are the same pool.
pub(crate) struct Connections {
    pub(crate) read: DatabaseConnection,
    pub(crate) write: DatabaseConnection,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Store").field("engine", &self.inner.engine).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store, checks that the key fits, and brings the schema up to date.
    ///
    /// # Errors
    /// [`Fault::KeyDoesNotFit`], [`Fault::NotEncrypted`], [`Fault::Damaged`], [`Fault::Empty`], [`Fault::KeyLength`] and
    /// [`Fault::Newer`] say what is wrong with a file; [`Fault::CredentialsRefused`] and [`Fault::Unavailable`] what is
    /// wrong with a server.
    pub async fn open(location: &Location) -> Result<Self, Fault> {
        Self::open_with(location, &Options::default()).await
    }

    /// As [`Store::open`], with limits.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub async fn open_with(location: &Location, options: &Options) -> Result<Self, Fault> {
        let (engine, path, connections) = match location {
            Location::SqlCipher { path, key } => {
                let (connections, cipher_version) = sqlcipher::open(path, key, options).await?;
                (Engine::SqlCipher { cipher_version }, Some(path.clone()), connections)
            }
            Location::Postgres { url, password } => {
                (Engine::Postgres, None, postgres::open(url, password, options).await?)
            }
        };
        let store = Self {
            inner: Arc::new(Inner {
                engine,
                path,
                connections: ArcSwap::from_pointee(connections),
                changed: Notify::new(),
            }),
        };
        if let Err(fault) = migrations::bring_up_to_date(&store).await {
            store.close().await;
            return Err(fault);
        }
        Ok(store)
    }

    /// The engine in use.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when none comes.
    pub async fn ping(&self) -> Result<(), Fault> {
        self.read(move |database| async move {
            let database = &database;
            sea_orm::ConnectionTrait::execute_unprepared(database, "SELECT 1").await?;
            Ok(())
        })
        .await
    }

    /// Finishes what runs and closes every connection; SQLCipher folds its log into the file.
    pub async fn close(&self) {
        let connections = self.inner.connections.load_full();
        // The writer last: who closes last folds the log, and may write. A second close is no news.
        let _ = connections.read.close_by_ref().await;
        let _ = connections.write.close_by_ref().await;
    }
}
