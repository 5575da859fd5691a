//! A new key for the encrypted file: every page is written anew, in a file beside the old one that takes its place.
//!
//! `PRAGMA rekey` would change the file in place: a crash in between leaves it to the journal which key opens it, and the
//! old key's pages stay in the log for a while. Here the old file is whole until one `rename`, and at every moment
//! exactly one of the keys in the key file opens what lies under the store's name:
//!
//! 1. key file: current and pending. 2. Export under the pending key. 3. On disk, read back, every row summed. 4. Alone
//!    with the old file: no other connection, no log. 5. Rename. 6. Key file: the new key alone.
//!
//! While a store is open, writes wait from 1 to 5, reads for 4 and 5.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretSlice};
use sqlx::{Connection, SqliteConnection};

use crate::connections::{Connections, Way};
use crate::key_file::{self, Keys};
use crate::lock::{FileLock, beside};
use crate::tables::{self, Side, Sum};
use crate::{Engine, Fault, Store, fault_point, sqlcipher};

/// How long operations that run are waited for.
const QUIET: Duration = Duration::from_secs(15);
/// What an export that was cut short leaves beside the store.
const LEFTOVERS: [&str; 4] = [".new", ".new-journal", ".new-wal", ".new-shm"];

/// What a change of key does next, for who wants to show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RekeyStep {
    /// Both keys are in the key file; the rows are written to the new file.
    Exporting,
    /// The new file is read back.
    Verifying,
    /// The new file takes the old one's place.
    Switching,
    /// One key again, the new one.
    Done,
}

/// Changes the key of a store that nobody has open: the command line. `new_key` is 32 random bytes.
///
/// # Errors
/// [`Fault::InUse`] when a process has it open; otherwise those of [`Store::rekey`].
pub async fn rekey(
    store: &Path,
    key_file: &Path,
    new_key: SecretSlice<u8>,
    progress: impl Fn(RekeyStep) + Send + Sync,
) -> Result<(), Fault> {
    if !store.exists() {
        return Err(Fault::Unavailable(format!("there is no store at {}", store.display())));
    }
    let _lock = FileLock::exclusive(store).await?;
    let change = Change::begin(store, key_file, new_key).await?;
    let prepared = change.prepare(&progress).await?;
    progress(RekeyStep::Switching);
    change.switch(prepared).await?;
    change.promote()?;
    progress(RekeyStep::Done);
    Ok(())
}

impl Store {
    /// Changes the key of the encrypted file while the store is open. Operations wait, and none fails. `new_key` is 32 random
    /// bytes; `key_file` is where the key in force stands. When this fails, the old key is in force and the store goes on.
    ///
    /// # Errors
    /// [`Fault::InUse`] when another process, or an audit that reads, has the file open; [`Fault::Full`]; [`Fault::KeyFile`];
    /// [`Fault::SameKey`]; [`Fault::OtherEngine`] on PostgreSQL.
    pub async fn rekey(&self, key_file: &Path, new_key: SecretSlice<u8>) -> Result<(), Fault> {
        let (store, key_file) = (self.clone(), key_file.to_owned());
        // Detached: who hangs up must not leave the store between two keys.
        tokio::spawn(async move { change_while_open(&store, &key_file, new_key).await })
            .await
            .map_err(|_| Fault::Unavailable("the change of key ended without an answer".to_owned()))?
    }
}

async fn change_while_open(store: &Store, key_file: &Path, new_key: SecretSlice<u8>) -> Result<(), Fault> {
    let (Engine::SqlCipher { .. }, Some(path)) = (&store.inner.engine, &store.inner.path) else {
        return Err(Fault::OtherEngine("a PostgreSQL store has a password and no key"));
    };
    let _alone = store.inner.renewing.lock().await;
    let lock = store.file_lock().ok_or_else(|| Fault::Unavailable("the store is closed".to_owned()))?;
    let connections = store.inner.connections.load_full();
    let busy = || Fault::Unavailable("operations did not end in time: try again".to_owned());

    let _writes = connections.quiet(Way::Write, QUIET).await.ok_or_else(busy)?;
    let reads = connections.quiet(Way::Read, QUIET).await.ok_or_else(busy)?;
    let before = identity(path);
    if let Err(fault) = lock.raise().await {
        lock.share().await?;
        if identity(path) != before {
            // Another process was faster in the moment without a lock.
            reopen(store, &connections, path, key_file).await?;
        }
        return Err(fault);
    }
    drop(reads);

    let outcome = change_alone(store, &connections, path, key_file, new_key).await;
    let shared = lock.share().await;
    outcome.and(shared)
}

