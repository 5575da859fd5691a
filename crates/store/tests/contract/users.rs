use store::{Fault, Insertion, NewMail, Store, UserChange, kind};

use crate::engines::{NOW, change, count_users, digest, new_user, reset_link, session, told, user, words};

pub async fn a_user_is_found_by_id_and_by_canonical_address(store: &Store) {
    assert_eq!(count_users(store).await, 0);
    assert_eq!(store.insert_user(&new_user("ada"), &[]).await.unwrap(), Insertion::Inserted);

    let by_id = store.user("usr_ada").await.unwrap().unwrap();
    let by_email = store.user_by_email("ada@example.com").await.unwrap().unwrap();
    assert_eq!(by_id, by_email);
    assert_eq!(by_id.email, "ada@Example.com");
    assert_eq!(by_id.password_hash.as_deref(), Some("hash of ada"));
    assert_eq!((by_id.blocked, by_id.not_before, by_id.created_at), (false, 0, NOW));
    assert_eq!(count_users(store).await, 1);
    assert_eq!(store.user("usr_bob").await.unwrap(), None);
    assert_eq!(store.user_by_email("bob@example.com").await.unwrap(), None);
}

pub async fn a_known_address_is_not_inserted_twice(store: &Store) {
    user(store, "ada").await;
    let mut second = new_user("ada");
    second.id = "usr_other".to_owned();
    second.password_hash = Some("another".to_owned());
    assert_eq!(store.insert_user(&second, &[]).await.unwrap(), Insertion::AlreadyExists);
    assert_eq!(store.user("usr_other").await.unwrap(), None);
    let first = store.user("usr_ada").await.unwrap().unwrap();
    assert_eq!(first.password_hash.as_deref(), Some("hash of ada"));
}

pub async fn an_unknown_role_leaves_no_user_behind(store: &Store) {
    let refused = store.insert_user(&new_user("ada"), &words(&["nobody's"])).await;
    assert!(matches!(&refused, Err(Fault::Conflict(reason)) if reason.contains("nobody's")), "{refused:?}");
    assert_eq!(store.user("usr_ada").await.unwrap(), None);
    // The store goes on, and so does the address.
    assert_eq!(store.insert_user(&new_user("ada"), &[]).await.unwrap(), Insertion::Inserted);
}

pub async fn pages_follow_the_ids(store: &Store) {
    for name in ["c", "a", "b", "e", "d"] {
        user(store, name).await;
    }
    let first = store.users(None, 2).await.unwrap();
    let ids: Vec<_> = first.iter().map(|user| user.id.as_str()).collect();
    assert_eq!(ids, ["usr_a", "usr_b"]);
    let rest = store.users(Some("usr_b"), 10).await.unwrap();
    let ids: Vec<_> = rest.iter().map(|user| user.id.as_str()).collect();
    assert_eq!(ids, ["usr_c", "usr_d", "usr_e"]);
    assert!(store.users(Some("usr_e"), 10).await.unwrap().is_empty());
}

pub async fn a_change_touches_what_it_names(store: &Store) {
    let id = user(store, "ada").await;
    let verified = UserChange { email_verified: Some(true), ..UserChange::default() };
    assert!(store.update_user(&id, &verified, NOW + 5).await.unwrap());
    let changed = store.user(&id).await.unwrap().unwrap();
    assert!(changed.email_verified);
    assert_eq!((changed.email.as_str(), changed.updated_at), ("ada@Example.com", NOW + 5));
    assert_eq!(changed.password_hash.as_deref(), Some("hash of ada"));
    assert!(!store.update_user("usr_nobody", &verified, NOW).await.unwrap());
}

pub async fn a_new_address_kills_reset_links_and_may_not_be_taken(store: &Store) {
    let id = user(store, "ada").await;
    user(store, "bob").await;
    reset_link(store, &digest(1), &id, NOW + 1800, NOW).await.unwrap();
    let moved = |canonical: &str| UserChange {
        email: Some(canonical.to_uppercase()),
        email_canonical: Some(canonical.to_owned()),
        ..UserChange::default()
    };
    assert!(matches!(store.update_user(&id, &moved("bob@example.com"), NOW).await, Err(Fault::Conflict(_))));
    assert!(store.password_reset(&digest(1)).await.unwrap().is_some());

    assert!(store.update_user(&id, &moved("lovelace@example.com"), NOW).await.unwrap());
    assert_eq!(store.user_by_email("ada@example.com").await.unwrap(), None);
    assert_eq!(store.user_by_email("lovelace@example.com").await.unwrap().unwrap().id, id);
    assert_eq!(store.password_reset(&digest(1)).await.unwrap(), None);
}

