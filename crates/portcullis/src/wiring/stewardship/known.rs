//! What is known of the databases: for `/metrics`, and for `/readyz`.

use super::Examination;
use crate::config::Environment;
use ::steward::rotation::Status;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

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
    pub(super) fn change(&self, name: &str, change: impl FnOnce(&mut Entry)) {
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
