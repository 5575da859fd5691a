use store::{Fault, NewMail, Redemption, Store, kind};

use crate::engines::{NOW, change, digest, reset_link, session, told, user};

pub async fn only_the_newest_link_lives(store: &Store) {
    let id = user(store, "ada").await;
    reset_link(store, &digest(1), &id, NOW + 1800, NOW).await.unwrap();
    reset_link(store, &digest(2), &id, NOW + 1900, NOW + 100).await.unwrap();
    assert_eq!(store.password_reset(&digest(1)).await.unwrap(), None);
    let link = store.password_reset(&digest(2)).await.unwrap().unwrap();
    assert_eq!(
        (link.user_id.as_str(), link.created_at, link.expires_at),
        (id.as_str(), NOW + 100, NOW + 1900)
    );
    assert_eq!(
        store.redeem_password_reset(&digest(1), "new", NOW + 101).await.unwrap(),
        Redemption::NotRedeemable
    );
}

pub async fn a_link_is_spent_once_and_ends_sessions(store: &Store) {
    let id = user(store, "ada").await;
    session(store, "s1", &id, 1).await;
    reset_link(store, &digest(7), &id, NOW + 1800, NOW).await.unwrap();
    // Looking spends nothing.
    assert_eq!(store.password_reset(&digest(7)).await.unwrap().unwrap().redeemed_at, None);
    let before = store.latest_seq().await.unwrap();

    let redeemed = store.redeem_password_reset(&digest(7), "new", NOW + 5).await.unwrap();
    assert_eq!(redeemed, Redemption::Redeemed { user_id: id.clone() });
    let user = store.user(&id).await.unwrap().unwrap();
    assert_eq!((user.password_hash.as_deref(), user.not_before), (Some("new"), NOW + 5));
    assert_eq!(store.session("s1").await.unwrap().unwrap().ended_at, Some(NOW + 5));
    assert_eq!(told(store, before).await, [change(kind::SESSION, "s1"), change(kind::SUBJECT, &id)]);
    assert_eq!(store.password_reset(&digest(7)).await.unwrap().unwrap().redeemed_at, Some(NOW + 5));

    let again = store.redeem_password_reset(&digest(7), "newer", NOW + 6).await.unwrap();
    assert_eq!(again, Redemption::NotRedeemable);
    assert_eq!(store.user(&id).await.unwrap().unwrap().password_hash.as_deref(), Some("new"));
}

pub async fn a_link_dies_on_the_second(store: &Store) {
    let id = user(store, "ada").await;
    reset_link(store, &digest(1), &id, NOW + 1800, NOW).await.unwrap();
    let late = store.redeem_password_reset(&digest(1), "new", NOW + 1800).await.unwrap();
    assert_eq!(late, Redemption::NotRedeemable);
    let in_time = store.redeem_password_reset(&digest(1), "new", NOW + 1799).await.unwrap();
    assert_eq!(in_time, Redemption::Redeemed { user_id: id });
}

pub async fn link_and_mail_are_one(store: &Store) {
    let id = user(store, "ada").await;
    let mail = NewMail { id: "m1".to_owned(), sealed: vec![1, 2, 3] };
    store.insert_password_reset_with_mail(&digest(1), &id, NOW + 1800, &mail, NOW).await.unwrap();
    // The same mail id again: no second link, and the first one still lives.
    let twice = store.insert_password_reset_with_mail(&digest(2), &id, NOW + 1800, &mail, NOW).await;
    assert!(matches!(twice, Err(Fault::Conflict(_))), "{twice:?}");
    assert_eq!(store.password_reset(&digest(2)).await.unwrap(), None);
    assert!(store.password_reset(&digest(1)).await.unwrap().is_some());
    let mail = store.due_mail(NOW, 10).await.unwrap();
    assert_eq!(mail.into_iter().map(|mail| mail.id).collect::<Vec<_>>(), ["m1"]);
}

pub async fn nobody_has_no_link(store: &Store) {
    let refused = reset_link(store, &digest(1), "usr_nobody", NOW + 1800, NOW).await;
    assert!(matches!(refused, Err(Fault::Conflict(_))), "{refused:?}");
    assert_eq!(store.password_reset(&digest(1)).await.unwrap(), None);
}
