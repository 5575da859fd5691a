//! The store's handle: which engine, where, and the connections behind it.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use secrecy::{SecretSlice, SecretString};
use tokio::sync::{Mutex, Notify};

use crate::connections::Connections;
use crate::key_file::{self, Keys};
use crate::lock::FileLock;
use crate::{CredentialSource, Fault, migrations, postgres, rekey, sqlcipher};

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
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let shown = |text: &str| text.split_once('?').map_or(text.to_owned(), |(place, _)| format!("{place}?…"));
    // The last one: a careless password may hold an `@`, a `/` or a `?` itself.
    let place = match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once([':', '?']) {
            Some((name, _)) => format!("{name}:…@{}", shown(host)),
            None => format!("{user}@{}", shown(host)),
        },
        None => shown(rest),
    };
    format!("{scheme}://{place}")
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
    /// Tells a change of key by another process that the file is open.
    pub(crate) lock: std::sync::Mutex<Option<Arc<FileLock>>>,
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
        match location {
            Location::SqlCipher { path, key } => {
                let lock = FileLock::shared(path).await?;
                rekey::tidy(path);
                Self::open_file(path, key, options, Some(lock)).await
            }
            Location::Postgres { url, password } => {
                let connections = postgres::open(url, password, options).await?;
                Self::assemble(Engine::Postgres, None, connections, options, None).await
            }
        }
    }

    /// Opens a SQLCipher store whose key stands in `key_file`, which may hold two after a change of key that was cut short:
    /// then the one that decrypts the file is used, and the key file holds that one alone afterwards.
    ///
    /// # Errors
    /// Those of [`Store::open`], and [`Fault::KeyFile`].
    pub async fn open_with_key_file(path: &Path, key_file: &Path, options: &Options) -> Result<Self, Fault> {
        let lock = FileLock::shared(path).await?;
        rekey::tidy(path);
        let keys = key_file::read(key_file)?;
        let key = rekey::fitting(path, &keys).await?;
        if keys.pending.is_some() && path.exists() {
            // Where the key file cannot be written, it says the same as before: one of the two.
            let _ = key_file::write(key_file, &Keys::one(key.clone()));
        }
        Self::open_file(path, &key, options, Some(lock)).await
    }

    pub(crate) async fn open_file(
        path: &Path,
        key: &SecretSlice<u8>,
        options: &Options,
        lock: Option<FileLock>,
    ) -> Result<Self, Fault> {
        let (connections, cipher_version) = sqlcipher::open(path, key, options).await?;
        let engine = Engine::SqlCipher { cipher_version };
        Self::assemble(engine, Some(path.to_owned()), connections, options, lock).await
    }

    async fn assemble(
        engine: Engine,
        path: Option<PathBuf>,
        connections: Connections,
        options: &Options,
        lock: Option<FileLock>,
    ) -> Result<Self, Fault> {
        let store = Self {
            inner: Arc::new(Inner {
                engine,
                path,
                lock: std::sync::Mutex::new(lock.map(Arc::new)),
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
        drop(self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// The lock beside the file, as long as the store is open.
    pub(crate) fn file_lock(&self) -> Option<Arc<FileLock>> {
        self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_prints_no_password() {
        for url in [
            "postgres://app:Vg7secret@db:5432/app",  // portcullis:allow made up
            "postgres://app:Vg7@secret@db:5432/app", // portcullis:allow made up
            "postgres://app:Vg7/secret@db:5432/app?sslmode=require",
            "postgres://app:Vg7?secret@db:5432/app", // portcullis:allow made up
            "postgres://app@db/app?password=Vg7secret",
            "app:Vg7secret@db",
        ] {
            let location = Location::Postgres { url: url.to_owned(), password: "Vg7secret".into() }; // portcullis:allow made up
            let printed = format!("{location:?}");
            assert!(!printed.contains("Vg7") && !printed.contains("secret"), "{url}: {printed}");
            assert!(printed.contains("app"), "{printed}");
        }
        let plain = Location::Postgres { url: "postgres://app@db:5432/app".to_owned(), password: "x".into() };
        assert!(format!("{plain:?}").contains("postgres://app@db:5432/app"));
    }
}
