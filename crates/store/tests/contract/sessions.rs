use store::{Fault, Rotation, Store, UserChange, kind};

use crate::engines::{NOW, change, digest, new_session, refresh, session, told, user};

pub async fn a_session_begins_with_its_refresh_token(store: &Store) {
    let id = user(store, "ada").await;
    session(store, "s1", &id, 1).await;
    let expected = new_session("s1", &id);
    assert_eq!(store.session("s1").await.unwrap(), Some(expected.clone()));
    let (token, of_session) = store.refresh_token(&digest(1)).await.unwrap().unwrap();
    assert_eq!((token.issued_at, token.expires_at, token.redeemed_at), (NOW, NOW + 3_600, None));
    assert_eq!((token.session_id.as_str(), of_session), ("s1", expected));
    assert_eq!(store.refresh_token(&digest(2)).await.unwrap(), None);
    assert_eq!(store.session("s2").await.unwrap(), None);

    // A digest that is taken leaves no session behind.
    let twice = store.create_session(&new_session("s2", &id), &refresh(1)).await;
    assert!(matches!(twice, Err(Fault::Conflict(_))), "{twice:?}");
    assert_eq!(store.session("s2").await.unwrap(), None);
}

pub async fn nobody_and_the_blocked_get_none(store: &Store) {
    assert!(!store.create_session(&new_session("s1", "usr_nobody"), &refresh(1)).await.unwrap());
    let id = user(store, "ada").await;
    let blocked = UserChange { blocked: Some(true), ..UserChange::default() };
    store.update_user(&id, &blocked, NOW).await.unwrap();
    assert!(!store.create_session(&new_session("s1", &id), &refresh(1)).await.unwrap());
    assert_eq!(store.session("s1").await.unwrap(), None);
    assert_eq!(store.refresh_token(&digest(1)).await.unwrap(), None);
}

pub async fn a_login_does_not_overtake_a_change_of_password(store: &Store) {
    let id = user(store, "ada").await;
    let begin = async |name: &str, number: u8, hash: &str| {
        store.create_session_for_password(&new_session(name, &id), &refresh(number), hash).await.unwrap()
    };
    assert!(begin("s1", 1, "hash of ada").await);
    store.change_password(&id, "new", NOW).await.unwrap();
    assert!(!begin("s2", 2, "hash of ada").await);
    assert_eq!(store.session("s2").await.unwrap(), None);
    // In the very same second, with the new one.
    assert!(begin("s3", 3, "new").await);
}

pub async fn a_session_ends_once(store: &Store) {
    let id = user(store, "ada").await;
    session(store, "s1", &id, 1).await;
    session(store, "s2", &id, 2).await;
    let before = store.latest_seq().await.unwrap();
    assert!(store.end_session("s1", NOW + 3).await.unwrap());
    assert!(!store.end_session("s1", NOW + 4).await.unwrap());
    assert!(!store.end_session("unknown", NOW + 4).await.unwrap());
    assert_eq!(store.session("s1").await.unwrap().unwrap().ended_at, Some(NOW + 3));
    assert_eq!(store.session("s2").await.unwrap().unwrap().ended_at, None);
    assert_eq!(told(store, before).await, [change(kind::SESSION, "s1")]);
}

pub async fn all_sessions_of_a_user_end(store: &Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    session(store, "a1", &ada, 1).await;
    session(store, "a2", &ada, 2).await;
    session(store, "b1", &bob, 3).await;
    assert!(store.end_session("a1", NOW + 1).await.unwrap());
    assert!(store.change_password(&ada, "new", NOW + 2).await.unwrap());
    assert_eq!(store.session("a1").await.unwrap().unwrap().ended_at, Some(NOW + 1));
    assert_eq!(store.session("a2").await.unwrap().unwrap().ended_at, Some(NOW + 2));
    assert_eq!(store.session("b1").await.unwrap().unwrap().ended_at, None);
    assert_eq!(store.user(&ada).await.unwrap().unwrap().not_before, NOW + 2);
}

pub async fn rotation_spends_the_old_token(store: &Store) {
    let id = user(store, "ada").await;
    session(store, "s1", &id, 1).await;
    let rotated = store.rotate_refresh_token(&digest(1), &refresh(2), NOW + 10).await.unwrap();
    assert_eq!(rotated, Rotation::Rotated);
    let (old, _) = store.refresh_token(&digest(1)).await.unwrap().unwrap();
    assert_eq!(old.redeemed_at, Some(NOW + 10));
    let (new, of_session) = store.refresh_token(&digest(2)).await.unwrap().unwrap();
    assert_eq!((new.issued_at, new.redeemed_at, of_session.id.as_str()), (NOW + 10, None, "s1"));
}

pub async fn a_spent_token_is_known_as_spent(store: &Store) {
    let id = user(store, "ada").await;
    session(store, "s1", &id, 1).await;
    store.rotate_refresh_token(&digest(1), &refresh(2), NOW).await.unwrap();
    let again = store.rotate_refresh_token(&digest(1), &refresh(3), NOW + 1).await.unwrap();
    assert_eq!(again, Rotation::AlreadyRedeemed);
    assert_eq!(store.refresh_token(&digest(3)).await.unwrap(), None);
    let unknown = store.rotate_refresh_token(&digest(8), &refresh(9), NOW).await.unwrap();
    assert_eq!(unknown, Rotation::NotRedeemable);
}

pub async fn expired_and_ended_families_do_not_rotate(store: &Store) {
    let id = user(store, "ada").await;
    session(store, "s1", &id, 1).await;
    session(store, "s2", &id, 2).await;
    let mut short = new_session("s3", &id);
    short.expires_at = NOW + 60;
    assert!(store.create_session(&short, &refresh(3)).await.unwrap());
    store.end_session("s2", NOW + 1).await.unwrap();
    let rotate = async |number: u8, now: i64| {
        store.rotate_refresh_token(&digest(number), &refresh(number + 100), now).await.unwrap()
    };
    assert_eq!(rotate(1, NOW + 3_600).await, Rotation::NotRedeemable, "the token's own end");
    assert_eq!(rotate(2, NOW + 2).await, Rotation::NotRedeemable, "an ended session");
    assert_eq!(rotate(3, NOW + 60).await, Rotation::NotRedeemable, "the session's absolute end");
    assert_eq!(rotate(1, NOW + 3_599).await, Rotation::Rotated, "the second before");
}