async fn change_alone(
    store: &Store,
    connections: &Arc<Connections>,
    path: &Path,
    key_file: &Path,
    new_key: SecretSlice<u8>,
) -> Result<(), Fault> {
    let change = Change::begin(path, key_file, new_key).await?;
    let prepared = change.prepare(&|_| ()).await?;
    let Some(_reads) = connections.quiet(Way::Read, QUIET).await else {
        change.abandon(prepared).await;
        return Err(Fault::Unavailable("operations did not end in time: try again".to_owned()));
    };
    connections.close().await;
    match change.switch(prepared).await {
        Ok(()) => {
            reopen(store, connections, path, key_file).await?;
            change.promote()
        }
        Err(fault) => {
            reopen(store, connections, path, key_file).await?;
            Err(fault)
        }
    }
}

/// Puts new connections in the place of these, under whichever key of the key file opens the file.
async fn reopen(store: &Store, old: &Arc<Connections>, path: &Path, key_file: &Path) -> Result<(), Fault> {
    let key = fitting(path, &key_file::read(key_file)?).await?;
    let (connections, _) = sqlcipher::open(path, &key, &store.inner.options).await?;
    store.inner.connections.store(Arc::new(connections));
    old.replace();
    old.close().await;
    Ok(())
}

/// The one key that opens the store; the first candidate where there is no store yet.
pub(crate) async fn fitting(store: &Path, keys: &Keys) -> Result<SecretSlice<u8>, Fault> {
    if keys.pending.is_none() || !store.exists() {
        return Ok(keys.current.clone());
    }
    for key in keys.candidates() {
        if sqlcipher::opens(store, key).await? {
            return Ok(key.clone());
        }
    }
    Err(Fault::KeyDoesNotFit { path: store.to_owned() })
}

