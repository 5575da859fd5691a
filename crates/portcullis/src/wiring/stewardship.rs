//! The steward at work in a server: takes up what was interrupted, changes what is due, watches every database, and sees
//! to it that this node goes over to a new password of Portcullis's own store.

use super::databases::{Change, Kind, Managed, STORE};
use super::examination::{self, Examination, Eye};
use super::key_change::{self, KeyAge};
use super::serving::Shutdown;
use crate::clock;
use crate::config::{Configuration, Environment};
use ::steward::Steward;
use ::steward::rotation::{Fault, Status, Ticked, Urgency};
use ::store::{Engine, Store};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between two looks at what is due, and at what waits.
const TICK: Duration = Duration::from_secs(5);
/// Between two looks of a node at the journal of its own store, each a sign of life.
const LOOK: Duration = Duration::from_secs(1);
/// Looks between two readings of what `/metrics` shows.
const STATUS_EVERY: u32 = 12;
/// Looks between two examinations of strength and reach: an hour.
const EXAMINE_EVERY: u32 = 720;

/// What is known of the databases, for `/readyz` and `/metrics`.
#[derive(Clone, Default)]
pub struct Known(Arc<Mutex<BTreeMap<String, Entry>>>);

/// What is known of one.
#[derive(Clone, Default)]
pub struct Entry {
    /// What the steward says.
    pub status: Option<Status>,
    /// What was found in the last examination.
    pub examination: Examination,
    /// Looks of the steward that failed, since the start.
    pub failures: u64,
    /// Seconds after which a password must have been replaced.
    pub maximum_age: Option<i64>,
}

impl Known {
    fn change(&self, name: &str, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(entries.entry(name.to_owned()).or_default());
    }

    /// What the start has found.
    pub fn examined(&self, examinations: BTreeMap<String, Examination>) {
        for (name, examination) in examinations {
            self.change(&name, |entry| entry.examination = examination);
        }
    }

    /// Everything, by name.
    pub fn entries(&self) -> BTreeMap<String, Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Prometheus's text.
    pub fn metrics(&self) -> String {
        let entries = self.entries();
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, samples: Vec<(String, String)>| {
            if samples.is_empty() {
                return;
            }
            text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
            for (labels, value) in samples {
                text.push_str(&format!("{name}{{{labels}}} {value}\n"));
            }
        };
        let of = |value: &dyn Fn(&Entry) -> Option<i64>| -> Vec<(String, String)> {
            entries
                .iter()
                .filter_map(|(name, entry)| Some((format!("database=\"{name}\""), value(entry)?.to_string())))
                .collect()
        };
        let status = |entry: &Entry| entry.status.clone();
        family(
            "portcullis_database_password_age_seconds",
            "gauge",
            "Age of the password in use.",
            of(&|entry| status(entry)?.age.seconds),
        );
        family(
            "portcullis_database_password_maximum_age_seconds",
            "gauge",
            "Age at which it must have been replaced.",
            of(&|entry| entry.maximum_age),
        );
        family(
            "portcullis_database_next_rotation_timestamp_seconds",
            "gauge",
            "When the next change is due, Unix seconds.",
            of(&|entry| status(entry)?.age.due_at),
        );
        let states = entries.iter().filter_map(|(name, entry)| Some((name, entry.status.as_ref()?)));
        family(
            "portcullis_database_rotation_state",
            "gauge",
            "Where a change of password stands.",
            states
                .map(|(name, status)| {
                    (format!("database=\"{name}\",state=\"{}\"", status.state.word()), "1".to_owned())
                })
                .collect(),
        );
        let failures =
            of(&|entry| entry.maximum_age.map(|_| i64::try_from(entry.failures).unwrap_or(i64::MAX)));
        family(
            "portcullis_database_rotation_failures_total",
            "counter",
            "Looks of the steward that failed.",
            failures,
        );
        family(
            "portcullis_database_problems",
            "gauge",
            "What the last examination of strength and reach found that must not be.",
            of(&|entry| i64::try_from(entry.examination.problems.len()).ok()),
        );
        text
    }

    /// What keeps this node from being ready, by name. Facts that changed while it runs: they never end a process.
    pub fn not_ready(&self, environment: Environment) -> Vec<String> {
        if environment == Environment::Development {
            return Vec::new();
        }
        let mut named = Vec::new();
        for (name, entry) in self.entries() {
            named.extend(
                entry.examination.problems.iter().map(|problem| format!("database {name}: {problem}")),
            );
            let overdue = entry.status.as_ref().is_some_and(|status| {
                status
                    .age
                    .seconds
                    .zip(entry.maximum_age)
                    .is_some_and(|(age, maximum)| age > maximum + maximum / 10)
            });
            // In production the alarm is enough: to take a service away for the age of a password helps nobody.
            if overdue && environment == Environment::Staging {
                named.push(format!("database {name}: its password is older than it may be"));
            }
        }
        named
    }
}

