//! Mail that waits to be sent. Contents are sealed by the caller: a link in it would open an account.

use crate::connection::pending;
use crate::{Fault, Store};

/// How long a claimed mail is left to the node that claimed it, in seconds.
pub const MAIL_LEASE: i64 = 120;

/// A mail to enqueue.
#[derive(Clone, PartialEq, Eq)]
pub struct NewMail {
    /// Its id.
    pub id: String,
    /// Encrypted by the caller.
    pub sealed: Vec<u8>,
}

crate::redacted::redacted!(NewMail: id);

/// A mail that this node has claimed.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its id.
    pub id: String,
    /// Encrypted by the caller.
    pub sealed: Vec<u8>,
    /// Attempts so far, this one included.
    pub attempts: i64,
}

crate::redacted::redacted!(Mail: id, attempts);

impl Store {
    /// Puts a mail into the outbox.
    pub async fn enqueue_mail(&self, _id: &str, _sealed: &[u8], _now: i64) -> Result<(), Fault> {
        pending()
    }
    /// Claims mail that is due, oldest first, for [`MAIL_LEASE`] seconds: no other node gets it meanwhile.
    pub async fn due_mail(&self, _now: i64, _limit: u64) -> Result<Vec<Mail>, Fault> {
        pending()
    }
    /// The mail has left: its row goes.
    pub async fn mail_sent(&self, _id: &str) -> Result<bool, Fault> {
        pending()
    }
    /// The mail did not leave: when to try again, and why.
    pub async fn mail_failed(&self, _id: &str, _next_attempt_at: i64, _error: &str) -> Result<bool, Fault> {
        pending()
    }
    /// How many wait.
    pub async fn mail_waiting(&self) -> Result<u64, Fault> {
        pending()
    }
}
