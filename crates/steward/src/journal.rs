//! The durable journal: what is intended is written here, secrets sealed, before the database is touched.
//!
//! Every write replaces exactly the row that was read, so of racing stewards one writes and the others read again.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use store::{RotationRow, Seal, Store};
use zeroize::Zeroizing;

use crate::Credential;
use crate::rotation::{Fault, Fresh, Proof, Report, State, StepTaken};

/// A credential as the journal holds it.
#[derive(Clone, Debug)]
pub struct Held {
    /// How to log in.
    pub credential: Credential,
    /// The verifier that belongs to it, where it was made here. Kept, so that a retry sets the very same one.
    pub verifier: Option<SecretString>,
    /// When the database took it, Unix seconds by its own clock.
    pub set_at: Option<i64>,
}

/// How far a rotation has come, without a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Course {
    /// The newest generation that the ledger had when the rotation was prepared.
    pub expects: i64,
    /// What was done and when.
    pub steps: Vec<StepTaken>,
    /// When the new credential stood at its place, Unix seconds by the database's clock.
    pub delivered_at: Option<i64>,
    /// When a session of the new role was first seen.
    pub seen_at: Option<i64>,
    /// Since when no session of the old role has been seen.
    pub quiet_since: Option<i64>,
    /// The most sessions of the old role seen after delivery.
    pub drained: i64,
    /// Sessions that had to be ended.
    pub terminated: i64,
    /// What has been shown so far.
    pub proofs: Vec<Proof>,
}

/// One row of the journal, opened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The row as it was read: what the next write replaces.
    row: RotationRow,
    /// Where the rotation stands.
    pub state: State,
    /// The credential in use.
    pub current: Held,
    /// The next one.
    pub pending: Option<Held>,
    /// The one before.
    pub previous: Option<Held>,
    /// How far it has come.
    pub course: Course,
    /// What the last finished rotation left.
    pub report: Option<Report>,
    /// What went wrong last.
    pub fault: Option<String>,
}

impl Entry {
    /// The database, or its administrator.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.row.name
    }

    /// The generation of the credential in use.
    #[must_use]
    pub fn generation(&self) -> i64 {
        self.current.credential.generation
    }
}

/// The journal of every database.
#[derive(Clone)]
pub struct Journal {
    store: Store,
    seal: Arc<Seal>,
    fresh: Fresh,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    credential: String,
    verifier: Option<String>,
    set_at: Option<i64>,
}

impl Drop for Sealed {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        self.credential.zeroize();
        self.verifier.zeroize();
    }
}

impl Journal {
    /// The journal in this store, under this seal.
    #[must_use]
    pub fn new(store: Store, seal: Arc<Seal>, fresh: Fresh) -> Self {
        Self { store, seal, fresh }
    }

    /// What is known of a database; none before its first rotation.
    ///
    /// # Errors
    /// [`Fault::Journal`] when it does not open, [`Fault::Store`].
    pub async fn load(&self, name: &str) -> Result<Option<Entry>, Fault> {
        self.store.rotation(name).await?.map(|row| self.open(row)).transpose()
    }

    /// The first entry, of the credential that is in use today; answers the stored one where somebody was faster.
    ///
    /// # Errors
    /// [`Fault::Journal`], [`Fault::Store`].
    pub async fn begin(&self, name: &str, current: &Held, now: i64) -> Result<Entry, Fault> {
        let row = RotationRow {
            name: name.to_owned(),
            revision: 1,
            generation: current.credential.generation,
            state: State::Stable.word().to_owned(),
            current: self.close(name, "current", current)?,
            pending: None,
            previous: None,
            progress: json(name, &Course::default())?,
            report: None,
            fault: None,
            updated_at: now,
        };
        self.store.begin_rotations(&row).await?;
        let stored = self.load(name).await?;
        stored.ok_or_else(|| Fault::Overtaken(name.to_owned()))
    }

    /// Replaces what was read by `next`, an altered copy of it. None when the stored row has moved on.
    ///
    /// # Errors
    /// [`Fault::Journal`], [`Fault::Store`].
    pub async fn advance(&self, next: &Entry, now: i64) -> Result<Option<Entry>, Fault> {
        let row = self.row(next, now)?;
        let advanced = self.store.advance_rotation(&next.row, &row).await?;
        Ok(advanced.then(|| Entry { row, ..next.clone() }))
    }

    /// Another credential takes the place of what was read, with a history of its own. None when the stored row has moved
    /// on: then somebody else's credential stands there, which must not get lost.
    ///
    /// # Errors
    /// [`Fault::Journal`], [`Fault::Store`].
    pub async fn begin_anew(&self, read: &Entry, current: Held, now: i64) -> Result<Option<Entry>, Fault> {
        let next = Entry {
            row: read.row.clone(),
            state: State::Stable,
            current,
            pending: None,
            previous: None,
            course: Course::default(),
            report: None,
            fault: None,
        };
        let row = self.row(&next, now)?;
        let begun = self.store.begin_rotation_anew(&read.row, &row).await?;
        Ok(begun.then(|| Entry { row, ..next }))
    }

