//! The keys that an issuer's tokens are verified with: our own, fed by the binary, or a foreign issuer's, fetched and
//! kept for a while.
//!
//! A foreign set is refreshed every ten minutes, served stale for at most a day while its issuer does not answer, and
//! fetched for an unknown `kid` at most once a minute, however many tokens name one. Fetches happen one at a time and
//! outlive the request that began them; whoever waited for one that failed is answered, and does not try again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use jose::KeySet;
use tokio::sync::Mutex;

use crate::config::IssuerConfig;
use crate::fetch;
use crate::metrics::{Metrics, count};

/// Seconds after which a foreign set is asked for again.
const REFRESH: i64 = 600;
/// Seconds after which a foreign set that could not be refreshed is no longer trusted.
const STALE: i64 = 24 * 3600;
/// Seconds between two fetches for an unknown `kid`, and between two tries to refresh.
pub const UNKNOWN_KEY_WINDOW: i64 = 60;
/// Seconds between two tries while there is no set at all.
const EMPTY_RETRY: i64 = 2;

/// A set of keys, and which one it is: what was verified with another generation is verified again.
pub(crate) type Held = (Arc<KeySet>, u64);

/// The keys of our own issuer. Cheap to share; the binary replaces the set when it changes.
#[derive(Debug)]
pub struct OwnKeys {
    held: ArcSwap<(Arc<KeySet>, u64)>,
}

impl OwnKeys {
    /// The keys that are published now.
    #[must_use]
    pub fn new(keys: KeySet) -> Self {
        Self { held: ArcSwap::from_pointee((Arc::new(keys), 0)) }
    }

    /// Takes a new set. Tokens remembered under the old one are verified again, so a withdrawn key ends at once.
    pub fn replace(&self, keys: KeySet) {
        let keys = Arc::new(keys);
        self.held.rcu(|held| Arc::new((Arc::clone(&keys), held.1.wrapping_add(1))));
    }

    fn held(&self) -> Held {
        let held = self.held.load();
        (Arc::clone(&held.0), held.1)
    }

    fn generation(&self) -> u64 {
        self.held.load().1
    }
}

/// Where one issuer's keys come from.
#[derive(Debug, Clone)]
pub(crate) enum KeySource {
    Own(Arc<OwnKeys>),
    Foreign(Arc<Foreign>),
}

impl KeySource {
    /// The keys to verify with at `now`; none when there never were any, or they are too old.
    pub(crate) async fn current(&self, now: i64) -> Option<Held> {
        match self {
            Self::Own(own) => Some(own.held()),
            Self::Foreign(foreign) => foreign.current(now).await,
        }
    }

    /// The keys after one more look, for a token whose `kid` the set of `generation` lacks; none when there is nothing
    /// newer.
    pub(crate) async fn for_unknown_key(&self, generation: u64, now: i64) -> Option<Held> {
        match self {
            Self::Own(own) => Some(own.held()).filter(|held| held.1 != generation),
            Self::Foreign(foreign) => foreign.for_unknown_key(generation, now).await,
        }
    }

    /// Whether what was verified with `generation` still holds at `now`.
    pub(crate) fn still_holds(&self, generation: u64, now: i64) -> bool {
        match self {
            Self::Own(own) => own.generation() == generation,
            Self::Foreign(foreign) => foreign.still_holds(generation, now),
        }
    }
}

/// A foreign issuer's keys.
#[derive(Debug)]
pub(crate) struct Foreign {
    pub(crate) issuer: IssuerConfig,
    metrics: Arc<Metrics>,
    held: ArcSwapOption<KeySet>,
    generation: AtomicU64,
    fetched_at: AtomicI64,
    /// When the next refresh is due.
    due_at: AtomicI64,
    /// When a fetch for an unknown `kid` was begun last.
    unknown_at: AtomicI64,
    /// How many fetches have failed.
    failures: AtomicU64,
    /// Held during a fetch.
    flight: Arc<Mutex<()>>,
}

impl Foreign {
    pub(crate) fn new(issuer: IssuerConfig, metrics: Arc<Metrics>) -> Self {
        Self {
            issuer,
            metrics,
            held: ArcSwapOption::empty(),
            generation: AtomicU64::new(0),
            fetched_at: AtomicI64::new(i64::MIN),
            due_at: AtomicI64::new(i64::MIN),
            unknown_at: AtomicI64::new(i64::MIN),
            failures: AtomicU64::new(0),
            flight: Arc::default(),
        }
    }

    /// Whether a set is there that may be used.
    pub(crate) fn has_keys(&self, now: i64) -> bool {
        self.held.load().is_some() && !self.is_stale(now)
    }

