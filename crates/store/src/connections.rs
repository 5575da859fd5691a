//! The pools behind the handle, and the gates before them: a new password or a new key needs new connections while
//! requests run, and none of them may notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::DatabaseConnection;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio::time::timeout;

use crate::connection::Inner;

/// How long operations that began on replaced connections may go on: twice what PostgreSQL grants a statement.
const RETIREMENT: Duration = Duration::from_secs(30);
/// How long closing a pool is waited for.
const CLOSING: Duration = Duration::from_secs(10);

/// What an operation is about to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Read,
    Write,
}

/// `SQLite` has one writer at a time, so the pool that writes has one connection; on PostgreSQL both are the same pool.
pub(crate) struct Connections {
    pub(crate) read: DatabaseConnection,
    pub(crate) write: DatabaseConnection,
    /// Operations hold these shared while they run; who needs quiet holds one alone.
    reads: Arc<RwLock<()>>,
    writes: Arc<RwLock<()>>,
    /// Whether others have taken their place: whoever waited at a gate looks again.
    replaced: AtomicBool,
}

/// The right to use the connections; whoever closes them waits for its end.
pub(crate) struct Pass {
    pub(crate) connections: Arc<Connections>,
    _gate: OwnedRwLockReadGuard<()>,
}

impl Connections {
    pub(crate) fn new(read: DatabaseConnection, write: DatabaseConnection) -> Self {
        Self { read, write, reads: Arc::default(), writes: Arc::default(), replaced: AtomicBool::new(false) }
    }

    pub(crate) fn of(&self, way: Way) -> &DatabaseConnection {
        match way {
            Way::Read => &self.read,
            Way::Write => &self.write,
        }
    }

    fn gate(&self, way: Way) -> Arc<RwLock<()>> {
        Arc::clone(match way {
            Way::Read => &self.reads,
            Way::Write => &self.writes,
        })
    }

    /// Waits for operations of this kind to end and keeps new ones waiting; none when they do not end in time.
    pub(crate) async fn quiet(&self, way: Way, patience: Duration) -> Option<OwnedRwLockWriteGuard<()>> {
        timeout(patience, self.gate(way).write_owned()).await.ok()
    }

    /// Finishes what runs and closes every connection. A second close is no news.
    pub(crate) async fn close(&self) {
        // The writer last: who closes last folds SQLCipher's log into the file, and may write.
        let _ = self.read.close_by_ref().await;
        let _ = self.write.close_by_ref().await;
    }

    /// From now on whoever waits at a gate of these goes to their successors, which must be in place.
    pub(crate) fn replace(&self) {
        self.replaced.store(true, Ordering::Release);
    }

    /// Lets what runs end, for a bounded time, and closes. In the background.
    pub(crate) fn retire(self: Arc<Self>) {
        self.replace();
        tokio::spawn(async move {
            let reads = self.quiet(Way::Read, RETIREMENT).await;
            let writes = self.quiet(Way::Write, RETIREMENT).await;
            let _ = timeout(CLOSING, self.close()).await;
            drop((reads, writes));
        });
    }
}

impl Inner {
    /// The connections in force, held until the pass is dropped. Waits while a change of key wants quiet.
    pub(crate) async fn enter(&self, way: Way) -> Pass {
        loop {
            let connections = self.connections.load_full();
            let gate = connections.gate(way);
            let gate = match Arc::clone(&gate).try_read_owned() {
                Ok(gate) => gate,
                // Whoever holds it waits for older operations on connections that nobody needs any more.
                Err(_) if connections.replaced.load(Ordering::Acquire) => continue,
                Err(_) => gate.read_owned().await,
            };
            if !connections.replaced.load(Ordering::Acquire) {
                return Pass { connections, _gate: gate };
            }
        }
    }
}
