//! The change feed: what was committed on any node, or by the command line, reaches what this node remembers.

use super::serving::Shutdown;
use std::time::Duration;
use store::{ChangeRow, Store};

/// Twice a second: with it a revocation is refused within a second on every node.
const POLL: Duration = Duration::from_millis(500);
/// Sequences commit out of order: this many numbers behind the newest seen are read again.
const WINDOW: i64 = 256;
/// Rows older than this have reached everybody who ran then; others read the tables at their start.
const KEPT: i64 = 24 * 3600;
/// Looks between two prunings.
const PRUNE_EVERY: u32 = 7200;

/// Reads the feed until `shutdown` begins and gives each row to `apply` once or more: applying twice must not matter.
pub async fn follow<F, Fut>(store: Store, from: i64, shutdown: Shutdown, apply: F)
where
    F: Fn(ChangeRow) -> Fut,
    Fut: Future<Output = ()>,
{
    let mut newest = from;
    let mut recent: std::collections::BTreeSet<i64> = std::collections::BTreeSet::new();
    let mut looks: u32 = 0;
    let end = shutdown.begun();
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return,
            _ = store.wait_for_change(POLL) => {}
        }
        match store.changes_after(newest, WINDOW).await {
            Ok(rows) => {
                for row in rows {
                    if !recent.insert(row.seq) {
                        continue;
                    }
                    newest = newest.max(row.seq);
                    apply(row).await;
                }
                recent = recent.split_off(&(newest - 2 * WINDOW));
            }
            // A node that cannot hear what was revoked says so; it turns not-ready by the store's own check.
            Err(fault) => tracing::warn!(%fault, "the change feed cannot be read; trying again"),
        }
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(PRUNE_EVERY) {
            let now = crate::clock::now();
            if let Err(fault) = store.prune_changes(now - KEPT).await {
                tracing::warn!(%fault, "old changes stay");
            }
            if let Err(fault) = store.prune_expired(now).await {
                tracing::warn!(%fault, "expired rows stay");
            }
        }
    }
}