    async fn current(self: &Arc<Self>, now: i64) -> Option<Held> {
        if self.has_keys(now) {
            if self.claim_refresh(now) {
                self.refresh_behind(now);
            }
            return self.held();
        }
        self.refresh_now(now).await;
        self.has_keys(now).then(|| self.held()).flatten()
    }

    fn still_holds(self: &Arc<Self>, generation: u64, now: i64) -> bool {
        if self.claim_refresh(now) {
            self.refresh_behind(now);
        }
        self.generation.load(Ordering::Acquire) == generation && !self.is_stale(now)
    }

    async fn for_unknown_key(self: &Arc<Self>, generation: u64, now: i64) -> Option<Held> {
        let newer = || self.held().filter(|held| held.1 != generation);
        if let Some(held) = newer() {
            return Some(held);
        }
        if within(self.unknown_at.load(Ordering::Acquire), now, UNKNOWN_KEY_WINDOW)
            && self.flight.try_lock().is_ok()
        {
            return None;
        }
        self.look(now, || {
            let due = self.generation.load(Ordering::Acquire) == generation
                && !within(self.unknown_at.load(Ordering::Acquire), now, UNKNOWN_KEY_WINDOW);
            if due {
                self.unknown_at.store(now, Ordering::Release);
            }
            due
        })
        .await;
        newer()
    }

    /// Waits for a set: for one that is being fetched, or fetches it unless that was just tried.
    async fn refresh_now(self: &Arc<Self>, now: i64) {
        self.look(now, || {
            let due = !self.has_keys(now) && now >= self.due_at.load(Ordering::Acquire);
            if due {
                self.due_at.store(now.saturating_add(EMPTY_RETRY), Ordering::Release);
            }
            due
        })
        .await;
    }

    fn refresh_behind(self: &Arc<Self>, now: i64) {
        let this = Arc::clone(self);
        tokio::spawn(async move { this.look(now, || true).await });
    }

    /// Waits for the fetch under way, if there is one, and then fetches if that is still `due`. What failed meanwhile is
    /// not tried again for the one that waited: while an issuer hangs, a queue in which everyone tries would grow
    /// without end, and the last in it would wait for all the others.
    async fn look(self: &Arc<Self>, now: i64, due: impl FnOnce() -> bool) {
        let failures = self.failures.load(Ordering::Acquire);
        let flight = Arc::clone(&self.flight).lock_owned().await;
        if self.failures.load(Ordering::Acquire) != failures || !due() {
            return;
        }
        let this = Arc::clone(self);
        // Runs to the end even when the request that waits goes away: otherwise a client that hangs up could undo a
        // fetch. The only error is a panic in the task, which left no set.
        let _ = tokio::spawn(async move {
            this.fetch(now).await;
            drop(flight);
        })
        .await;
    }

    /// True for the one that shall refresh now; the next may after a window.
    fn claim_refresh(&self, now: i64) -> bool {
        let due = self.due_at.load(Ordering::Acquire);
        due != i64::MIN
            && now >= due
            && self
                .due_at
                .compare_exchange(
                    due,
                    now.saturating_add(UNKNOWN_KEY_WINDOW),
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                )
                .is_ok()
    }

    async fn fetch(&self, now: i64) {
        count(&self.metrics.key_fetches);
        match fetch::fetch(&self.issuer).await {
            Ok(keys) => self.take(keys, now),
            Err(error) => {
                count(&self.metrics.key_fetch_failures);
                self.failures.fetch_add(1, Ordering::AcqRel);
                tracing::warn!(issuer = %self.issuer.url, %error, "the issuer's keys cannot be had");
            }
        }
    }

    fn take(&self, keys: KeySet, now: i64) {
        let same = self.held.load().as_ref().is_some_and(|held| held.to_json() == keys.to_json());
        if !same {
            self.held.store(Some(Arc::new(keys)));
            // After the set: whoever sees the new number gets the new set.
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
        self.fetched_at.store(now, Ordering::Release);
        self.due_at.store(now.saturating_add(REFRESH), Ordering::Release);
    }

    /// The number is read before the set: a set that is newer than its number is at worst verified with once more.
    fn held(&self) -> Option<Held> {
        let generation = self.generation.load(Ordering::Acquire);
        self.held.load_full().map(|keys| (keys, generation))
    }

    fn is_stale(&self, now: i64) -> bool {
        now.saturating_sub(self.fetched_at.load(Ordering::Acquire)) >= STALE
    }
}

/// Whether `now` lies in the window that began at `start`. A clock that went back opens a new window.
fn within(start: i64, now: i64, seconds: i64) -> bool {
    start <= now && now.saturating_sub(start) < seconds
}
