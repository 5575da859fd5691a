//! The steward: every database's credentials in one handle, for the server and for the command line.

use std::collections::BTreeMap;
use std::sync::Arc;

use store::{Seal, Store};

use crate::Credential;
use crate::rotation::{Clock, Database, Fault, Fresh, Progress, Rotated, Status, Ticked};

/// Looks after the databases that it was given. Cheap to clone.
#[derive(Clone)]
pub struct Steward {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    seal: Arc<Seal>,
    databases: BTreeMap<String, Database>,
    clock: Clock,
    fresh: Fresh,
}

impl std::fmt::Debug for Steward {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Steward").field("databases", &self.names()).finish_non_exhaustive()
    }
}

impl Steward {
    /// A steward whose journal lies in `store`, sealed by `seal`.
    #[must_use]
    pub fn new(store: Store, seal: Arc<Seal>, databases: Vec<Database>, clock: Clock, fresh: Fresh) -> Self {
        let databases = databases.into_iter().map(|database| (database.name.clone(), database)).collect();
        Self { inner: Arc::new(Inner { store, seal, databases, clock, fresh }) }
    }

    /// The names of its databases, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.inner.databases.keys().cloned().collect()
    }

    /// Changes the password of one database, now or only when it is due, and comes back when the old one is proven dead;
    /// then the administrator's, where one is configured. A rotation that was interrupted is taken up where it stands.
    ///
    /// # Errors
    /// Any [`Fault`]; the credential in use still works then, and the next call goes on from the journal.
    pub async fn rotate(
        &self,
        name: &str,
        now: bool,
        progress: &(dyn Fn(&Progress) + Send + Sync),
    ) -> Result<Rotated, Fault> {
        let _ = (now, progress);
        Err(self.unfinished(name))
    }

    /// What is known of a database's credentials. A server that cannot be reached is part of the answer, not a fault.
    ///
    /// # Errors
    /// [`Fault::Unknown`], [`Fault::Journal`] and [`Fault::Store`].
    pub async fn status(&self, name: &str) -> Result<Status, Fault> {
        Err(self.unfinished(name))
    }

    /// At start: takes up what a crash interrupted, as far as it goes without waiting.
    ///
    /// # Errors
    /// As [`Steward::rotate`].
    pub async fn recover(&self, name: &str) -> Result<Ticked, Fault> {
        Err(self.unfinished(name))
    }

    /// For a server, every few seconds: one look at each database; begins what is due, goes on with what waits.
    pub async fn tick(&self) -> Vec<(String, Result<Ticked, Fault>)> {
        self.names().into_iter().map(|name| (name.clone(), Err(self.unfinished(&name)))).collect()
    }

    /// A node's sign of life: which generation it uses. A node that never calls this is not waited for.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn adopted(&self, node: &str, name: &str, generation: i64) -> Result<(), Fault> {
        let _ = (node, generation);
        Err(self.unfinished(name))
    }

    /// The credential in use, as the journal has it; none before the first rotation.
    ///
    /// # Errors
    /// [`Fault::Unknown`], [`Fault::Journal`] and [`Fault::Store`].
    pub async fn credential(&self, name: &str) -> Result<Option<Credential>, Fault> {
        Err(self.unfinished(name))
    }

    fn unfinished(&self, name: &str) -> Fault {
        let _ = (&self.inner.store, &self.inner.seal, &self.inner.clock, &self.inner.fresh);
        Fault::Configuration { name: name.to_owned(), reason: "rotation is not built yet".to_owned() }
    }
}
