use std::time::Duration;

use store::Store;

use crate::engines::{NOW, digest, new_session, refresh, reset_link, session, user};

pub async fn numbers_grow_and_the_window_is_read_again(store: &Store) {
    assert_eq!(store.latest_seq().await.unwrap(), 0);
    for name in ["a", "b", "c"] {
        store.upsert_role(name, "", false, &[], NOW).await.unwrap();
    }
    let all = store.changes_since(0, 0, i64::MAX).await.unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.is_sorted_by(|one, other| one.seq < other.seq));
    let latest = store.latest_seq().await.unwrap();
    assert_eq!(latest, all[2].seq);
    assert!(store.changes_since(latest, 0, i64::MAX).await.unwrap().is_empty());
    assert_eq!(store.changes_since(latest, 1, i64::MAX).await.unwrap(), all[2..]);
    assert_eq!(store.changes_since(latest, i64::MAX, i64::MAX).await.unwrap(), all);

    // What was made lately comes whatever its number.
    assert_eq!(store.changes_since(latest, 0, NOW).await.unwrap(), all);
    assert!(store.changes_since(latest, 0, NOW + 1).await.unwrap().is_empty());

    // A number is never given twice, even when every row is gone.
    store.prune_changes(NOW + 1).await.unwrap();
    store.upsert_role("d", "", false, &[], NOW).await.unwrap();
    assert!(store.latest_seq().await.unwrap() > latest);
}

pub async fn a_starting_node_learns_of_revocations(store: &Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    session(store, "s1", &ada, 1).await;
    session(store, "s2", &bob, 2).await;
    store.end_session("s1", NOW + 1).await.unwrap();
    store.change_password(&bob, "new", NOW + 2).await.unwrap();
    let revocations = store.revocations_since(NOW).await.unwrap();
    assert_eq!(revocations.sessions, [("s1".to_owned(), NOW + 1), ("s2".to_owned(), NOW + 2)]);
    assert_eq!(revocations.subjects, [(bob.clone(), NOW + 2)]);
    let later = store.revocations_since(NOW + 2).await.unwrap();
    assert_eq!((later.sessions.len(), later.subjects.len()), (1, 1));
    assert_eq!(store.revocations_since(NOW + 3).await.unwrap(), store::Revocations::default());
}

pub async fn pruning_keeps_what_is_young(store: &Store) {
    let ada = user(store, "ada").await;
    store.change_password(&ada, "new", NOW).await.unwrap();
    let bob = user(store, "bob").await;
    store.change_password(&bob, "new", NOW + 10).await.unwrap();
    assert_eq!(store.prune_changes(NOW + 10).await.unwrap(), 2);
    assert_eq!(store.changes_since(0, 0, i64::MAX).await.unwrap().len(), 1);
    assert_eq!(store.revocations_since(0).await.unwrap().subjects, [(bob, NOW + 10)]);
}

pub async fn what_time_has_ended_is_pruned(store: &Store) {
    let ada = user(store, "ada").await;
    session(store, "long", &ada, 1).await;
    let mut short = new_session("short", &ada);
    short.expires_at = NOW + 10;
    store.create_session(&short, &refresh(2)).await.unwrap();
    reset_link(store, &digest(3), &ada, NOW + 10, NOW).await.unwrap();
    store.take_throttle("bucket", 1, 10, NOW).await.unwrap();

    assert_eq!(store.prune_expired(NOW + 9).await.unwrap(), 0);
    assert_eq!(store.prune_expired(NOW + 10).await.unwrap(), 3);
    assert_eq!(store.session("short").await.unwrap(), None);
    assert_eq!(store.refresh_token(&digest(2)).await.unwrap(), None);
    assert_eq!(store.password_reset(&digest(3)).await.unwrap(), None);
    assert!(store.session("long").await.unwrap().is_some());
    assert!(store.refresh_token(&digest(1)).await.unwrap().is_some());
}

pub async fn a_commit_wakes_who_waits(store: &Store) {
    assert!(!store.wait_for_change(Duration::from_millis(1)).await);
    let waiting = store.wait_for_change(Duration::from_secs(60));
    let writing = async {
        // The waiter is polled first and registers; only then does the commit happen.
        tokio::task::yield_now().await;
        store.upsert_role("a", "", false, &[], NOW).await.unwrap();
    };
    let (woken, ()) = tokio::join!(biased; waiting, writing);
    assert!(woken);
}

pub async fn an_older_revocation_does_not_replace_a_newer(store: &Store) {
    let ada = user(store, "ada").await;
    store.change_password(&ada, "new", NOW + 10).await.unwrap();
    // A node whose clock lags.
    store.change_password(&ada, "new", NOW).await.unwrap();
    assert_eq!(store.revocations_since(0).await.unwrap().subjects, [(ada, NOW + 10)]);
}
