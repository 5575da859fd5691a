//! Sixteen at once: of what can be had once, one gets it.

use std::future::Future;

use futures_util::future::join_all;
use serde_json::json;
use testkit::http::Reply;

use crate::world::{NEW_PASSWORD, PASSWORD, World};

async fn sixteen<F: Future<Output = Reply>>(contender: impl Fn(usize) -> F) -> Vec<u16> {
    join_all((0..16).map(contender)).await.iter().map(Reply::code).collect()
}

fn count(codes: &[u16], code: u16) -> usize {
    codes.iter().filter(|found| **found == code).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_reset_link_sets_one_password() {
    let world = World::public().await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    world.request("POST", "/users").json(&body).send().await.expect(201);
    world
        .request("POST", "/users/password-reset")
        .json(&json!({ "email": "alice@example.com" }))
        .send()
        .await
        .expect(202);
    let token = world.mailed_token("alice@example.com").await;
    let codes = sixteen(|n| {
        let body = json!({ "token": token, "password": format!("{NEW_PASSWORD} {n}") });
        world.request("PUT", "/users/password-reset").json(&body).send()
    })
    .await;
    assert_eq!((count(&codes, 204), count(&codes, 400)), (1, 15), "{codes:?}");
    let winner = codes.iter().position(|code| *code == 204).unwrap();
    let body = json!({ "email": "alice@example.com", "password": format!("{NEW_PASSWORD} {winner}") });
    world.request("POST", "/users/session").json(&body).send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_refresh_token_gives_one_successor_and_the_family_ends() {
    let world = World::new().await;
    let (access, refresh) = world.session("alice@example.com").await;
    let client = world.client_token().await;
    let codes = sixteen(|_| {
        let request = world.request("POST", "/users/session/refresh").bearer(&client);
        request.json(&json!({ "refresh_token": refresh })).send()
    })
    .await;
    assert_eq!((count(&codes, 200), count(&codes, 401)), (1, 15), "{codes:?}");
    world.me(&access).await.expect(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_is_one_account() {
    let world = World::public().await;
    let codes = sixteen(|n| {
        let body = json!({ "email": "alice@example.com", "password": format!("{PASSWORD} {n}") });
        world.request("POST", "/users").json(&body).send()
    })
    .await;
    assert_eq!(count(&codes, 201), 16, "{codes:?}");
    assert_eq!(world.users().await, 1);
    let mut right = 0;
    for n in 0..16 {
        let body = json!({ "email": "alice@example.com", "password": format!("{PASSWORD} {n}") });
        right += usize::from(world.request("POST", "/users/session").json(&body).send().await.code() == 200);
    }
    assert_eq!(right, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_guesses_does_not_outrun_the_throttle() {
    let world = World::public().await;
    let body = json!({ "email": "alice@example.com", "password": "a wrong password of some length" });
    for _ in 0..10 {
        world.request("POST", "/users/session").json(&body).send().await.expect(401);
    }
    let codes = sixteen(|_| world.request("POST", "/users/session").json(&body).send()).await;
    assert_eq!((count(&codes, 401), count(&codes, 429)), (10, 6), "{codes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_that_renew_a_hash_at_once_all_succeed() {
    let mut config = crate::world::config();
    config.session.caller = identity::SessionCaller::Public { reason: "a test".to_owned() };
    let stronger = accounts::password::Parameters::new(24_576, 2, 1).unwrap();
    config.passwords.argon2 = stronger;
    let world = World::with(config).await;
    world.sign_up("alice@example.com").await;
    let user = world.user("alice@example.com").await;
    let mut memory = accounts::password::Memory::default();
    let old =
        accounts::password::hash(&Default::default(), PASSWORD.as_bytes(), [1; 16], &mut memory).unwrap();
    let now = world.clock.now();
    world.store.set_password_hash(&user.id, &user.password_hash.unwrap(), &old, now).await.unwrap();
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    let codes = sixteen(|_| world.request("POST", "/users/session").json(&body).send()).await;
    assert_eq!(count(&codes, 200), 16, "{codes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_address_and_a_reset_do_not_both_win() {
    let world = World::public().await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    world.request("POST", "/users").json(&body).send().await.expect(201);
    let session = world.request("POST", "/users/session").json(&body).send().await.expect(200).json();
    let access = session["access_token"].as_str().unwrap().to_owned();
    let ask = json!({ "email": "alice@example.com" });
    world.request("POST", "/users/password-reset").json(&ask).send().await.expect(202);
    let token = world.mailed_token("alice@example.com").await;
    let codes = sixteen(|n| {
        if n == 1 {
            let body = json!({ "token": token, "password": NEW_PASSWORD });
            world.request("PUT", "/users/password-reset").json(&body).send()
        } else {
            let body = json!({ "email": format!("mallory{n}@example.com"), "current_password": PASSWORD });
            world.request("PATCH", "/users/me").bearer(&access).json(&body).send()
        }
    })
    .await;
    // A new address kills the link; a reset kills the password that the change was allowed by.
    let (reset, changes) = (count(&codes, 204), count(&codes, 200));
    assert!((reset == 1) != (changes > 0), "{codes:?}");
}
