//! Sixteen contenders at once, and one winner.

use std::sync::Arc;

use store::{Insertion, Redemption, Rotation, Store};
use tokio::sync::Barrier;

use crate::engines::{NOW, count_users, digest, new_session, new_user, refresh, reset_link, session, user};
use crate::signing_keys::key;

pub const CONTENDERS: u8 = 16;

/// Lets the contenders go at the same moment; their answers.
pub async fn race<T, F>(store: &Store, contender: impl Fn(Store, u8) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let line = Arc::new(Barrier::new(usize::from(CONTENDERS)));
    let runners: Vec<_> = (0..CONTENDERS)
        .map(|number| {
            let (line, run) = (Arc::clone(&line), contender(store.clone(), number));
            tokio::spawn(async move {
                line.wait().await;
                run.await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for runner in runners {
        answers.push(runner.await.unwrap());
    }
    answers
}

fn winners<T>(answers: &[T], won: impl Fn(&T) -> bool) -> usize {
    answers.iter().filter(|answer| won(answer)).count()
}

pub async fn one_of_sixteen_redeems_a_reset_link(store: &Store) {
    let id = user(store, "ada").await;
    reset_link(store, &digest(1), &id, NOW + 1800, NOW).await.unwrap();
    let answers = race(store, |store, number| async move {
        let hash = format!("hash {number}");
        (hash.clone(), store.redeem_password_reset(&digest(1), &hash, NOW + 1).await.unwrap())
    })
    .await;
    let redeemed: Vec<_> =
        answers.iter().filter(|(_, answer)| *answer != Redemption::NotRedeemable).collect();
    assert_eq!(redeemed.len(), 1);
    assert_eq!(store.user(&id).await.unwrap().unwrap().password_hash.as_ref(), Some(&redeemed[0].0));
}

pub async fn one_of_sixteen_rotates_a_refresh_token(store: &Store) {
    let id = user(store, "ada").await;
    session(store, "s1", &id, 200).await;
    let answers = race(store, |store, number| async move {
        store.rotate_refresh_token(&digest(200), &refresh(number), NOW + 1).await.unwrap()
    })
    .await;
    assert_eq!(winners(&answers, |answer| *answer == Rotation::Rotated), 1);
    assert_eq!(winners(&answers, |answer| *answer == Rotation::AlreadyRedeemed), 15);
    let mut stored = 0;
    for number in 0..CONTENDERS {
        stored += usize::from(store.refresh_token(&digest(number)).await.unwrap().is_some());
    }
    assert_eq!(stored, 1);
}

pub async fn exactly_the_limit_is_allowed(store: &Store) {
    let answers = race(store, |store, _| async move {
        let mut allowed = 0;
        for _ in 0..3 {
            allowed += usize::from(store.take_throttle("bucket", 20, 60, NOW).await.unwrap().allowed);
        }
        allowed
    })
    .await;
    assert_eq!(answers.iter().sum::<usize>(), 20);
}

pub async fn one_of_sixteen_signs_up(store: &Store) {
    let answers = race(store, |store, number| async move {
        let mut user = new_user("ada");
        user.id = format!("usr_{number}");
        store.insert_user(&user, &[]).await.unwrap()
    })
    .await;
    assert_eq!(winners(&answers, |answer| *answer == Insertion::Inserted), 1);
    assert_eq!(count_users(store).await, 1);
}

pub async fn one_seal_check_wins(store: &Store) {
    let answers =
        race(store, |store, number| async move { store.set_seal_check(&[number]).await.unwrap() }).await;
    let stored = store.seal_check().await.unwrap().unwrap();
    assert!(answers.iter().all(|answer| *answer == stored));
}

pub async fn one_first_signing_key_wins(store: &Store) {
    let answers = race(store, |store, number| async move {
        store.insert_first_signing_key(&key(&format!("k{number}"), NOW)).await.unwrap()
    })
    .await;
    assert_eq!(winners(&answers, |first| *first), 1);
    assert_eq!(store.signing_keys().await.unwrap().len(), 1);
}

pub async fn one_of_sixteen_claims_a_mail(store: &Store) {
    for number in 0..5 {
        store.enqueue_mail(&format!("m{number}"), &[], NOW).await.unwrap();
    }
    let answers = race(store, |store, _| async move { store.due_mail(NOW, 2).await.unwrap() }).await;
    let mut claimed: Vec<_> = answers.into_iter().flatten().map(|mail| mail.id).collect();
    claimed.sort();
    assert_eq!(claimed, ["m0", "m1", "m2", "m3", "m4"]);
}

pub async fn one_reset_link_of_sixteen_lives(store: &Store) {
    let id = user(store, "ada").await;
    race(store, |store, number| {
        let id = id.clone();
        async move { reset_link(&store, &digest(number), &id, NOW + 1800, NOW).await.unwrap() }
    })
    .await;
    let mut living = 0;
    for number in 0..CONTENDERS {
        living += usize::from(store.password_reset(&digest(number)).await.unwrap().is_some());
    }
    assert_eq!(living, 1);
}

/// Logins with the old password race a reset: whatever came first, no session of the old password outlives it.
pub async fn a_login_and_a_reset_do_not_both_win(store: &Store) {
    let id = user(store, "ada").await;
    reset_link(store, &digest(99), &id, NOW + 1800, NOW).await.unwrap();
    race(store, |store, number| {
        let id = id.clone();
        async move {
            if number == 7 {
                let redeemed = store.redeem_password_reset(&digest(99), "new", NOW).await.unwrap();
                assert_ne!(redeemed, Redemption::NotRedeemable);
            } else {
                let session = new_session(&format!("s{number}"), &id);
                store.create_session_for_password(&session, &refresh(number), "hash of ada").await.unwrap();
            }
        }
    })
    .await;
    for number in 0..CONTENDERS {
        let session = store.session(&format!("s{number}")).await.unwrap();
        assert!(session.is_none_or(|session| session.ended_at.is_some()), "{number}");
    }
}