    /// The row that is to take the place of the one that an entry was read from.
    fn row(&self, next: &Entry, now: i64) -> Result<RotationRow, Fault> {
        let name = next.row.name.as_str();
        let part = |part: &'static str, held: &Option<Held>| {
            held.as_ref().map(|held| self.close(name, part, held)).transpose()
        };
        Ok(RotationRow {
            name: name.to_owned(),
            revision: next.row.revision + 1,
            generation: next.generation(),
            state: next.state.word().to_owned(),
            current: self.close(name, "current", &next.current)?,
            pending: part("pending", &next.pending)?,
            previous: part("previous", &next.previous)?,
            progress: json(name, &next.course)?,
            report: next.report.as_ref().map(|report| json(name, report)).transpose()?,
            fault: next.fault.clone(),
            updated_at: now,
        })
    }

    /// Whether another steward has gone on since this entry was read. What was concluded from it is stale then: a password
    /// that is refused may have been replaced in between. A fault that was only noted is no step.
    ///
    /// # Errors
    /// [`Fault::Journal`], [`Fault::Store`].
    pub async fn has_moved_on(&self, read: &Entry) -> Result<bool, Fault> {
        let stored = self.load(read.name()).await?;
        Ok(stored.is_none_or(|stored| {
            let step = |entry: &Entry| (entry.state, entry.generation(), entry.course.clone());
            step(&stored) != step(read)
        }))
    }

    /// Forgets a database: after `unadopt`.
    ///
    /// # Errors
    /// [`Fault::Store`].
    pub async fn forget(&self, name: &str) -> Result<bool, Fault> {
        Ok(self.store.forget_rotations(name).await?)
    }

    fn open(&self, row: RotationRow) -> Result<Entry, Fault> {
        let unreadable = |reason: &str| Fault::Journal { name: row.name.clone(), reason: reason.to_owned() };
        let part = |part: &'static str, sealed: &Vec<u8>| -> Result<Held, Fault> {
            let place = place(&row.name, part);
            let plain = self.seal.open("credentials", &place, sealed).map_err(|fault| {
                unreadable(&format!(
                    "{fault}; it was sealed under the key that `key_encryption_key_file` held then"
                ))
            })?;
            let sealed: Sealed = serde_json::from_slice(&plain).map_err(|_| unreadable("no such form"))?;
            Ok(Held {
                credential: Credential::from_json(&sealed.credential)
                    .map_err(|fault| unreadable(&fault.to_string()))?,
                verifier: sealed.verifier.clone().map(SecretString::from),
                set_at: sealed.set_at,
            })
        };
        let state = State::of_word(&row.state).ok_or_else(|| unreadable("an unknown state"))?;
        let current = part("current", &row.current)?;
        if current.credential.generation != row.generation {
            return Err(unreadable("its generation contradicts the sealed one"));
        }
        Ok(Entry {
            state,
            pending: row.pending.as_ref().map(|sealed| part("pending", sealed)).transpose()?,
            previous: row.previous.as_ref().map(|sealed| part("previous", sealed)).transpose()?,
            course: serde_json::from_str(&row.progress)
                .map_err(|_| unreadable("its progress is no JSON of ours"))?,
            report: match &row.report {
                Some(report) => Some(
                    serde_json::from_str(report).map_err(|_| unreadable("its report is no JSON of ours"))?,
                ),
                None => None,
            },
            fault: row.fault.clone(),
            current,
            row,
        })
    }

    fn close(&self, name: &str, part: &'static str, held: &Held) -> Result<Vec<u8>, Fault> {
        let sealed = Sealed {
            credential: held.credential.to_json().expose_secret().to_owned(),
            verifier: held.verifier.as_ref().map(|verifier| verifier.expose_secret().to_owned()),
            set_at: held.set_at,
        };
        let failed = |reason: String| Fault::Journal { name: name.to_owned(), reason };
        let plain = Zeroizing::new(serde_json::to_vec(&sealed).map_err(|error| failed(error.to_string()))?);
        let mut nonce = [0; 12];
        (self.fresh)(&mut nonce)?;
        self.seal.close(&place(name, part), &plain, nonce).map_err(|fault| failed(fault.to_string()))
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Journal(…)")
    }
}

/// Bound to the row and its part: sealed bytes that were moved elsewhere do not open.
fn place(name: &str, part: &str) -> String {
    format!("rotation:{part}:{name}")
}

fn json(name: &str, value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value)
        .map_err(|error| Fault::Journal { name: name.to_owned(), reason: error.to_string() })
}
