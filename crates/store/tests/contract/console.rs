//! Links and sessions of the console.

use store::{ConsoleSession, Store};

use crate::engines::{NOW, digest, user};
use crate::races::{CONTENDERS, race};

/// A session of the console for eight hours.
pub fn visit(number: u8, user_id: Option<&str>) -> ConsoleSession {
    ConsoleSession {
        digest: digest(number),
        user_id: user_id.map(str::to_owned),
        created_at: NOW,
        expires_at: NOW + 28_800,
        seen_at: NOW,
    }
}

pub async fn a_link_opens_once_and_looking_spends_nothing(store: &Store) {
    store.insert_console_link(&digest(1), NOW, NOW + 600).await.unwrap();
    assert!(store.insert_console_link(&digest(1), NOW, NOW + 600).await.is_err());
    let link = store.console_link(&digest(1)).await.unwrap().unwrap();
    assert_eq!((link.created_at, link.expires_at, link.used_at), (NOW, NOW + 600, None));
    assert_eq!(store.console_link(&digest(2)).await.unwrap(), None);

    assert!(!store.spend_console_link(&digest(2), &visit(7, None)).await.unwrap());
    assert!(store.spend_console_link(&digest(1), &visit(8, None)).await.unwrap());
    assert!(!store.spend_console_link(&digest(1), &visit(9, None)).await.unwrap());
    assert_eq!(store.console_link(&digest(1)).await.unwrap().unwrap().used_at, Some(NOW));
    for (number, there) in [(7, false), (8, true), (9, false)] {
        let found = store.console_session(&digest(number), NOW, 60, NOW).await.unwrap();
        assert_eq!(found.is_some(), there, "{number}");
    }
}

pub async fn a_link_and_a_session_end_on_the_second(store: &Store) {
    store.insert_console_link(&digest(1), NOW - 600, NOW).await.unwrap();
    assert!(!store.spend_console_link(&digest(1), &visit(8, None)).await.unwrap());
    store.insert_console_link(&digest(2), NOW - 600, NOW + 1).await.unwrap();
    assert!(store.spend_console_link(&digest(2), &visit(8, None)).await.unwrap());
    assert_eq!(store.prune_expired(NOW).await.unwrap(), 1);
    assert_eq!(store.prune_expired(NOW + 28_799).await.unwrap(), 1);
    assert_eq!(store.prune_expired(NOW + 28_800).await.unwrap(), 1);
}

pub async fn a_session_ends_when_idle_at_its_end_and_by_logout(store: &Store) {
    store.insert_console_session(&visit(1, None)).await.unwrap();
    let look = |now: i64| async move {
        let found = store.console_session(&digest(1), now - 1_800, 60, now).await.unwrap();
        found.map(|session| session.seen_at - NOW)
    };
    assert_eq!(look(NOW + 59).await, Some(0), "not written down each time");
    assert_eq!(look(NOW + 60).await, Some(60));
    assert_eq!(look(NOW + 60 + 1_801).await, None, "idle");
    assert_eq!(look(NOW + 60 + 1_800).await, Some(1_860));
    let mut at = NOW + 1_860;
    while at + 1_800 < NOW + 28_800 {
        at += 1_800;
        assert!(look(at).await.is_some(), "{at}");
    }
    assert_eq!(look(NOW + 28_799).await, Some(28_799));
    assert_eq!(look(NOW + 28_800).await, None, "over, however busy");

    store.insert_console_session(&visit(2, None)).await.unwrap();
    assert!(store.end_console_session(&digest(2)).await.unwrap());
    assert!(!store.end_console_session(&digest(2)).await.unwrap());
    assert_eq!(store.console_session(&digest(2), NOW, 60, NOW).await.unwrap(), None);
}

pub async fn a_session_goes_with_its_user(store: &Store) {
    let ada = user(store, "ada").await;
    store.insert_console_session(&visit(1, Some(&ada))).await.unwrap();
    assert!(store.insert_console_session(&visit(2, Some("usr_nobody"))).await.is_err());
    let found = store.console_session(&digest(1), NOW, 60, NOW).await.unwrap().unwrap();
    assert_eq!(found.user_id.as_deref(), Some(ada.as_str()));
    store.delete_user(&ada, NOW).await.unwrap();
    assert_eq!(store.console_session(&digest(1), NOW, 60, NOW).await.unwrap(), None);
}

pub async fn one_of_sixteen_spends_a_link(store: &Store) {
    store.insert_console_link(&digest(200), NOW, NOW + 600).await.unwrap();
    let answers = race(store, |store, number| async move {
        store.spend_console_link(&digest(200), &visit(number, None)).await.unwrap()
    })
    .await;
    assert_eq!(answers.iter().filter(|spent| **spent).count(), 1);
    let mut sessions = 0;
    for number in 0..CONTENDERS {
        let found = store.console_session(&digest(number), NOW, 60, NOW).await.unwrap();
        sessions += usize::from(found.is_some());
    }
    assert_eq!(sessions, 1);
}
