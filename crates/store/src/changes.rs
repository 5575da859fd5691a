//! What other nodes must hear: one row for each commit that alters something they remember.

use crate::connection::pending;
use crate::{Fault, Store};
use std::time::Duration;

/// The kinds of change.
pub mod kind {
    /// A session ended; the key is its id.
    pub const SESSION: &str = "session";
    /// A user's tokens issued before `at` are dead, or the user's rights changed; the key is the user's id.
    pub const SUBJECT: &str = "subject";
    /// A client was made, changed, disabled or deleted; read it again. The key is its id.
    pub const CLIENT: &str = "client";
    /// The key set changed; the key is the `kid`.
    pub const SIGNING_KEY: &str = "signing_key";
    /// An API key was made, revoked or deleted; the key is its id.
    pub const API_KEY: &str = "api_key";
    /// An API changed; the key is its identifier.
    pub const API: &str = "api";
    /// A role changed; the key is its name.
    pub const ROLE: &str = "role";
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRow {
    /// Grows; on PostgreSQL a lower one may appear a moment after a higher one.
    pub seq: i64,
    /// One of [`kind`].
    pub kind: String,
    /// What changed.
    pub key: String,
    /// Unix seconds.
    pub at: i64,
}

/// What a starting node must know: tokens of these issued before the given Unix second are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    /// Ended sessions: id and when.
    pub sessions: Vec<(String, i64)>,
    /// Users (blocked, deleted, new password): id and `not_before`.
    pub subjects: Vec<(String, i64)>,
    /// Clients (disabled, deleted): id and when.
    pub clients: Vec<(String, i64)>,
}

impl Store {
    /// Changes with a number above `seq - window`, in order. The window is read again each time, since sequences commit
    /// out of order; the reader skips what it has seen.
    pub async fn changes_after(&self, _seq: i64, _window: i64) -> Result<Vec<ChangeRow>, Fault> {
        pending()
    }
    /// The highest number so far, 0 when there is none.
    pub async fn latest_seq(&self) -> Result<i64, Fault> {
        pending()
    }
    /// Revocations at or after this moment.
    pub async fn revocations_since(&self, _since: i64) -> Result<Revocations, Fault> {
        pending()
    }
    /// Deletes changes and revocations before this moment, which must lie further back than the longest-lived token.
    pub async fn prune_changes(&self, _before: i64) -> Result<u64, Fault> {
        pending()
    }
    /// Deletes what time has ended: sessions, refresh tokens, reset links, throttles. Nodes may all call it.
    pub async fn prune_expired(&self, _now: i64) -> Result<u64, Fault> {
        pending()
    }
    /// Returns when something changed or the time is up; true when woken. Only a hint: polling is the guarantee.
    pub async fn wait_for_change(&self, _timeout: Duration) -> bool {
        false
    }
}