/// Removes what a change that was cut short has left. Only with the lock in hand: then no change is under way.
pub(crate) fn tidy(store: &Path) {
    for suffix in LEFTOVERS {
        let _ = std::fs::remove_file(beside(store, suffix));
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

struct Change<'a> {
    /// The file itself and not a link to it: a rename would put the new store in the place of the link, on another disk
    /// perhaps, and leave the old one where it was.
    store: PathBuf,
    key_file: &'a Path,
    old: SecretSlice<u8>,
    new: SecretSlice<u8>,
}

/// The new file is there and proven; the connection to the old one knows whether anybody has written since.
struct Prepared {
    old: SqliteConnection,
    seen: i64,
}

impl<'a> Change<'a> {
    async fn begin(store: &'a Path, key_file: &'a Path, new: SecretSlice<u8>) -> Result<Self, Fault> {
        if new.expose_secret().len() != 32 {
            return Err(Fault::KeyLength { length: new.expose_secret().len() });
        }
        let old = fitting(store, &key_file::read(key_file)?).await?;
        if aws_lc_rs::constant_time::verify_slices_are_equal(old.expose_secret(), new.expose_secret()).is_ok()
        {
            return Err(Fault::SameKey);
        }
        // The key file may hold a key that never opened this file; then nothing is touched.
        if !sqlcipher::opens(store, &old).await? {
            return Err(Fault::KeyDoesNotFit { path: store.to_owned() });
        }
        let store = store.canonicalize().map_err(|error| io(&error))?;
        Ok(Self { store, key_file, old, new })
    }

    fn fresh(&self) -> PathBuf {
        beside(&self.store, ".new")
    }

    /// Steps 1 to 3. When one fails, everything is as before.
    async fn prepare(&self, progress: &(dyn Fn(RekeyStep) + Send + Sync)) -> Result<Prepared, Fault> {
        fault_point::rekey("begun");
        tidy(&self.store);
        key_file::tidy(self.key_file);
        let keys = Keys { current: self.old.clone(), pending: Some(self.new.clone()) };
        let outcome = match key_file::write(self.key_file, &keys) {
            Ok(()) => self.export_and_verify(progress).await,
            Err(fault) => Err(fault),
        };
        if outcome.is_err() {
            self.restore_key_file();
        }
        outcome
    }

    async fn export_and_verify(
        &self,
        progress: &(dyn Fn(RekeyStep) + Send + Sync),
    ) -> Result<Prepared, Fault> {
        fault_point::rekey("pending");
        progress(RekeyStep::Exporting);
        let mut old = sqlcipher::single(&self.store, &self.old, false).await?;
        match self.export_and_sum(&mut old, progress).await {
            Ok(seen) => Ok(Prepared { old, seen }),
            Err(fault) => {
                let _ = old.close().await;
                Err(fault)
            }
        }
    }

    async fn export_and_sum(
        &self,
        old: &mut SqliteConnection,
        progress: &(dyn Fn(RekeyStep) + Send + Sync),
    ) -> Result<i64, Fault> {
        let (seen, sums) = self.export(old).await?;
        fault_point::rekey("exported");
        progress(RekeyStep::Verifying);
        self.verify(&sums).await?;
        fault_point::rekey("verified");
        Ok(seen)
    }

    async fn export(&self, old: &mut SqliteConnection) -> Result<(i64, Vec<Sum>), Fault> {
        let path = self.fresh();
        // Made here for its mode and its owner.
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|file| key_file::owned_like(&file, &self.store))
            .map_err(|error| io(&error))?;
        let name = path.to_str().ok_or_else(|| Fault::Unavailable("its path is no UTF-8".to_owned()))?;
        let key = sqlcipher::raw_key(&self.new)?;
        sqlx::query("ATTACH DATABASE ? AS fresh KEY ?")
            .bind(name)
            .bind(key.as_str())
            .persistent(false)
            .execute(&mut *old)
            .await?;
        // In memory: with a journal beside either file, committing both would leave a third file behind at a crash.
        sqlx::query("PRAGMA fresh.journal_mode = MEMORY").execute(&mut *old).await?;
        // One transaction: a snapshot for the export, and nobody else writes.
        let mut transaction = old.begin_with("BEGIN IMMEDIATE").await?;
        let seen = version(&mut transaction).await?;
        let mut sums = Vec::new();
        for table in tables::of(&mut transaction).await? {
            sums.push(Side::SqlCipher(&mut transaction).sum(&table).await?);
        }
        sqlx::query("SELECT sqlcipher_export('fresh')").execute(&mut *transaction).await?;
        fault_point::rekey("exporting");
        transaction.commit().await?;
        sqlx::query("DETACH DATABASE fresh").execute(&mut *old).await?;
        Ok((seen, sums))
    }

    async fn verify(&self, sums: &[Sum]) -> Result<(), Fault> {
        let path = self.fresh();
        File::open(&path).and_then(|file| file.sync_all()).map_err(|error| io(&error))?;
        let damaged = || Fault::Damaged { path: self.fresh() };
        let mut fresh = sqlcipher::single(&path, &self.new, true).await?;
        sqlcipher::check_integrity(&mut fresh, &path).await?;
        let tables = tables::of(&mut fresh).await?;
        if tables.len() != sums.len() {
            return Err(damaged());
        }
        for (table, sum) in tables.iter().zip(sums) {
            if Side::SqlCipher(&mut fresh).sum(table).await? != *sum {
                return Err(damaged());
            }
        }
        fresh.close().await?;
        if sqlcipher::opens(&path, &self.old).await? { Err(damaged()) } else { Ok(()) }
    }

    /// Steps 4 and 5. When this fails, the old file is in its place and the key file as before.
    async fn switch(&self, mut prepared: Prepared) -> Result<(), Fault> {
        if let Err(fault) = self.take_its_place(&mut prepared).await {
            self.abandon(prepared).await;
            return Err(fault);
        }
        fault_point::rekey("renamed");
        // From here on the new file is the store; what fails is said, and nothing is taken back.
        let synced = key_file::sync_folder(&self.store).map_err(|error| io(&error));
        let _ = prepared.old.close_hard().await;
        // Nobody had a log open; these would be of the old key.
        for suffix in ["-wal", "-shm", "-journal"] {
            let _ = std::fs::remove_file(beside(&self.store, suffix));
        }
        fault_point::rekey("switched");
        synced
    }

    async fn take_its_place(&self, prepared: &mut Prepared) -> Result<(), Fault> {
        let in_use = |reason| Fault::InUse { path: self.store.clone(), reason };
        // Out of the log: works only for who is alone with the file, and leaves no log behind.
        let mode: Result<String, _> =
            sqlx::query_scalar("PRAGMA journal_mode = DELETE").fetch_one(&mut prepared.old).await;
        if mode.as_deref().ok() != Some("delete") {
            return Err(in_use("something else reads it: end that first"));
        }
        sqlx::query("BEGIN EXCLUSIVE")
            .execute(&mut prepared.old)
            .await
            .map_err(|_| in_use("something else reads it: end that first"))?;
        if version(&mut prepared.old).await? != prepared.seen {
            return Err(in_use("something else has written to it meanwhile: try again"));
        }
        fault_point::rekey("quiet");
        std::fs::rename(self.fresh(), &self.store).map_err(|error| io(&error))
    }

    /// Back to before step 1.
    async fn abandon(&self, prepared: Prepared) {
        let _ = prepared.old.close().await;
        self.restore_key_file();
    }

    fn restore_key_file(&self) {
        tidy(&self.store);
        // Should this fail, the key file holds both, and the next opener settles it.
        let _ = key_file::write(self.key_file, &Keys::one(self.old.clone()));
    }

    /// Step 6.
    fn promote(&self) -> Result<(), Fault> {
        key_file::write(self.key_file, &Keys::one(self.new.clone()))?;
        fault_point::rekey("promoted");
        Ok(())
    }
}

/// Changes when another connection has written.
async fn version(connection: &mut SqliteConnection) -> Result<i64, Fault> {
    Ok(sqlx::query_scalar("PRAGMA main.data_version").fetch_one(connection).await?)
}

fn io(error: &std::io::Error) -> Fault {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Fault::Full,
        _ => Fault::Unavailable(error.to_string()),
    }
}
