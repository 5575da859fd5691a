//! Counters per bucket and window: atomic over nodes, and they survive restarts.

use crate::connection::pending;
use crate::{Fault, Store};

/// What a take found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether this one was within the limit.
    pub allowed: bool,
    /// Takes in the window, this one included when it was allowed.
    pub count: u32,
    /// When the window began, Unix seconds.
    pub window_start: i64,
}

impl Store {
    /// Takes one from the bucket in one statement: never more than `limit` in a window of `window_seconds`.
    pub async fn take_throttle(
        &self,
        _key: &str,
        _limit: u32,
        _window_seconds: i64,
        _now: i64,
    ) -> Result<Taken, Fault> {
        pending()
    }
    /// Empties the bucket, after a success.
    pub async fn clear_throttle(&self, _key: &str) -> Result<(), Fault> {
        pending()
    }
}
