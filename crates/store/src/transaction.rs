//! Reads, and writes that happen as a whole or not at all.

use std::future::Future;
use std::sync::Arc;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
};

use crate::connections::{Connections, Pass, Way};
use crate::{Fault, Store};

/// How often a transaction that met another one is tried.
const ATTEMPTS: u32 = 8;

/// A transaction in the hands of its work. Owned, and the work a function of it without a lifetime: a future that
/// borrows its argument for any lifetime cannot be shown to be `Send`, and callers spawn.
pub(crate) type Transaction = Arc<DatabaseTransaction>;

impl Store {
    /// Runs reads on a connection of the pool. Who looks for a text that PostgreSQL cannot hold finds nothing, as on
    /// SQLCipher.
    pub(crate) async fn read<T, W>(&self, work: impl Fn(DatabaseConnection) -> W) -> Result<T, Fault>
    where
        T: Default,
        W: Future<Output = Result<T, Fault>>,
    {
        match self.on(Way::Read, work).await {
            Err(Fault::Unstorable) => Ok(T::default()),
            outcome => outcome,
        }
    }

    /// Runs one writing statement that needs no transaction around it.
    pub(crate) async fn statement<T, W>(&self, work: impl Fn(DatabaseConnection) -> W) -> Result<T, Fault>
    where
        W: Future<Output = Result<T, Fault>>,
    {
        self.on(Way::Write, work).await
    }

    async fn on<T, W>(&self, way: Way, work: impl Fn(DatabaseConnection) -> W) -> Result<T, Fault>
    where
        W: Future<Output = Result<T, Fault>>,
    {
        let mut renewed = false;
        loop {
            let pass = self.inner.enter(way).await;
            let outcome = work(pass.connections.of(way).clone()).await;
            match outcome {
                // No connection came about, so nothing has run.
                Err(Fault::CredentialsRefused) if !renewed => {
                    renewed = true;
                    self.renew(&released(pass)).await?;
                }
                outcome => return outcome.map_err(|fault| self.locate(fault)),
            }
        }
    }

    /// Runs one transaction: commits when the work succeeds, rolls back when it fails. The work may run again from its
    /// beginning when the database asks for it, so it draws no randomness and sends nothing.
    pub(crate) async fn write<T, W>(&self, work: impl Fn(Transaction) -> W) -> Result<T, Fault>
    where
        W: Future<Output = Result<T, Fault>>,
    {
        let mut attempts = 1;
        let mut renewed = false;
        loop {
            let pass = self.inner.enter(Way::Write).await;
            let outcome = attempt(&pass.connections, &work).await;
            let connections = released(pass);
            match outcome {
                // No connection came about, so nothing has run.
                Err(Fault::CredentialsRefused) if !renewed => {
                    renewed = true;
                    self.renew(&connections).await?;
                }
                Err(Fault::Contended) if attempts < ATTEMPTS => {
                    // The other one gets the time to finish: 2, 4, 8, … ms, a quarter of a second in all.
                    tokio::time::sleep(std::time::Duration::from_millis(1 << attempts)).await;
                    attempts += 1;
                }
                Ok(value) => {
                    self.inner.changed.notify_waiters();
                    return Ok(value);
                }
                Err(fault) => return Err(self.locate(fault)),
            }
        }
    }

    fn locate(&self, fault: Fault) -> Fault {
        match (fault, &self.inner.path) {
            (Fault::Damaged { .. }, Some(path)) => Fault::Damaged { path: path.clone() },
            (fault, _) => fault,
        }
    }
}

/// The connections without the right to use them: nobody waits at a gate with a pass of the same gate in hand.
fn released(pass: Pass) -> Arc<Connections> {
    Arc::clone(&pass.connections)
}

async fn attempt<T, W>(connections: &Connections, work: &impl Fn(Transaction) -> W) -> Result<T, Fault>
where
    W: Future<Output = Result<T, Fault>>,
{
    // IMMEDIATE takes SQLite's write lock at once: a transaction that reads first never finds out later that
    // somebody else has written in between. PostgreSQL ignores it.
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = Arc::new(connections.write.begin_with_options(options).await?);
    let outcome = work(Arc::clone(&transaction)).await;
    // The work has ended, and its handle with it.
    let Some(transaction) = Arc::into_inner(transaction) else {
        return Err(Fault::Unavailable("a transaction was kept beyond its work".to_owned()));
    };
    match outcome {
        Ok(value) => {
            transaction.commit().await?;
            Ok(value)
        }
        Err(fault) => {
            // SQLite has rolled back by itself when it is full; the pool throws away a connection that is unsure.
            let _ = transaction.rollback().await;
            Err(fault)
        }
    }
}

/// What must not happen twice at a time, even where rows to lock do not exist yet.
#[derive(Clone, Copy)]
pub(crate) enum Lock {
    Migrations,
    SigningKeys,
}

impl Lock {
    /// Its number among PostgreSQL's advisory locks of this database; the first half is "port", to meet nobody else's.
    const fn number(self) -> i64 {
        match self {
            Self::Migrations => 0x706f_7274_0001,
            Self::SigningKeys => 0x706f_7274_0002,
        }
    }
}

/// Holds the lock until the transaction ends. `SQLite` has one writer: nothing to do there.
pub(crate) async fn exclusively(transaction: &DatabaseTransaction, lock: Lock) -> Result<(), Fault> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction
            .execute_raw(Statement::from_sql_and_values(
                DbBackend::Postgres,
                "SELECT pg_advisory_xact_lock($1)",
                [lock.number().into()],
            ))
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{NewUser, Store};

    /// Handlers run on any thread: the futures of the store must be `Send`, which closures of references easily lose.
    #[test]
    fn operations_can_be_spawned() {
        fn spawnable(_: impl Future + Send) {}
        fn of(store: &Store, user: &NewUser) {
            spawnable(store.insert_user(user, &[]));
            spawnable(store.user("id"));
            spawnable(store.take_throttle("key", 1, 1, 1));
        }
        let _ = of;
    }
}
