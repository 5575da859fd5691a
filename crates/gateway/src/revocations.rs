//! What ends a token before its `exp`: its session ended, its subject's sessions ended, its client stopped.
//!
//! The binary feeds this from the table of changes, so that every node refuses within a second. A generation counts the
//! changes: a remembered token is held against the lists again only when there is something new.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

/// One thing that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// The session with this `sid` ended.
    Session(String),
    /// Tokens of this `sub` that were issued before `not_before` (Unix seconds) are void; one of that very second
    /// stands, since it belongs to the login after a changed password.
    Subject {
        /// The token's `sub`.
        subject: String,
        /// Unix seconds.
        not_before: i64,
    },
    /// Tokens of this client issued at or before `at` (Unix seconds) are void.
    Client {
        /// The token's `client_id`.
        client: String,
        /// Unix seconds.
        at: i64,
    },
}

/// What a token says that a revocation can concern.
#[derive(Debug, Clone, Copy)]
pub struct RevocableFacts<'a> {
    /// `sid`.
    pub session: Option<&'a str>,
    /// `sub`.
    pub subject: Option<&'a str>,
    /// `client_id` (or `azp`).
    pub client: Option<&'a str>,
    /// `iat`; a token without one counts as old as can be.
    pub issued_at: Option<i64>,
}

#[derive(Debug, Default)]
struct Lists {
    /// sid → when it was told
    sessions: HashMap<String, i64>,
    /// sub → (not_before, when it was told)
    subjects: HashMap<String, (i64, i64)>,
    /// client → (at, when it was told)
    clients: HashMap<String, (i64, i64)>,
    /// how many entries there may be before the next pruning
    prune_at: usize,
}

/// The revocations that this node knows.
#[derive(Debug)]
pub struct Revocations {
    lists: RwLock<Lists>,
    generation: AtomicU64,
    /// Seconds after which no token from before can be alive: an entry older than that says nothing any more.
    keep: i64,
}

impl Revocations {
    /// Nothing revoked. `longest_token` is the longest lifetime of a token of our own in seconds; entries are kept that
    /// long and a margin for clocks.
    #[must_use]
    pub fn new(longest_token: i64) -> Self {
        Self {
            lists: RwLock::default(),
            generation: AtomicU64::new(0),
            keep: longest_token.max(0).saturating_add(2 * jose::LEEWAY + 60),
        }
    }

    /// Learns of one revocation at `now`. Learning it again is harmless.
    pub fn apply(&self, revocation: Revocation, now: i64) {
        self.apply_all([revocation], now);
    }

    /// Learns of several, as a node does when it starts.
    pub fn apply_all(&self, revocations: impl IntoIterator<Item = Revocation>, now: i64) {
        let mut lists = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        for revocation in revocations {
            match revocation {
                Revocation::Session(session) => {
                    lists.sessions.insert(session, now);
                }
                Revocation::Subject { subject, not_before } => {
                    let entry = lists.subjects.entry(subject).or_insert((not_before, now));
                    *entry = (entry.0.max(not_before), now);
                }
                Revocation::Client { client, at } => {
                    let entry = lists.clients.entry(client).or_insert((at, now));
                    *entry = (entry.0.max(at), now);
                }
            }
        }
        lists.prune(now.saturating_sub(self.keep));
        // After the lists: whoever sees the new generation sees the new lists.
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Counts the changes.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// True when the token must be refused.
    #[must_use]
    pub fn concern(&self, facts: &RevocableFacts<'_>) -> bool {
        let lists = self.lists.read().unwrap_or_else(PoisonError::into_inner);
        let issued_at = facts.issued_at.unwrap_or(i64::MIN);
        facts.session.is_some_and(|session| lists.sessions.contains_key(session))
            || facts
                .subject
                .and_then(|subject| lists.subjects.get(subject))
                .is_some_and(|(not_before, _)| issued_at < *not_before)
            || facts
                .client
                .and_then(|client| lists.clients.get(client))
                .is_some_and(|(at, _)| issued_at <= *at)
    }

    /// How many entries are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lists.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// True when nothing is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Lists {
    fn len(&self) -> usize {
        self.sessions.len() + self.subjects.len() + self.clients.len()
    }

    /// Drops what was told before `oldest`. Runs only when the lists doubled, so that a burst costs no more than itself.
    fn prune(&mut self, oldest: i64) {
        if self.len() < self.prune_at.max(1024) {
            return;
        }
        self.sessions.retain(|_, told| *told >= oldest);
        self.subjects.retain(|_, (not_before, told)| (*told).max(*not_before) >= oldest);
        self.clients.retain(|_, (at, told)| (*told).max(*at) >= oldest);
        self.prune_at = self.len() * 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts<'a>(sid: &'a str, sub: &'a str, client: &'a str, iat: Option<i64>) -> RevocableFacts<'a> {
        RevocableFacts { session: Some(sid), subject: Some(sub), client: Some(client), issued_at: iat }
    }

    #[test]
    fn sessions_subjects_and_clients_end() {
        let revocations = Revocations::new(900);
        let token = facts("s1", "u1", "c1", Some(1000));
        assert!(!revocations.concern(&token));
        revocations.apply(Revocation::Session("s1".into()), 1010);
        assert!(revocations.concern(&token));
        assert!(!revocations.concern(&facts("s2", "u1", "c1", Some(1000))));

        revocations.apply(Revocation::Subject { subject: "u2".into(), not_before: 1000 }, 1010);
        for (iat, void) in [(Some(999), true), (Some(1000), false), (Some(1001), false), (None, true)] {
            assert_eq!(revocations.concern(&facts("s", "u2", "c", iat)), void, "{iat:?}");
        }
        revocations.apply(Revocation::Subject { subject: "u2".into(), not_before: 500 }, 1020);
        assert!(revocations.concern(&facts("s", "u2", "c", Some(999))), "an older one takes nothing back");

        revocations.apply(Revocation::Client { client: "c3".into(), at: 1000 }, 1010);
        for (iat, void) in [(Some(1000), true), (Some(1001), false), (None, true)] {
            assert_eq!(revocations.concern(&facts("s", "u", "c3", iat)), void, "{iat:?}");
        }
        assert_eq!(revocations.generation(), 4);
    }

    #[test]
    fn entries_go_when_no_token_can_be_alive() {
        let revocations = Revocations::new(900);
        for n in 0..5000 {
            revocations.apply(Revocation::Session(format!("old{n}")), 1000);
        }
        for n in 0..6000 {
            revocations.apply(Revocation::Session(format!("new{n}")), 10_000);
        }
        assert!(revocations.len() < 8000, "{}", revocations.len());
        assert!(revocations.concern(&facts("new5999", "u", "c", Some(9_999))));
    }
}
