//! The last 1024 decisions by request id, for `explain --request ID`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use http::{Method, StatusCode};

use crate::request_id::RequestId;

/// How many decisions are kept.
pub const KEPT_DECISIONS: usize = 1024;
/// How much of a path is kept. The query is never kept: people put secrets there.
const KEPT_PATH: usize = 256;

/// What was decided about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// `X-Request-Id`.
    pub id: String,
    /// Unix seconds.
    pub at: i64,
    /// The request's method.
    pub method: String,
    /// The request's path, without query, cut after 256 bytes.
    pub path: String,
    /// The status that the client got.
    pub status: u16,
    /// The rule that matched, as `METHOD /pattern`; none for an unlisted endpoint.
    pub rule: Option<String>,
    /// `permitted`, `preflight`, `session`, or the code of the denial.
    pub reason: &'static str,
    /// The reason in full, where the request was refused or would have been.
    pub detail: Option<String>,
    /// What observe mode let pass: the code that would have been answered.
    pub observed: Option<&'static str>,
}

/// What the pipeline hands over; nothing in it is allocated for the purpose.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) id: RequestId,
    pub(crate) at: i64,
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) status: StatusCode,
    pub(crate) rule: Option<(&'a str, &'a str)>,
    pub(crate) reason: &'static str,
    pub(crate) detail: Option<String>,
    pub(crate) observed: Option<&'static str>,
}

#[derive(Debug, Default)]
struct Slot {
    id: Option<RequestId>,
    at: i64,
    method: Method,
    path: String,
    status: u16,
    rule: Option<String>,
    reason: &'static str,
    detail: Option<String>,
    observed: Option<&'static str>,
}

/// A ring of slots whose memory is used again and again: recording allocates nothing once the ring has gone round.
#[derive(Debug)]
pub struct Decisions {
    slots: Box<[Mutex<Slot>]>,
    next: AtomicUsize,
}

impl Default for Decisions {
    fn default() -> Self {
        Self { slots: (0..KEPT_DECISIONS).map(|_| Mutex::default()).collect(), next: AtomicUsize::new(0) }
    }
}

impl Decisions {
    /// The decision about the request with this `X-Request-Id`, if it is among the last 1024.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Decision> {
        let id = RequestId::parse(id)?;
        self.slots.iter().find_map(|slot| {
            let slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            (slot.id == Some(id)).then(|| slot.decision(id))
        })
    }

    /// The latest decisions, newest first.
    #[must_use]
    pub fn latest(&self, count: usize) -> Vec<Decision> {
        let next = self.next.load(Ordering::Relaxed);
        (1..=count.min(KEPT_DECISIONS))
            .filter_map(|back| {
                let slot = self.slots.get(next.wrapping_sub(back) % KEPT_DECISIONS)?;
                let slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
                slot.id.map(|id| slot.decision(id))
            })
            .collect()
    }

    pub(crate) fn record(&self, record: Record<'_>) {
        let place = self.next.fetch_add(1, Ordering::Relaxed) % KEPT_DECISIONS;
        let Some(slot) = self.slots.get(place) else { return };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.id = Some(record.id);
        slot.at = record.at;
        if slot.method != *record.method {
            slot.method = record.method.clone();
        }
        slot.path.clear();
        slot.path.push_str(cut(record.path));
        slot.status = record.status.as_u16();
        match record.rule {
            Some((method, pattern)) => {
                let kept = slot.rule.get_or_insert_default();
                kept.clear();
                kept.push_str(method);
                kept.push(' ');
                kept.push_str(pattern);
            }
            None => slot.rule = None,
        }
        slot.reason = record.reason;
        slot.detail = record.detail;
        slot.observed = record.observed;
    }
}

impl Slot {
    fn decision(&self, id: RequestId) -> Decision {
        Decision {
            id: id.as_str().to_owned(),
            at: self.at,
            method: self.method.as_str().to_owned(),
            path: self.path.clone(),
            status: self.status,
            rule: self.rule.clone(),
            reason: self.reason,
            detail: self.detail.clone(),
            observed: self.observed,
        }
    }
}

fn cut(path: &str) -> &str {
    if path.len() <= KEPT_PATH {
        return path;
    }
    let mut end = KEPT_PATH;
    while !path.is_char_boundary(end) {
        end -= 1;
    }
    path.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: RequestId, path: &str) -> Record<'_> {
        Record {
            id,
            at: 7,
            method: &Method::GET,
            path,
            status: StatusCode::FORBIDDEN,
            rule: Some(("GET", "/a/{id}")),
            reason: "insufficient_scope",
            detail: None,
            observed: None,
        }
    }

    #[test]
    fn the_last_1024_are_found() {
        let decisions = Decisions::default();
        let ids: Vec<_> = (0..1100_u128).map(|n| RequestId::new(n.to_be_bytes())).collect();
        for id in &ids {
            decisions.record(record(*id, "/a/1"));
        }
        assert_eq!(decisions.find(ids[0].as_str()), None);
        assert_eq!(decisions.find("nonsense"), None);
        let found = decisions.find(ids[1099].as_str()).unwrap();
        assert_eq!(found.rule.as_deref(), Some("GET /a/{id}"));
        assert_eq!((found.status, found.reason, found.at), (403, "insufficient_scope", 7));
        let latest = decisions.latest(2);
        assert_eq!(latest[0].id, ids[1099].as_str());
        assert_eq!(latest[1].id, ids[1098].as_str());
        assert_eq!(decisions.latest(5000).len(), KEPT_DECISIONS);
    }

    #[test]
    fn long_paths_are_cut_at_a_character() {
        let decisions = Decisions::default();
        let id = RequestId::new([1; 16]);
        let path = format!("/{}é", "a".repeat(254));
        decisions.record(record(id, &path));
        assert_eq!(decisions.find(id.as_str()).unwrap().path.len(), 255);
    }
}
