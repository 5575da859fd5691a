//! The steward at work in a server: takes up what was interrupted, changes what is due, watches every database, and sees
//! to it that this node goes over to a new password of Portcullis's own store.

mod known;
mod own;

pub use known::Known;
pub use own::Own;

use super::databases::{Change, Kind, Managed, STORE};
use super::examination::{self, Examination, Eye};
use super::key_change::{self, KeyAge};
use super::serving::Shutdown;
use crate::clock;
use crate::config::Configuration;
use ::steward::Steward;
use ::steward::rotation::{Fault, Ticked, Urgency};
use ::store::Store;
use std::time::Duration;

/// Between two looks at what is due, and at what waits.
const TICK: Duration = Duration::from_secs(5);
/// Looks between two readings of what `/metrics` shows.
const STATUS_EVERY: u32 = 12;
/// Looks between two examinations of strength and reach: an hour.
const EXAMINE_EVERY: u32 = 720;

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
        let steward = super::steward::of(configuration, store, &databases)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Source};
    use std::os::unix::fs::PermissionsExt as _;
    use testkit::postgres::Postgres;

    const SOUND: &str = "host all all 127.0.0.1/32 scram-sha-256\n";

    fn private(path: &std::path::Path, bytes: &[u8]) {
        std::fs::write(path, bytes).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A database that was sound at the start opens its door to everybody while the server runs.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_fact_that_changes_turns_a_node_not_ready_and_ends_nothing() {
        let cluster = Postgres::start();
        cluster.edit_hba(SOUND);
        cluster.reload();
        let database = cluster.fresh_database();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.toml");
        let text = format!(
            "environment = \"staging\"\n[identity]\nissuer = \"http://localhost:1/\"\nkey_encryption_key_file = \"kek\"\n\
             [store]\nurl = \"sqlcipher:portcullis.db\"\n[[database]]\nname = \"backend\"\nurl = \"{}\"\n\
             password_file = \"password\"\nsecret = {{ file = \"backend.json\" }}\n",
            database.url()
        );
        std::fs::write(&path, text).unwrap();
        private(&folder.path().join("kek"), &[7; 32]);
        private(&folder.path().join("password"), database.password.as_bytes());
        let configuration = Configuration::load(&Source {
            file: Some(&path),
            defaults: toml::Table::new(),
            folder: folder.path(),
            environment: &std::collections::BTreeMap::new(),
        })
        .unwrap();
        let store = super::super::store::open(&configuration, true).await.unwrap();
        let databases =
            super::super::databases::all(&configuration, super::super::databases::Purpose::Serve).unwrap();
        let stewardship = Stewardship::of(&configuration, &store, databases).unwrap();
        let red = || stewardship.known.not_ready(Environment::Staging);

        stewardship.examine().await;
        assert_eq!(red(), Vec::<String>::new(), "sound at first");
        cluster.edit_hba("host all all 127.0.0.1/32 trust\n");
        cluster.reload();
        stewardship.examine().await;
        let named = red();
        assert!(named.iter().any(|why| why.starts_with("database backend: ")), "{named:?}");
        assert_eq!(stewardship.known.not_ready(Environment::Production), named);
        assert_eq!(stewardship.known.not_ready(Environment::Development), Vec::<String>::new());
        cluster.edit_hba(SOUND);
        cluster.reload();
        stewardship.examine().await;
        assert_eq!(red(), Vec::<String>::new(), "mended");
        store.close().await;
    }
}
