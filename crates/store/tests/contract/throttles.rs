use store::{Store, Taken};

use crate::engines::NOW;

pub async fn the_limit_is_the_limit(store: &Store) {
    for count in 1..=3 {
        let taken = store.take_throttle("bucket", 3, 60, NOW + i64::from(count)).await.unwrap();
        assert_eq!(taken, Taken { allowed: true, count, window_start: NOW + 1 });
    }
    for later in [4, 30, 60] {
        let taken = store.take_throttle("bucket", 3, 60, NOW + later).await.unwrap();
        assert_eq!(taken, Taken { allowed: false, count: 3, window_start: NOW + 1 });
    }
    assert!(store.take_throttle("another", 3, 60, NOW).await.unwrap().allowed);
}

pub async fn a_window_that_is_over_begins_anew(store: &Store) {
    assert!(store.take_throttle("bucket", 1, 60, NOW).await.unwrap().allowed);
    assert!(!store.take_throttle("bucket", 1, 60, NOW + 59).await.unwrap().allowed);
    let anew = store.take_throttle("bucket", 1, 60, NOW + 60).await.unwrap();
    assert_eq!(anew, Taken { allowed: true, count: 1, window_start: NOW + 60 });
    assert!(!store.take_throttle("bucket", 1, 60, NOW + 119).await.unwrap().allowed);
}

pub async fn clearing_empties_one_bucket(store: &Store) {
    for bucket in ["a", "b"] {
        store.take_throttle(bucket, 1, 60, NOW).await.unwrap();
    }
    store.clear_throttle("a").await.unwrap();
    store.clear_throttle("never seen").await.unwrap();
    assert!(store.take_throttle("a", 1, 60, NOW).await.unwrap().allowed);
    assert!(!store.take_throttle("b", 1, 60, NOW).await.unwrap().allowed);
}

pub async fn an_attempt_is_given_back(store: &Store) {
    assert!(store.take_throttle("bucket", 1, 60, NOW).await.unwrap().allowed);
    store.give_back_throttle("bucket").await.unwrap();
    assert!(store.take_throttle("bucket", 1, 60, NOW + 1).await.unwrap().allowed);
    // No credit below nothing, and none for a bucket that nobody took from.
    for _ in 0..3 {
        store.give_back_throttle("bucket").await.unwrap();
        store.give_back_throttle("unknown").await.unwrap();
    }
    assert!(store.take_throttle("bucket", 1, 60, NOW + 2).await.unwrap().allowed);
    assert!(!store.take_throttle("bucket", 1, 60, NOW + 3).await.unwrap().allowed);
}

pub async fn a_limit_of_zero_allows_nothing(store: &Store) {
    assert!(!store.take_throttle("bucket", 0, 60, NOW).await.unwrap().allowed);
    assert!(store.take_throttle("bucket", 1, 60, NOW).await.unwrap().allowed);
}

pub async fn a_clock_that_was_wrong_does_not_lock_for_ever(store: &Store) {
    assert!(store.take_throttle("bucket", 1, 60, NOW + 1_000_000).await.unwrap().allowed);
    assert!(store.take_throttle("bucket", 1, 60, NOW).await.unwrap().allowed);
    assert!(!store.take_throttle("bucket", 1, 60, NOW + 1).await.unwrap().allowed);
    // A node that is a few seconds behind does not open the window again.
    assert!(!store.take_throttle("bucket", 1, 60, NOW - 5).await.unwrap().allowed);
}

pub async fn several_are_taken_up_to_the_first_that_is_empty(store: &Store) {
    assert!(store.take_throttle("narrow", 1, 60, NOW).await.unwrap().allowed);
    let taken =
        store.take_throttles(&[("wide", 5, 60), ("narrow", 1, 60), ("never", 5, 60)], NOW).await.unwrap();
    assert_eq!(taken.iter().map(|taken| taken.allowed).collect::<Vec<_>>(), [true, false]);
    assert_eq!(store.take_throttle("wide", 5, 60, NOW).await.unwrap().count, 2, "what was taken stays taken");
    assert_eq!(store.take_throttle("never", 5, 60, NOW).await.unwrap().count, 1);
    store.settle_throttles(&["narrow", "unknown"], &["wide"]).await.unwrap();
    assert!(store.take_throttle("narrow", 1, 60, NOW).await.unwrap().allowed);
    assert_eq!(store.take_throttle("wide", 5, 60, NOW).await.unwrap().count, 2);
}
