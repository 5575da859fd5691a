//! What every step of a rotation needs: the configuration, the journal, and how things are said.

use std::collections::BTreeMap;

use secrecy::SecretString;
use store::Store;

use super::next_step::Login;
use super::observe::{self, attempt};
use super::{Clock, Database, Fault, Fresh, Progress, administrator};
use crate::connect::logout;
use crate::journal::{Entry, Held, Journal};
use crate::ledger::{self, Kind, LedgerError};
use crate::{Credential, sql};

/// All that steps need.
pub(crate) struct Hands<'a> {
    pub(crate) database: &'a Database,
    /// All that the steward looks after, by name: several may have one administrator.
    pub(crate) databases: &'a BTreeMap<String, Database>,
    pub(crate) journal: &'a Journal,
    pub(crate) store: &'a Store,
    pub(crate) clock: &'a Clock,
    pub(crate) fresh: &'a Fresh,
    pub(crate) progress: &'a (dyn Fn(&Progress) + Send + Sync),
    /// Of one process only one hand delivers at a time.
    pub(crate) delivering: &'a tokio::sync::Mutex<()>,
}

impl Hands<'_> {
    /// The configured URL and password.
    pub(crate) fn configured(&self) -> Result<Credential, Fault> {
        Credential::from_url(&self.database.url, self.database.password.as_ref()).map_err(|error| {
            Fault::Configuration { name: self.database.name.clone(), reason: error.to_string() }
        })
    }

    /// A journal's credential at the place that the configuration names today: databases move.
    pub(crate) fn at_configured(&self, credential: &Credential) -> Result<Credential, Fault> {
        let none = SecretString::from(String::new());
        let today = Credential::from_url(&self.database.url, Some(&none)).map_err(|error| {
            Fault::Configuration { name: self.database.name.clone(), reason: error.to_string() }
        })?;
        Ok(Credential {
            username: credential.username.clone(),
            password: credential.password.clone(),
            generation: credential.generation,
            ..today
        })
    }

    /// The administrator's credentials at this database: the journal's, then the configured one.
    pub(crate) async fn administrators(&self) -> Result<Vec<Credential>, Fault> {
        let mut all = Vec::new();
        if let Some(entry) = self.journal.load(&administrator::entry_name(&self.database.name)).await? {
            for held in [Some(&entry.current), entry.pending.as_ref()].into_iter().flatten() {
                all.push(self.at_configured(&held.credential)?);
            }
        }
        if let Some(configured) = administrator::configured(self)? {
            all.push(self.at_configured(&configured)?);
        }
        Ok(all)
    }

    pub(crate) fn database_fault(&self, doing: &'static str, error: &sqlx::Error) -> Fault {
        let name = self.database.name.clone();
        match error.as_database_error() {
            Some(inner) => {
                let code = inner.code().unwrap_or_default();
                Fault::Database { name, doing, reason: format!("{code} {}", inner.message()) }
            }
            None => Fault::Unreachable { name, reason: sql::reason(error) },
        }
    }

    pub(crate) fn ledger_fault(&self, doing: &'static str, error: &LedgerError) -> Fault {
        let name = self.database.name.clone();
        if observe::is_missing(error) {
            Fault::NotAdopted(name)
        } else {
            Fault::Database { name, doing, reason: error.to_string() }
        }
    }

    pub(crate) fn say(&self, entry: &Entry, text: impl Into<String>) {
        let role = entry.pending.as_ref().unwrap_or(&entry.current).credential.username.clone();
        let done = u32::try_from(entry.course.steps.len()).unwrap_or(Progress::STEPS).min(Progress::STEPS);
        (self.progress)(&Progress { role, state: entry.state, done, text: text.into() });
    }

    /// The journal's entry; its first one is made from the configured credential, which must log in.
    pub(crate) async fn entry(&self) -> Result<Entry, Fault> {
        if let Some(entry) = self.journal.load(&self.database.name).await? {
            return Ok(entry);
        }
        let name = self.database.name.clone();
        let mut credential = self.configured()?;
        let (outcome, session, said) = attempt(&credential).await;
        let Some(mut session) = session else {
            // Another steward may have begun, and changed it, since the look at the journal.
            if let Some(entry) = self.journal.load(&name).await? {
                return Ok(entry);
            }
            return Err(match outcome {
                Login::Refused => {
                    Fault::LockedOut { name, tried: format!("{}: {said}", credential.username) }
                }
                _ => Fault::Unreachable { name, reason: said },
            });
        };
        let slots = ledger::slots(&mut session).await;
        logout(session).await;
        let slots = slots.map_err(|error| self.ledger_fault("reading the ledger", &error))?;
        if !slots.iter().any(|slot| slot.kind == Kind::Slot) {
            return Err(Fault::NotAdopted(name));
        }
        let slot = slots.iter().find(|slot| slot.role == credential.username);
        credential.generation = slot.map_or(0, |slot| slot.generation);
        let set_at = slot.and_then(|slot| slot.set_at);
        self.journal.begin(&name, &Held { credential, verifier: None, set_at }, (self.clock)()).await
    }
}