pub async fn blocking_ends_sessions_and_tells_the_nodes(store: &Store) {
    let id = user(store, "ada").await;
    session(store, "s1", &id, 1).await;
    let before = store.latest_seq().await.unwrap();
    let blocked = UserChange { blocked: Some(true), ..UserChange::default() };
    assert!(store.update_user(&id, &blocked, NOW + 7).await.unwrap());

    let user = store.user(&id).await.unwrap().unwrap();
    assert_eq!((user.blocked, user.not_before), (true, NOW + 7));
    assert_eq!(store.session("s1").await.unwrap().unwrap().ended_at, Some(NOW + 7));
    assert_eq!(told(store, before).await, [change(kind::SESSION, "s1"), change(kind::SUBJECT, &id)]);

    let unblocked = UserChange { blocked: Some(false), ..UserChange::default() };
    assert!(store.update_user(&id, &unblocked, NOW + 8).await.unwrap());
    assert_eq!(store.user(&id).await.unwrap().unwrap().not_before, NOW + 7);
}

pub async fn deleting_takes_everything_along(store: &Store) {
    store.upsert_role("reader", "", false, &[], NOW).await.unwrap();
    let ada = new_user("ada");
    store.insert_user(&ada, &words(&["reader"])).await.unwrap();
    session(store, "s1", &ada.id, 1).await;
    reset_link(store, &digest(2), &ada.id, NOW + 1800, NOW).await.unwrap();
    let before = store.latest_seq().await.unwrap();

    assert!(store.delete_user(&ada.id, NOW + 1).await.unwrap());
    assert_eq!(store.user(&ada.id).await.unwrap(), None);
    assert_eq!(store.session("s1").await.unwrap(), None);
    assert_eq!(store.refresh_token(&digest(1)).await.unwrap(), None);
    assert_eq!(store.password_reset(&digest(2)).await.unwrap(), None);
    assert!(store.user_roles(&ada.id).await.unwrap().is_empty());
    assert_eq!(told(store, before).await, [change(kind::SESSION, "s1"), change(kind::SUBJECT, &ada.id)]);
    // Tokens of the deleted are known as dead to a node that starts later.
    let revocations = store.revocations_since(NOW).await.unwrap();
    assert_eq!(revocations.subjects, [(ada.id.clone(), NOW + 1)]);

    let before = store.latest_seq().await.unwrap();
    assert!(!store.delete_user(&ada.id, NOW + 2).await.unwrap());
    assert_eq!(store.latest_seq().await.unwrap(), before);
}

pub async fn a_rehash_is_a_compare_and_swap(store: &Store) {
    let id = user(store, "ada").await;
    session(store, "s1", &id, 1).await;
    assert!(store.set_password_hash(&id, "hash of ada", "stronger", NOW + 1).await.unwrap());
    assert!(!store.set_password_hash(&id, "hash of ada", "late", NOW + 2).await.unwrap());
    let user = store.user(&id).await.unwrap().unwrap();
    assert_eq!((user.password_hash.as_deref(), user.not_before), (Some("stronger"), 0));
    assert_eq!(store.session("s1").await.unwrap().unwrap().ended_at, None);
}

pub async fn a_new_password_ends_every_session(store: &Store) {
    let id = user(store, "ada").await;
    session(store, "s1", &id, 1).await;
    session(store, "s2", &id, 2).await;
    reset_link(store, &digest(3), &id, NOW + 1800, NOW).await.unwrap();
    assert!(store.change_password(&id, "new", NOW + 9).await.unwrap());
    let user = store.user(&id).await.unwrap().unwrap();
    assert_eq!((user.password_hash.as_deref(), user.not_before), (Some("new"), NOW + 9));
    for session in ["s1", "s2"] {
        assert_eq!(store.session(session).await.unwrap().unwrap().ended_at, Some(NOW + 9));
    }
    assert_eq!(store.password_reset(&digest(3)).await.unwrap(), None);
    assert!(!store.change_password("usr_nobody", "new", NOW).await.unwrap());
}

pub async fn a_change_by_the_old_password_does_not_undo_a_reset(store: &Store) {
    let id = user(store, "ada").await;
    session(store, "s1", &id, 1).await;
    assert!(
        !store
            .change_account_from(&id, "another hash", &UserChange::default(), Some("mine"), NOW + 1)
            .await
            .unwrap()
    );
    assert_eq!(store.session("s1").await.unwrap().unwrap().ended_at, None);
    assert!(
        store
            .change_account_from(&id, "hash of ada", &UserChange::default(), Some("mine"), NOW + 2)
            .await
            .unwrap()
    );
    assert_eq!(store.session("s1").await.unwrap().unwrap().ended_at, Some(NOW + 2));
    assert!(
        !store
            .change_account_from(&id, "hash of ada", &UserChange::default(), Some("theirs"), NOW + 3)
            .await
            .unwrap()
    );
    let user = store.user(&id).await.unwrap().unwrap();
    assert_eq!((user.password_hash.as_deref(), user.not_before), (Some("mine"), NOW + 2));
    assert!(
        !store.change_account_from("usr_nobody", "", &UserChange::default(), Some("x"), NOW).await.unwrap()
    );
}

