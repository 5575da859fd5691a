//! The key of Portcullis's own encrypted file: how old it is, and its change, offline or by the server.

use crate::clock;
use secrecy::SecretSlice;
use serde::{Deserialize, Serialize};
use std::path::Path;
use store::{Fault, RotationRow, Store};

use super::databases::STORE;

/// How long a key may be used where nobody said.
pub const DEFAULT_MAXIMUM_AGE: i64 = 90 * 86_400;

/// What a change of key leaves in the journal. No secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyReport {
    /// How many keys there have been since the first.
    pub generation: i64,
    /// Unix seconds.
    pub started_at: i64,
    /// Unix seconds.
    pub finished_at: i64,
}

/// When the key in force was made, Unix seconds, and the last change. Before the first one the key file's date is all that
/// there is, and that date is no proof.
#[derive(Clone, Debug, Serialize)]
pub struct KeyAge {
    /// Unix seconds; none: not known.
    pub set_at: Option<i64>,
    /// Whether the journal says so, and not a file's date.
    pub recorded: bool,
    /// The last change.
    pub last: Option<KeyReport>,
}

impl KeyAge {
    /// What the journal knows, else the key file's date.
    pub async fn of(store: &Store, key_file: Option<&Path>) -> Result<Self, Fault> {
        let row = store.rotation(STORE).await?;
        let last: Option<KeyReport> = row.and_then(|row| serde_json::from_str(row.report.as_deref()?).ok());
        if let Some(last) = last {
            return Ok(KeyAge { set_at: Some(last.finished_at), recorded: true, last: Some(last) });
        }
        let changed = key_file.and_then(|file| file.metadata().ok()?.modified().ok());
        let set_at = changed
            .and_then(|changed| changed.duration_since(std::time::UNIX_EPOCH).ok())
            .and_then(|since| i64::try_from(since.as_secs()).ok());
        Ok(KeyAge { set_at, recorded: false, last: None })
    }

    /// Seconds.
    pub fn seconds(&self) -> Option<i64> {
        self.set_at.map(|set_at| (clock::now() - set_at).max(0))
    }

    /// Unix seconds when the next change is due.
    pub fn due_at(&self, maximum_age: i64) -> Option<i64> {
        self.set_at.map(|set_at| set_at.saturating_add(maximum_age))
    }
}

/// A new key.
pub fn new_key() -> Result<SecretSlice<u8>, String> {
    clock::fresh::<32>().map(|bytes| bytes.to_vec().into())
}

/// Writes a finished change into the journal, which lies in the file itself.
pub async fn record(store: &Store, started_at: i64) -> Result<KeyReport, Fault> {
    let finished_at = clock::now();
    let row = |generation: i64, revision: i64, report: &KeyReport| RotationRow {
        name: STORE.to_owned(),
        revision,
        generation,
        state: "stable".to_owned(),
        // The key stands in its file and nowhere else.
        current: Vec::new(),
        pending: None,
        previous: None,
        progress: "{}".to_owned(),
        report: serde_json::to_string(report).ok(),
        fault: None,
        updated_at: finished_at,
    };
    loop {
        let seen = store.rotation(STORE).await?;
        let generation = seen.as_ref().map_or(1, |seen| seen.generation + 1);
        let report = KeyReport { generation, started_at, finished_at };
        let written = match &seen {
            None => store.begin_rotations(&row(generation, 1, &report)).await?,
            Some(seen) => store.advance_rotation(seen, &row(generation, seen.revision + 1, &report)).await?,
        };
        if written {
            return Ok(report);
        }
    }
}
