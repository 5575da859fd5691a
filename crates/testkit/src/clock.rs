//! A clock that stands still until the test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// 1 January 2026, 00:00 UTC, in Unix seconds: the moment at which tests begin unless they say otherwise.
pub const START: i64 = 1_767_225_600;

/// A clock in Unix seconds, shared by its clones.
#[derive(Clone, Debug)]
pub struct FixedClock {
    now: Arc<AtomicI64>,
}

impl FixedClock {
    /// A clock that stands at `now`, in Unix seconds.
    pub fn at(now: i64) -> Self {
        Self { now: Arc::new(AtomicI64::new(now)) }
    }

    /// What the clock shows, in Unix seconds.
    pub fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    /// Moves the clock on by `seconds` (back, when negative).
    pub fn advance(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Sets the clock to `now`, in Unix seconds.
    pub fn set(&self, now: i64) {
        self.now.store(now, Ordering::SeqCst);
    }

    /// The clock as the function that rooms take.
    pub fn function(&self) -> Arc<dyn Fn() -> i64 + Send + Sync> {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

impl Default for FixedClock {
    fn default() -> Self {
        Self::at(START)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_show_the_same_time() {
        let clock = FixedClock::default();
        let read = clock.function();
        clock.clone().advance(61);
        assert_eq!(read(), START + 61);
        clock.set(7);
        assert_eq!(clock.now(), 7);
    }
}
