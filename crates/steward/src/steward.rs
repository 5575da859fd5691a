//! The steward: every database's credentials in one handle, for the server and for the command line.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use secrecy::ExposeSecret as _;
use store::{Seal, Store};

use crate::Credential;
use crate::delivery::Place;
use crate::journal::Journal;
use crate::rotation::{
    Clock, Database, Fault, Fresh, Hands, Progress, Rotated, State, Status, Ticked, Wanted, administrator,
    drive, go_over, status,
};

/// Seconds between two looks of [`Steward::tick`] where the first one failed.
const BACK_OFF: i64 = 30;

/// Looks after the databases that it was given. Cheap to clone.
#[derive(Clone)]
pub struct Steward {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    journal: Journal,
    databases: BTreeMap<String, Database>,
    clock: Clock,
    fresh: Fresh,
    delivering: tokio::sync::Mutex<()>,
    /// Where a look has failed, and when: the next one waits a while.
    failed: std::sync::Mutex<BTreeMap<String, (i64, String)>>,
    /// Of our own store: the generation whose password this process uses.
    taken: std::sync::Mutex<BTreeMap<String, i64>>,
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
        let journal = Journal::new(store.clone(), seal, fresh.clone());
        let delivering = tokio::sync::Mutex::new(());
        let (taken, failed) = (std::sync::Mutex::default(), std::sync::Mutex::default());
        Self { inner: Arc::new(Inner { store, journal, databases, clock, fresh, delivering, failed, taken }) }
    }

    /// The names of its databases, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.inner.databases.keys().cloned().collect()
    }

    /// Changes the password of one database, now or only when it is due, and comes back when the old one is proven dead;
    /// then the administrator's, where one is configured. A rotation that was interrupted is taken up where it stands. It
    /// waits for as long as the old credential is in use: whoever cannot, drops the future, and the next call goes on.
    ///
    /// # Errors
    /// Any [`Fault`]; the credential in use still works then, and the next call goes on from the journal.
    pub async fn rotate(
        &self,
        name: &str,
        now: bool,
        progress: &(dyn Fn(&Progress) + Send + Sync),
    ) -> Result<Rotated, Fault> {
        let hands = self.hands(name, progress)?;
        let wanted = if now { Wanted::Now } else { Wanted::IfDue };
        let outcome = drive(&hands, wanted, true).await?;
        let administrator = administrator::rotate(&hands, now).await?.map(Box::new);
        match outcome {
            Ticked::Finished { report } => Ok(Rotated::Finished { report: Some(report), administrator }),
            Ticked::Rest { .. } if administrator.is_some() => {
                Ok(Rotated::Finished { report: None, administrator })
            }
            Ticked::Rest { due_at } => Ok(Rotated::NotDue { due_at: due_at.unwrap_or_default() }),
            Ticked::Waiting { what, .. } => Err(Fault::StillWaiting { name: name.to_owned(), what }),
        }
    }

    /// What is known of a database's credentials. A server that cannot be reached is part of the answer, not a fault.
    ///
    /// # Errors
    /// [`Fault::Unknown`], [`Fault::Configuration`], [`Fault::Journal`] and [`Fault::Store`].
    pub async fn status(&self, name: &str) -> Result<Status, Fault> {
        status(&self.hands(name, &|_| {})?).await
    }

    /// At start: takes up what a crash interrupted, as far as it goes without waiting. Begins nothing.
    ///
    /// # Errors
    /// As [`Steward::rotate`].
    pub async fn recover(&self, name: &str) -> Result<Ticked, Fault> {
        let hands = self.hands(name, &|_| {})?;
        if self.inner.journal.load(name).await?.is_none() {
            return Ok(Ticked::Rest { due_at: None });
        }
        let outcome = drive(&hands, Wanted::Nothing, false).await?;
        let begun = self.inner.journal.load(&administrator::entry_name(name)).await?;
        if begun.is_some_and(|entry| entry.state != State::Stable) {
            administrator::rotate(&hands, false).await?;
        }
        Ok(outcome)
    }

    /// For a server, every few seconds: one look at each database; begins what is due, goes on with what waits. Where the
    /// secret is a platform's variable nothing is begun: that is a job's (`portcullis database rotate`), since the token
    /// which writes the variable can change everything.
    pub async fn tick(&self) -> Vec<(String, Result<Ticked, Fault>)> {
        let mut all = Vec::new();
        for name in self.names() {
            let outcome = match self.just_failed(&name) {
                Some(fault) => {
                    Ok(Ticked::Waiting { what: format!("another try after: {fault}"), alarm: true })
                }
                None => self.tick_one(&name).await,
            };
            if let Err(fault) = &outcome {
                let failed = ((self.inner.clock)(), fault.to_string());
                self.failed().insert(name.clone(), failed);
            }
            all.push((name, outcome));
        }
        all
    }

    /// A refused login every few seconds would feed whatever locks roles out: a fault is given half a minute.
    fn just_failed(&self, name: &str) -> Option<String> {
        let mut failed = self.failed();
        let (at, fault) = failed.get(name)?.clone();
        let since = (self.inner.clock)() - at;
        if (0..BACK_OFF).contains(&since) {
            return Some(fault);
        }
        failed.remove(name);
        None
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (i64, String)>> {
        self.inner.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tick_one(&self, name: &str) -> Result<Ticked, Fault> {
        let hands = self.hands(name, &|_| {})?;
        match hands.database.secret {
            // Watched, not changed: nobody would get the new password.
            None => return Ok(Ticked::Rest { due_at: None }),
            Some(Place::Railway(_)) => return self.recover(name).await,
            Some(_) => {}
        }
        let outcome = match drive(&hands, Wanted::IfDue, false).await {
            Err(Fault::NotAdopted(_)) => return Ok(Ticked::Rest { due_at: None }),
            outcome => outcome?,
        };
        if matches!(outcome, Ticked::Rest { .. } | Ticked::Finished { .. }) {
            let administrator = administrator::rotate(&hands, false).await?;
            if let (Ticked::Rest { .. }, Some(report)) = (&outcome, administrator) {
                return Ok(Ticked::Finished { report: Box::new(report) });
            }
        }
        Ok(outcome)
    }

    /// A node's sign of life: which generation it uses. A node that never calls this is not waited for.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn adopted(&self, node: &str, name: &str, generation: i64) -> Result<(), Fault> {
        Ok(self.inner.store.record_node(name, node, generation, (self.inner.clock)()).await?)
    }

    /// For every node, every second or two, where our own store is looked after: [`Steward::go_over`], and a sign of life,
    /// since the old credential ends only when every node that was alive lately has gone over.
    ///
    /// # Errors
    /// [`Fault::Delivery`] and [`Fault::Store`]; the old credential is still in use then, and nobody retires it.
    pub async fn take_up(&self, node: &str, name: &str) -> Result<Option<i64>, Fault> {
        let generation = self.go_over(name).await?;
        self.adopted(node, name, generation.unwrap_or(0)).await?;
        Ok(generation)
    }

    /// Takes the journal's credential of our own store if it is newer, into this node's secret file and into the pool,
    /// without a failed query. Answers the generation in use; none where the journal has no entry yet. Alone it is for a
    /// process that comes and goes, a command: nobody need wait for it once it has ended, however it ended.
    ///
    /// # Errors
    /// As [`Steward::take_up`].
    pub async fn go_over(&self, name: &str) -> Result<Option<i64>, Fault> {
        let hands = self.hands(name, &|_| {})?;
        let _alone = self.inner.delivering.lock().await;
        let Some(entry) = self.inner.journal.load(name).await? else { return Ok(None) };
        let generation = entry.generation();
        let taken = self.taken().get(name).copied();
        let up_to_date = match taken {
            Some(taken) => taken >= generation,
            // The first look of this process: it began with the configured credential.
            None => hands.configured().is_ok_and(|configured| {
                configured.username == entry.current.credential.username
                    && configured.password.expose_secret()
                        == entry.current.credential.password.expose_secret()
            }),
        };
        if !up_to_date {
            go_over(&hands, &entry.current.credential).await?;
        }
        self.taken().insert(name.to_owned(), generation);
        Ok(Some(generation))
    }

    /// The credential in use, as the journal has it; none before the first rotation.
    ///
    /// # Errors
    /// [`Fault::Unknown`], [`Fault::Journal`] and [`Fault::Store`].
    pub async fn credential(&self, name: &str) -> Result<Option<Credential>, Fault> {
        let hands = self.hands(name, &|_| {})?;
        let entry = self.inner.journal.load(name).await?;
        entry.map(|entry| hands.at_configured(&entry.current.credential)).transpose()
    }

    /// The administrator's credential, as the journal has it; none before its first change.
    ///
    /// # Errors
    /// [`Fault::Unknown`], [`Fault::Journal`] and [`Fault::Store`].
    pub async fn administrator(&self, name: &str) -> Result<Option<Credential>, Fault> {
        let hands = self.hands(name, &|_| {})?;
        let Some(entry) = administrator::known(&hands).await? else { return Ok(None) };
        hands.at_configured(&entry.current.credential).map(Some)
    }

    /// Forgets a database's journal, after `unadopt` has given everything back.
    ///
    /// # Errors
    /// [`Fault::Unknown`] and [`Fault::Store`].
    pub async fn forget(&self, name: &str) -> Result<(), Fault> {
        self.hands(name, &|_| {})?;
        self.inner.journal.forget(name).await?;
        Ok(())
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, i64>> {
        self.inner.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hands<'a>(
        &'a self,
        name: &str,
        progress: &'a (dyn Fn(&Progress) + Send + Sync),
    ) -> Result<Hands<'a>, Fault> {
        let inner = &self.inner;
        let database = inner.databases.get(name).ok_or_else(|| Fault::Unknown(name.to_owned()))?;
        Ok(Hands {
            database,
            databases: &inner.databases,
            journal: &inner.journal,
            store: &inner.store,
            clock: &inner.clock,
            fresh: &inner.fresh,
            progress,
            delivering: &inner.delivering,
        })
    }
}