pub async fn address_and_password_change_as_one_or_not_at_all(store: &Store) {
    let id = user(store, "ada").await;
    user(store, "bob").await;
    reset_link(store, &digest(1), &id, NOW + 1800, NOW).await.unwrap();
    let moved = |email: &str| UserChange {
        email: Some(email.to_owned()),
        email_canonical: Some(email.to_owned()),
        email_verified: Some(false),
        blocked: None,
    };
    let before = store.user(&id).await.unwrap();
    // Another hash by now: the address stays too.
    let (new, taken) = (moved("lovelace@example.com"), moved("bob@example.com"));
    assert!(!store.change_account_from(&id, "another hash", &new, None, NOW + 1).await.unwrap());
    assert!(!store.change_account_from(&id, "another hash", &new, Some("mine"), NOW + 1).await.unwrap());
    // A taken address: the password stays too.
    let refused = store.change_account_from(&id, "hash of ada", &taken, Some("mine"), NOW + 1).await;
    assert!(matches!(refused, Err(Fault::Conflict(_))), "{refused:?}");
    assert_eq!(store.user(&id).await.unwrap(), before);
    assert!(store.password_reset(&digest(1)).await.unwrap().is_some());

    assert!(store.change_account_from(&id, "hash of ada", &new, Some("mine"), NOW + 2).await.unwrap());
    let after = store.user(&id).await.unwrap().unwrap();
    assert_eq!(after.email, "lovelace@example.com");
    assert_eq!((after.password_hash.as_deref(), after.not_before), (Some("mine"), NOW + 2));
    assert!(store.password_reset(&digest(1)).await.unwrap().is_none());
}

pub async fn a_new_user_and_the_mail_are_one(store: &Store) {
    store.upsert_role("reader", "", true, &[], NOW).await.unwrap();
    let mail = |id: &str| NewMail { id: id.to_owned(), sealed: id.as_bytes().to_vec() };
    let roles = words(&["reader"]);
    let ada = new_user("ada");
    let (welcome, known) = (mail("welcome"), mail("known"));
    let first = store.insert_user_with_mail(&ada, &roles, &welcome, &known).await.unwrap();
    assert_eq!(first, Insertion::Inserted);
    assert_eq!(store.user_roles(&ada.id).await.unwrap(), ["reader"]);
    let mut again = new_user("ada");
    again.id = "usr_another".to_owned();
    let second = store.insert_user_with_mail(&again, &roles, &mail("never"), &known).await.unwrap();
    assert_eq!(second, Insertion::AlreadyExists);
    assert_eq!(store.user_roles(&ada.id).await.unwrap(), ["reader"]);
    let due: Vec<String> = store.due_mail(NOW, 9).await.unwrap().into_iter().map(|mail| mail.id).collect();
    assert_eq!(due, ["known", "welcome"]);
    // A mail that cannot be kept leaves no user behind.
    let bob = new_user("bob");
    let refused = store.insert_user_with_mail(&bob, &roles, &welcome, &known).await;
    assert!(matches!(refused, Err(Fault::Conflict(_))), "{refused:?}");
    assert_eq!(store.user(&bob.id).await.unwrap(), None);
}

/// Neither engine folds case or accents, trims, or takes a wildcard for anything but itself.
pub async fn text_is_compared_byte_for_byte(store: &Store) {
    user(store, "ada").await;
    for other in
        ["ADA@example.com", "ada@example.com ", "%@example.com", "adá@example.com", "a_a@example.com"]
    {
        assert_eq!(store.user_by_email(other).await.unwrap(), None, "{other}");
    }
    // PostgreSQL cannot store U+0000; looking for it finds nothing on both.
    assert_eq!(store.user_by_email("ada@example.com\0").await.unwrap(), None);
    assert_eq!(store.user("usr_ada\0").await.unwrap(), None);
    assert_eq!(store.client("\0").await.unwrap(), None);
    assert_eq!(store.session("\0").await.unwrap(), None);
    assert_eq!(store.api("\0").await.unwrap(), None);
    assert!(store.user_permissions("usr_ada", "\0").await.unwrap().is_empty());

    let mut curious = new_user("curious");
    curious.email = "'; DROP TABLE users; -- ümläut 漢字 🦀".to_owned();
    store.insert_user(&curious, &[]).await.unwrap();
    assert_eq!(store.user("usr_curious").await.unwrap().unwrap().email, curious.email);
}
