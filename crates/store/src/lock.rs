//! Who has the encrypted file open: a lock on `X.db.lock` beside it.
//!
//! Every opener holds it shared, a change of key holds it alone. It is released when the process ends, however it ends,
//! and the file stays: removing it would let two processes lock two files of one name. It exists for a clear message;
//! what keeps the data safe is that a change of key also demands `SQLite`'s own exclusive lock before it renames.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Fault;
use crate::key_file::owned_like;

/// How long an opener waits for a change of key.
const PATIENCE: Duration = Duration::from_secs(5);
/// Tries of who wants to be alone: one second.
const A_MOMENT: u32 = 50;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// The lock, held until dropped.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: File,
    store: PathBuf,
}

impl FileLock {
    /// As an opener; waits for a change of key that is under way, for five seconds.
    pub(crate) async fn shared(store: &Path) -> Result<Self, Fault> {
        let lock = Self { file: open(store)?, store: store.to_owned() };
        lock.share().await?;
        Ok(lock)
    }

    /// Alone, or not at all.
    pub(crate) async fn exclusive(store: &Path) -> Result<Self, Fault> {
        let lock = Self { file: open(store)?, store: store.to_owned() };
        lock.raise().await?;
        Ok(lock)
    }

    /// From shared to exclusive. When this fails the lock is lost, and [`FileLock::share`] must follow: the system lets go
    /// of the one before it tries the other.
    pub(crate) async fn raise(&self) -> Result<(), Fault> {
        // A process that is just being started by another thread has our files until it becomes another program.
        for _ in 0..A_MOMENT {
            match self.file.try_lock() {
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                outcome => return outcome.map_err(|error| self.fault(error, "")),
            }
        }
        let reason = "another process has it open: stop that one first";
        self.file.try_lock().map_err(|error| self.fault(error, reason))
    }

    /// To shared, from whatever it was.
    pub(crate) async fn share(&self) -> Result<(), Fault> {
        let tries = PATIENCE.as_millis() / PAUSE.as_millis();
        for _ in 1..tries {
            match self.file.try_lock_shared() {
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                outcome => return outcome.map_err(|error| self.fault(error, "")),
            }
        }
        let reason = "another process is changing its key: try again when that is done";
        self.file.try_lock_shared().map_err(|error| self.fault(error, reason))
    }

    fn fault(&self, error: TryLockError, reason: &'static str) -> Fault {
        match error {
            TryLockError::WouldBlock => Fault::InUse { path: self.store.clone(), reason },
            TryLockError::Error(error) => {
                Fault::Unavailable(format!("cannot lock {}: {error}", beside(&self.store, ".lock").display()))
            }
        }
    }
}

/// A file beside the store: its name with something added.
pub(crate) fn beside(store: &Path, suffix: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn open(store: &Path) -> Result<File, Fault> {
    let path = beside(store, ".lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| Fault::Unavailable(format!("cannot open {}: {error}", path.display())))?;
    // Made by root for a command, it must let the server in later. Who is not root has made it as himself.
    let _ = owned_like(&file, store);
    Ok(file)
}
