//! `POST /users/session/refresh`.

use serde_json::{Value, json};
use store::UserChange;
use testkit::http::Reply;

use crate::world::{AUDIENCE, PASSWORD, World, claims, client};

async fn refresh(world: &World, token: &str) -> Reply {
    world.call("POST", "/users/session/refresh", &json!({ "refresh_token": token })).await
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn rfc9700_4_14_each_use_gives_the_next_of_the_same_session() {
    let world = World::new().await;
    let (first, mut token) = world.session("alice@example.com").await;
    for _ in 0..3 {
        let body = refresh(&world, &token).await.expect(200).json();
        assert_ne!(text(&body, "refresh_token"), token);
        let access = text(&body, "access_token");
        assert_eq!(claims(&access)["sid"], claims(&first)["sid"]);
        assert_ne!(claims(&access)["jti"], claims(&first)["jti"]);
        world.me(&access).await.expect(200);
        token = text(&body, "refresh_token");
    }
}

#[tokio::test]
async fn rfc9700_4_14_a_token_used_twice_ends_the_whole_family() {
    let world = World::new().await;
    let (_, first) = world.session("alice@example.com").await;
    let body = refresh(&world, &first).await.expect(200).json();
    refresh(&world, &first).await.expect(401);
    refresh(&world, &text(&body, "refresh_token")).await.expect(401);
    world.me(&text(&body, "access_token")).await.expect(401);
}

#[tokio::test]
async fn unknown_malformed_expired_and_ended_are_told_alike() {
    let world = World::new().await;
    let (access, token) = world.session("alice@example.com").await;
    let unknown = refresh(&world, &"A".repeat(43)).await.expect(401);
    assert_eq!(refresh(&world, "x").await.expect(401).body, unknown.body);
    world.request("DELETE", "/users/session").bearer(&access).send().await.expect(204);
    assert_eq!(refresh(&world, &token).await.expect(401).body, unknown.body);
    let (_, token) = world.session_again("alice@example.com", PASSWORD).await;
    world.clock.advance(3_600);
    assert_eq!(refresh(&world, &token).await.expect(401).body, unknown.body);
    world.call("POST", "/users/session/refresh", &json!({})).await.expect(400);
}

#[tokio::test]
async fn asvs_10_4_8_a_session_ends_absolutely_however_often_it_is_refreshed() {
    let world = World::new().await;
    let (_, mut token) = world.session("alice@example.com").await;
    let begun = world.clock.now();
    while world.clock.now() + 3_000 < begun + 86_400 {
        world.clock.advance(3_000);
        token = text(&refresh(&world, &token).await.expect(200).json(), "refresh_token");
    }
    world.clock.set(begun + 86_399);
    let last = refresh(&world, &token).await.expect(200).json();
    assert_eq!(last["expires_in"], 1, "no token outlives its session");
    world.clock.advance(1);
    refresh(&world, &text(&last, "refresh_token")).await.expect(401);
}

#[tokio::test]
async fn rfc6749_6_another_client_cannot_use_it_nor_end_the_session() {
    let world = World::new().await;
    client(&world.store, "other-machine", &["session"], world.clock.now()).await;
    let (access, token) = world.session("alice@example.com").await;
    let other = world.client_credentials(&[("client_id", "other-machine")]).await.expect(200).json();
    let request = world.request("POST", "/users/session/refresh").bearer(&text(&other, "access_token"));
    request.json(&json!({ "refresh_token": token })).send().await.expect(401);
    world.me(&access).await.expect(200);
    refresh(&world, &token).await.expect(200);
}

#[tokio::test]
async fn what_the_user_may_no_longer_do_is_gone_at_the_next_refresh() {
    let world = World::new().await;
    let (_, token) = world.session("alice@example.com").await;
    let permissions = [(AUDIENCE.to_owned(), "write:orders".to_owned())];
    world.store.upsert_role("user", "", true, &permissions, world.clock.now()).await.unwrap();
    let body = refresh(&world, &token).await.expect(200).json();
    assert_eq!(
        body["scope"], "delete:current_user read:current_user update:current_user",
        "neither kept nor widened"
    );
}

#[tokio::test]
async fn a_blocked_user_gets_no_more() {
    let world = World::new().await;
    let (access, token) = world.session("alice@example.com").await;
    let user = world.user("alice@example.com").await;
    let change = UserChange { blocked: Some(true), ..UserChange::default() };
    world.store.update_user(&user.id, &change, world.clock.now()).await.unwrap();
    refresh(&world, &token).await.expect(401);
    world.me(&access).await.expect(401);
}
