//! `POST` and `PUT /users/password-reset`.

use serde_json::json;
use store::UserChange;
use testkit::http::Reply;

use crate::world::{NEW_PASSWORD, PASSWORD, World};

async fn ask(world: &World, email: &str) -> Reply {
    world.call("POST", "/users/password-reset", &json!({ "email": email })).await
}

async fn redeem(world: &World, token: &str, password: &str) -> Reply {
    world.call("PUT", "/users/password-reset", &json!({ "token": token, "password": password })).await
}

fn shape(reply: &Reply) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let headers = reply.headers.iter().filter(|(name, _)| *name != "date");
    let headers = headers
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    (reply.code(), headers.collect(), reply.body.to_vec())
}

#[tokio::test]
async fn a2_a_link_resets_the_password_once_and_ends_every_session() {
    let world = World::new().await;
    let (access, refresh) = world.session("alice@example.com").await;
    let seq = world.store.latest_seq().await.unwrap();
    let user = world.user("alice@example.com").await;
    let token = world.reset_token("alice@example.com").await;
    assert_eq!(token.len(), 43, "256 bits");
    let reply = redeem(&world, &token, NEW_PASSWORD).await.expect(204);
    assert!(reply.body.is_empty() && reply.header("set-cookie").is_none(), "nobody is logged in by it");
    world.me(&access).await.expect(401);
    world.call("POST", "/users/session/refresh", &json!({ "refresh_token": refresh })).await.expect(401);
    world.log_in("alice@example.com", PASSWORD).await.expect(401);
    world.log_in("alice@example.com", NEW_PASSWORD).await.expect(200);
    let letters = world.letters().await;
    assert!(letters.iter().any(|letter| letter.text.contains("was just reset")));
    let changes = world.store.changes_since(seq, 0, i64::MAX).await.unwrap();
    assert!(changes.iter().any(|change| change.kind == store::kind::SUBJECT && change.key == user.id));

    assert_eq!(redeem(&world, &token, PASSWORD).await.expect(400).json()["code"], "reset_not_redeemable");
    world.log_in("alice@example.com", NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_link_lives_thirty_minutes_to_the_second() {
    let world = World::new().await;
    world.sign_up("alice@example.com").await;
    let token = world.reset_token("alice@example.com").await;
    world.clock.advance(1_800);
    redeem(&world, &token, NEW_PASSWORD).await.expect(400);
    let token = world.reset_token("alice@example.com").await;
    world.clock.advance(1_799);
    redeem(&world, &token, NEW_PASSWORD).await.expect(204);
}

#[tokio::test]
async fn a_newer_link_kills_the_older_and_so_does_a_new_address_or_password() {
    let world = World::new().await;
    let (access, _) = world.session("alice@example.com").await;
    let older = world.reset_token("alice@example.com").await;
    let newer = world.reset_token("alice@example.com").await;
    redeem(&world, &older, NEW_PASSWORD).await.expect(400);
    let change = json!({ "email": "carol@example.com", "current_password": PASSWORD });
    world.request("PATCH", "/users/me").bearer(&access).json(&change).send().await.expect(200);
    redeem(&world, &newer, NEW_PASSWORD).await.expect(400);
    let last = world.reset_token("carol@example.com").await;
    let change = json!({ "password": NEW_PASSWORD, "current_password": PASSWORD });
    world.request("PATCH", "/users/me").bearer(&access).json(&change).send().await.expect(200);
    redeem(&world, &last, "yet another good password").await.expect(400);
}

#[tokio::test]
async fn owasp_known_unknown_blocked_and_malformed_addresses_are_answered_alike() {
    let world = World::new().await;
    world.sign_up("alice@example.com").await;
    world.sign_up("blocked@example.com").await;
    let blocked = world.user("blocked@example.com").await;
    let change = UserChange { blocked: Some(true), ..UserChange::default() };
    world.store.update_user(&blocked.id, &change, world.clock.now()).await.unwrap();
    world.letters().await;
    let known = ask(&world, "alice@example.com").await.expect(202);
    assert_eq!(world.mail_waiting().await, 1);
    for email in ["nobody@example.com", "blocked@example.com", "no address", "", "alıce@example.com"] {
        let waiting = world.mail_waiting().await;
        assert_eq!(shape(&ask(&world, email).await), shape(&known), "{email}");
        assert_eq!(world.mail_waiting().await, waiting + 1, "{email}: the same writes");
    }
    let letters = world.letters().await;
    assert_eq!(letters.len(), 1, "only the known address gets mail");
    assert_eq!(letters[0].to, "alice@example.com");
    world.call("POST", "/users/password-reset", &json!({ "email": 1 })).await.expect(400);
    world.call("POST", "/users/password-reset", &json!({})).await.expect(400);
}

#[tokio::test]
async fn the_mail_goes_to_the_stored_address_and_the_links_host_is_configured() {
    let world = World::new().await;
    world.sign_up("alice@example.com").await;
    world.letters().await;
    let token = world.client_token().await;
    world
        .request("POST", "/users/password-reset")
        .bearer(&token)
        .header("host", "evil.test")
        .header("x-forwarded-host", "evil.test")
        .header("x-forwarded-proto", "http")
        .header("forwarded", "host=evil.test;proto=http")
        .json(&json!({ "email": "ALICE@EXAMPLE.COM" }))
        .send()
        .await
        .expect(202);
    let letters = world.letters().await;
    assert_eq!(letters[0].to, "alice@example.com");
    assert!(letters[0].text.contains("https://id.example/reset?token="), "{}", letters[0].text);
    assert!(!letters[0].text.contains("evil") && !letters[0].html.contains("evil"));
}

#[tokio::test]
async fn requests_are_throttled_silently_for_account_and_address() {
    let world = World::public().await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    world.request("POST", "/users").json(&body).send().await.expect(201);
    world.letters().await;
    let mut answers = Vec::new();
    for _ in 0..8 {
        let request = world.request("POST", "/users/password-reset");
        answers.push(shape(&request.json(&json!({ "email": "alice@example.com" })).send().await));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(world.letters().await.len(), 5);
    world.clock.advance(3_600);
    let request = world.request("POST", "/users/password-reset");
    request.json(&json!({ "email": "alice@example.com" })).send().await.expect(202);
    assert_eq!(world.letters().await.len(), 1);
}

#[tokio::test]
async fn a_weak_password_is_refused_and_the_link_still_works() {
    let world = World::new().await;
    world.sign_up("alice@example.com").await;
    let token = world.reset_token("alice@example.com").await;
    for weak in ["short", "passwordpassword", "alice@example.com", "aaaaaaaaaaaaaaaaaaaa"] {
        assert_eq!(
            redeem(&world, &token, weak).await.expect(400).json()["code"],
            "password_rejected",
            "{weak}"
        );
    }
    redeem(&world, &token, NEW_PASSWORD).await.expect(204);
}

#[tokio::test]
async fn unknown_and_malformed_tokens_are_told_alike() {
    let world = World::new().await;
    let unknown = redeem(&world, &"A".repeat(43), NEW_PASSWORD).await.expect(400);
    for token in ["", "x", &"A".repeat(44), "\u{0}", &"é".repeat(22)] {
        assert_eq!(redeem(&world, token, NEW_PASSWORD).await.expect(400).body, unknown.body);
    }
    world.call("PUT", "/users/password-reset", &json!({ "token": "x" })).await.expect(400);
}

#[tokio::test]
async fn a_user_blocked_after_the_mail_cannot_use_the_link() {
    let world = World::new().await;
    world.sign_up("alice@example.com").await;
    let token = world.reset_token("alice@example.com").await;
    let user = world.user("alice@example.com").await;
    let change = UserChange { blocked: Some(true), ..UserChange::default() };
    world.store.update_user(&user.id, &change, world.clock.now()).await.unwrap();
    redeem(&world, &token, NEW_PASSWORD).await.expect(400);
}

#[tokio::test]
async fn the_link_is_made_after_the_answer_by_who_sends_the_mail() {
    let world = World::new().await;
    world.sign_up("alice@example.com").await;
    world.letters().await;
    ask(&world, "alice@example.com").await.expect(202);
    let alice = world.user("alice@example.com").await;
    world.store.delete_user(&alice.id, world.clock.now()).await.unwrap();
    assert!(world.letters().await.is_empty(), "nobody was looked up before");
}
