//! The change feed: what was committed on any node, or by the command line, reaches what this node remembers.

use super::identity::LONGEST_TOKEN;
use super::serving::Shutdown;
use crate::clock::now;
use ::gateway::{OwnKeys, Revocation, Revocations};
use ::identity::Identity;
use ::store::{ChangeRow, Fault, Store, kind};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Twice a second: with it a revocation is refused within a second on every node.
const POLL: Duration = Duration::from_millis(500);
/// Sequences commit out of order: this many numbers behind the newest seen are read again.
const WINDOW: i64 = 256;
/// And whatever was made in the last so many seconds, however many numbers behind. No transaction of ours stays open for so
/// long, the difference of two nodes' clocks included.
const RECENT: i64 = 120;
/// Rows older than this have reached everybody who ran then; others read the tables at their start.
const KEPT: i64 = LONGEST_TOKEN + 3600;
/// Looks between two prunings.
const PRUNE_EVERY: u32 = 7200;
/// Looks between two readings of the signing keys: a key leaves the set on its date, with no change to hear of.
const KEYS_EVERY: u32 = 40;
/// A feed that was not read for so long may have missed a revocation.
const DEAF_AFTER: i64 = 3;

/// When the feed was last read, in Unix seconds.
#[derive(Clone, Default)]
pub struct Heard(Arc<AtomicI64>);

impl Heard {
    /// Whether revocations of other nodes may be missing here.
    pub fn is_deaf(&self) -> bool {
        now() - self.0.load(Ordering::Relaxed) > DEAF_AFTER
    }
}

/// Hears changes and tells whoever remembers something of them.
pub struct Feed {
    /// The store.
    pub store: Store,
    /// What the gateway refuses before its time.
    pub revocations: Arc<Revocations>,
    /// The issuer, where there is one.
    pub identity: Option<Identity>,
    /// The keys that the gateway verifies our own tokens with.
    pub own_keys: Arc<OwnKeys>,
    /// The key set as the gateway has it.
    pub published: Mutex<serde_json::Value>,
    /// When the feed was last read.
    pub heard: Heard,
}

impl Feed {
    /// Reads what a node must know at its start, and gives the number from which to follow.
    pub async fn catch_up(&self) -> Result<i64, Fault> {
        // The number first, then the tables: what is committed in between is heard twice, never not at all.
        let newest = self.store.latest_seq().await?;
        let now = now();
        let known = self.store.revocations_since(now - KEPT).await?;
        let sessions = known.sessions.into_iter().map(|(session, _)| Revocation::Session(session));
        let subjects = known
            .subjects
            .into_iter()
            .map(|(subject, not_before)| Revocation::Subject { subject, not_before });
        let clients = known.clients.into_iter().map(|(client, at)| Revocation::Client { client, at });
        self.revocations.apply_all(sessions.chain(subjects).chain(clients), now);
        self.heard.0.store(now, Ordering::Relaxed);
        Ok(newest)
    }

    /// Follows the feed until `shutdown` begins. A row may be taken in twice, and one that could not be taken in comes
    /// again with the next look.
    pub async fn follow(self, from: i64, shutdown: Shutdown) {
        let mut newest = from;
        let mut taken: BTreeSet<i64> = BTreeSet::new();
        let mut looks: u32 = 0;
        let end = shutdown.begun();
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return,
                _ = self.store.wait_for_change(POLL) => {}
            }
            match self.store.changes_since(newest, WINDOW, now() - RECENT).await {
                Ok(rows) => {
                    // What is read no more need not be known as seen.
                    taken.retain(|seq| rows.binary_search_by_key(seq, |row| row.seq).is_ok());
                    for row in rows {
                        if taken.contains(&row.seq) {
                            continue;
                        }
                        match self.take_in(&row).await {
                            Ok(()) => {
                                newest = newest.max(row.seq);
                                taken.insert(row.seq);
                            }
                            Err(fault) => {
                                tracing::error!(%fault, "a change could not be taken in; trying again")
                            }
                        }
                    }
                    self.heard.0.store(now(), Ordering::Relaxed);
                }
                Err(fault) => tracing::warn!(%fault, "the change feed cannot be read; trying again"),
            }
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(KEYS_EVERY)
                && let Err(fault) = self.read_keys().await
            {
                tracing::error!(%fault, "the signing keys cannot be read again");
            }
            if looks % PRUNE_EVERY == 1 {
                self.prune().await;
            }
        }
    }

    async fn take_in(&self, row: &ChangeRow) -> Result<(), Fault> {
        let revocation = match row.kind.as_str() {
            kind::SESSION => Some(Revocation::Session(row.key.clone())),
            kind::SUBJECT => Some(Revocation::Subject { subject: row.key.clone(), not_before: row.at }),
            kind::CLIENT => match self.store.client(&row.key).await? {
                Some((client, _)) if !client.disabled => None,
                _ => Some(Revocation::Client { client: row.key.clone(), at: row.at }),
            },
            _ => None,
        };
        if let Some(revocation) = revocation {
            self.revocations.apply(revocation, now());
        }
        let Some(identity) = &self.identity else { return Ok(()) };
        if row.kind == kind::SIGNING_KEY {
            return self.read_keys().await.map_err(|fault| Fault::Unavailable(fault.to_string()));
        }
        identity
            .apply_change(&row.kind, &row.key)
            .await
            .map_err(|fault| Fault::Unavailable(fault.to_string()))
    }

    /// Reads the signing keys again, and hands them to the gateway where they differ.
    async fn read_keys(&self) -> Result<(), ::identity::Fault> {
        let Some(identity) = &self.identity else { return Ok(()) };
        identity.reload_keys().await?;
        let keys = identity.key_set();
        let written = keys.to_json();
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        if *published != written {
            *published = written;
            self.own_keys.replace(keys);
        }
        Ok(())
    }

    async fn prune(&self) {
        let now = now();
        if let Err(fault) = self.store.prune_changes(now - KEPT).await {
            tracing::warn!(%fault, "old changes stay");
        }
        if let Err(fault) = self.store.prune_expired(now).await {
            tracing::warn!(%fault, "expired rows stay");
        }
    }
}
