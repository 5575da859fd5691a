//! Clients and APIs, remembered so that a token costs no read of the store.
//!
//! The change feed of the store says what to forget ([`crate::Identity::apply_change`]); besides, nothing is believed longer
//! than [`LIFETIME`]. What a slow read brings back after a change is not remembered. Unknown names are never remembered: a stranger could fill the
//! memory with them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Seconds that something is believed without hearing of a change: a second line, should the feed stop.
const LIFETIME: i64 = 60;
/// Entries at most; beyond, all are forgotten and read anew.
const BOUND: usize = 10_000;

/// A remembered table of the store.
#[derive(Debug)]
pub(crate) struct Known<T> {
    entries: RwLock<HashMap<String, (i64, Arc<T>)>>,
    generation: AtomicU64,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { entries: RwLock::default(), generation: AtomicU64::new(0) }
    }
}

/// The generation in which a read of the store began.
pub(crate) struct Reading(u64);

impl<T> Known<T> {
    /// What is remembered of this name.
    pub(crate) fn find(&self, name: &str, now: i64) -> Option<Arc<T>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let (since, value) = entries.get(name)?;
        let age = now - since;
        (0..LIFETIME).contains(&age).then(|| Arc::clone(value))
    }

    /// To be called before the store is read.
    pub(crate) fn reading(&self) -> Reading {
        Reading(self.generation.load(Ordering::SeqCst))
    }

    /// Remembers what was read, unless something changed meanwhile.
    pub(crate) fn remember(&self, name: &str, value: &Arc<T>, reading: &Reading, now: i64) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: a change that comes now waits for it and then removes what is inserted here.
        if self.generation.load(Ordering::SeqCst) != reading.0 {
            return;
        }
        if entries.len() >= BOUND {
            entries.clear();
        }
        entries.insert(name.to_owned(), (now, Arc::clone(value)));
    }

    /// Forgets one.
    pub(crate) fn forget(&self, name: &str) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Forgets all.
    pub(crate) fn forget_all(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.entries.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_until_told_or_until_its_time_is_up() {
        let known = Known::default();
        known.remember("a", &Arc::new(1), &known.reading(), 100);
        assert_eq!(known.find("a", 159).as_deref(), Some(&1));
        assert_eq!(known.find("a", 160), None);
        assert_eq!(known.find("a", 99), None, "a clock that went back believes nothing");
        known.forget("a");
        assert_eq!(known.find("a", 100), None);
    }

    #[test]
    fn a_read_that_began_before_a_change_is_not_remembered() {
        let known = Known::default();
        let reading = known.reading();
        known.forget("a");
        known.remember("a", &Arc::new(1), &reading, 0);
        assert_eq!(known.find("a", 0), None);
    }

    #[test]
    fn memory_is_bounded() {
        let known = Known::default();
        for n in 0..=BOUND {
            known.remember(&n.to_string(), &Arc::new(n), &known.reading(), 0);
        }
        assert!(known.entries.read().unwrap().len() <= BOUND);
        known.forget_all();
        assert_eq!(known.entries.read().unwrap().len(), 0);
    }
}
