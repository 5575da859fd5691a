//! The store's handle: which engine, where, and the connections behind it.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use secrecy::{SecretSlice, SecretString};
use tokio::sync::{Mutex, Notify};

use crate::connections::Connections;
use crate::{CredentialSource, Fault, migrations, postgres, sqlcipher};

/// Where the store lies.
#[derive(Clone)]
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

/// Without the key, and without a password that somebody left in the URL.
impl std::fmt::Debug for Location {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SqlCipher { path, .. } => {
                formatter.debug_struct("SqlCipher").field("path", path).finish_non_exhaustive()
            }
            Self::Postgres { url, .. } => formatter
                .debug_struct("Postgres")
                .field("url", &without_password(url))
                .finish_non_exhaustive(),
        }
    }
}

/// The URL as far as it is no secret: what stands between the name and the `@`, and the parameters' values, are left out.
fn without_password(url: &str) -> String {
    let (place, parameters) = url.split_once('?').map_or((url, None), |(place, rest)| (place, Some(rest)));
    let (scheme, rest) = place.split_once("://").unwrap_or(("", place));
    // The last one: a careless password may hold an `@` or a `/` itself.
    let shown = match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:…@{host}"),
            None => rest.to_owned(),
        },
        None => rest.to_owned(),
    };
    // A careless password may hold a `?` too: then it goes on in what looks like parameters.
    let parameters = parameters.map_or("", |_| "?…");
    format!("{scheme}://{shown}{parameters}")
}

/// What may be set besides the place.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections to PostgreSQL at most.
    pub connections: u32,
    /// Upper limit of the SQLCipher file in pages of 4096 bytes: `PRAGMA max_page_count`.
    pub maximum_pages: Option<u32>,
    /// The longest life of a connection to PostgreSQL: after a change of password none with the old one is older.
    pub lifetime: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 10, maximum_pages: None, lifetime: Duration::from_secs(15 * 60) }
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
    pub(crate) options: Options,
    /// Wakes who waits for a change in this process.
    pub(crate) changed: Notify,
    /// Where a refused credential is read again.
    pub(crate) source: RwLock<Option<Arc<dyn CredentialSource>>>,
    /// One at a time asks there.
    pub(crate) renewing: Mutex<()>,
    /// How often that has been done.
    pub(crate) renewals: AtomicU64,
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
                options: options.clone(),
                changed: Notify::new(),
                source: RwLock::default(),
                renewing: Mutex::default(),
                renewals: AtomicU64::new(0),
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
        self.inner.connections.load_full().close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_prints_no_password() {
        for url in [
            "postgres://app:Vg7secret@db:5432/app",
            "postgres://app:Vg7@secret@db:5432/app",
            "postgres://app:Vg7/secret@db:5432/app?sslmode=require",
            "postgres://app:Vg7?secret@db:5432/app",
            "postgres://app@db/app?password=Vg7secret",
            "app:Vg7secret@db",
        ] {
            let location = Location::Postgres { url: url.to_owned(), password: "Vg7secret".into() };
            let printed = format!("{location:?}");
            assert!(!printed.contains("Vg7") && !printed.contains("secret"), "{url}: {printed}");
            assert!(printed.contains("app"), "{printed}");
        }
        let plain = Location::Postgres { url: "postgres://app@db:5432/app".to_owned(), password: "x".into() };
        assert!(format!("{plain:?}").contains("postgres://app@db:5432/app"));
    }
}