/// What a server looks after.
pub struct Stewardship {
    /// The store, whose key is changed here where it is an encrypted file.
    pub store: Store,
    /// Changes what is due and watches the rest; none where the configuration names no PostgreSQL database.
    pub steward: Option<Steward>,
    /// The databases.
    pub databases: Vec<Managed>,
    /// The own store, where it is PostgreSQL and its password changes.
    pub own: Option<Own>,
    /// What is known.
    pub known: Known,
    /// How facts are judged.
    pub eye: Eye,
}

impl Stewardship {
    /// Puts it together, from what was read at the start.
    pub fn of(
        configuration: &Configuration,
        store: &Store,
        databases: Vec<Managed>,
    ) -> Result<Self, crate::config::ConfigError> {
        let named = |managed: &Managed| managed.configured && matches!(managed.kind, Kind::Postgres { .. });
        let steward = if databases.iter().any(named) {
            Some(super::steward::of(configuration, store, &databases, named)?)
        } else {
            None
        };
        let changes_own = databases.iter().any(|managed| managed.name == STORE && managed.configured);
        let own = steward.as_ref().filter(|_| changes_own).and_then(|steward| Own::of(store, steward));
        let known = Known::default();
        for managed in &databases {
            if let Kind::Postgres { database, .. } = &managed.kind
                && managed.configured
            {
                known.change(&managed.name, |entry| entry.maximum_age = Some(database.maximum_password_age));
            }
        }
        Ok(Stewardship { store: store.clone(), steward, databases, own, known, eye: Eye::of(configuration) })
    }

    /// Looks after everything until `shutdown` begins. What is cut off then is taken up at the next start.
    pub async fn look_after(self, shutdown: Shutdown) {
        let end = shutdown.begun();
        tokio::pin!(end);
        let work = async {
            self.recover().await;
            let mut looks: u32 = 0;
            loop {
                self.tick().await;
                if looks.is_multiple_of(STATUS_EVERY) {
                    self.change_key().await;
                    self.read_status().await;
                }
                looks = looks.wrapping_add(1);
                // The start has examined them.
                if looks.is_multiple_of(EXAMINE_EVERY) {
                    self.examine().await;
                }
                tokio::time::sleep(TICK).await;
            }
        };
        tokio::select! {
            () = &mut end => {}
            () = work => {}
        }
    }

    async fn recover(&self) {
        let Some(steward) = &self.steward else { return };
        for managed in &self.databases {
            // What a job began the job takes up: the place of the secret is not known here.
            if matches!(managed.kind, Kind::Postgres { change: Change::Server, .. }) {
                self.heard(&managed.name, steward.recover(&managed.name).await);
            }
        }
    }

    /// The key of the own encrypted file, where a limit asks for it. Operations wait while it is changed, and none fails.
    async fn change_key(&self) {
        for managed in &self.databases {
            let Kind::SqlCipher { key_file: Some(key_file), maximum_age: Some(maximum), .. } = &managed.kind
            else {
                continue;
            };
            let due = match KeyAge::of(&self.store, Some(key_file)).await {
                Ok(age) => age.due_at(*maximum).is_none_or(|due_at| due_at <= clock::now()),
                Err(fault) => {
                    tracing::warn!(%fault, "the age of the store's key is not known");
                    false
                }
            };
            if !due {
                continue;
            }
            let started_at = clock::now();
            let outcome = match key_change::new_key() {
                Ok(key) => self.store.rekey(key_file, key).await,
                Err(reason) => Err(::store::Fault::Unavailable(reason)),
            };
            let recorded = match outcome {
                Ok(()) => key_change::record(&self.store, started_at).await,
                Err(fault) => Err(fault),
            };
            match recorded {
                Ok(report) => tracing::info!(generation = report.generation, "the store has a new key"),
                Err(fault) => {
                    self.known.change(&managed.name, |entry| entry.failures += 1);
                    tracing::warn!(%fault, "the store's key could not be changed; the old one is in force");
                }
            }
        }
    }

    async fn tick(&self) {
        let Some(steward) = &self.steward else { return };
        for (name, outcome) in steward.tick().await {
            self.heard(&name, outcome);
        }
    }

    fn heard(&self, name: &str, outcome: Result<Ticked, Fault>) {
        match outcome {
            Ok(Ticked::Rest { .. }) => {}
            Ok(Ticked::Waiting { what, alarm: true }) => {
                tracing::warn!(database = name, "a change of password has waited too long for {what}");
            }
            Ok(Ticked::Waiting { what, .. }) => tracing::debug!(database = name, "waiting for {what}"),
            Ok(Ticked::Finished { report }) => tracing::info!(
                database = name,
                generation = report.generation,
                from = report.from,
                to = report.to,
                "the password was changed, and the old one is proven dead"
            ),
            // Somebody else is at work on it, or nobody has begun: neither is a failure.
            Err(Fault::Overtaken(_)) => {}
            Err(fault @ Fault::NotAdopted(_)) => tracing::debug!(database = name, %fault),
            Err(fault) => {
                self.known.change(name, |entry| entry.failures += 1);
                tracing::warn!(database = name, %fault, "the steward could not do its work; it tries again");
            }
        }
    }

    /// For `/metrics`, and to say once an hour what is late.
    async fn read_status(&self) {
        let Some(steward) = &self.steward else { return };
        for name in steward.names() {
            match steward.status(&name).await {
                Ok(status) => self.known.change(&name, |entry| entry.status = Some(status)),
                Err(fault) => {
                    tracing::warn!(database = name, %fault, "the state of its password is not known")
                }
            }
        }
    }

    async fn examine(&self) {
        for managed in &self.databases {
            let Kind::Postgres { database, .. } = &managed.kind else { continue };
            let steward = self.steward.as_ref().filter(|_| managed.configured);
            let now = examination::of(steward, database, &self.eye).await;
            self.known.change(&managed.name, |entry| {
                for problem in now.problems.iter().filter(|new| !entry.examination.problems.contains(new)) {
                    tracing::error!(event = "database_weakened", database = managed.name, "{problem}");
                }
                for warning in now.warnings.iter().filter(|new| !entry.examination.warnings.contains(new)) {
                    tracing::warn!(database = managed.name, "{warning}");
                }
                entry.examination = now;
                if let Some(status) = &entry.status
                    && status.age.urgency != Urgency::Fine
                {
                    tracing::warn!(
                        event = "database_password_age",
                        database = managed.name,
                        seconds = status.age.seconds,
                        "its password is to be changed"
                    );
                }
            });
        }
    }
}

/// This process, and the password of the store that it runs on.
pub struct Own {
    steward: Steward,
    store: Store,
    /// Its name among the nodes, for whom a rotation waits; none: a command, which comes and goes.
    node: Option<String>,
}

impl Own {
    /// A server's. None where the store is no PostgreSQL.
    pub fn of(store: &Store, steward: &Steward) -> Option<Self> {
        Self::of_a_command(store, steward).map(|own| Own { node: Some(node_name()), ..own })
    }

    /// A command's: what it leaves behind when it ends, or is killed, must hold up no rotation.
    pub fn of_a_command(store: &Store, steward: &Steward) -> Option<Self> {
        (*store.engine() == Engine::Postgres).then(|| Own {
            steward: steward.clone(),
            store: store.clone(),
            node: None,
        })
    }

    /// Goes over to a new password as soon as the journal has one, first into the file, so that a restart finds it, then
    /// into the pool; a node also says which one it uses, since the old one ends only when every node has gone over.
    pub async fn follow(self, shutdown: Shutdown) {
        let end = shutdown.begun();
        tokio::pin!(end);
        let mut used = None;
        loop {
            let outcome = match &self.node {
                Some(node) => self.steward.take_up(node, STORE).await,
                None => self.steward.go_over(STORE).await,
            };
            match outcome {
                Ok(generation) => {
                    if let Some(generation) = generation.filter(|_| generation != used) {
                        tracing::info!(generation, "this node uses the store's password of this generation");
                    }
                    used = generation;
                }
                Err(fault) => tracing::error!(
                    %fault,
                    "this node could not go over to the store's new password, or say that it has; it tries again"
                ),
            }
            tokio::select! {
                () = &mut end => break,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        // As old as a sign of life can be: nobody waits for a node that has left. One that was killed is waited for until
        // its last one is too old.
        if let Some(node) = &self.node
            && let Err(fault) = self.store.record_node(STORE, node, used.unwrap_or(0), 0).await
        {
            tracing::debug!(%fault, "this node left without a word");
        }
    }
}

/// A name of this process among the nodes: the machine's, and what tells two processes on it apart.
fn node_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let random: [u8; 4] = clock::fresh().unwrap_or_else(|_| std::process::id().to_be_bytes());
    format!("{host}-{:08x}", u32::from_be_bytes(random))
}
