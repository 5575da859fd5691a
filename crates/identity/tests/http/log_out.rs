//! `DELETE /users/session`.

use crate::world::{PASSWORD, World, claims};

#[tokio::test]
async fn logout_ends_this_session_alone_and_tells_every_node() {
    let world = World::new().await;
    let (one, _) = world.session("alice@example.com").await;
    let (two, _) = world.session_again("alice@example.com", PASSWORD).await;
    let seq = world.store.latest_seq().await.unwrap();
    let reply = world.request("DELETE", "/users/session").bearer(&one).send().await.expect(204);
    assert!(reply.body.is_empty());
    world.me(&one).await.expect(401);
    world.me(&two).await.expect(200);
    let changes = world.store.changes_since(seq, 0, i64::MAX).await.unwrap();
    let sid = claims(&one)["sid"].as_str().unwrap().to_owned();
    assert!(changes.iter().any(|change| change.kind == store::kind::SESSION && change.key == sid));
    world.request("DELETE", "/users/session").bearer(&one).send().await.expect(401);
}

#[tokio::test]
async fn only_a_users_token_has_a_session_to_end() {
    let world = World::new().await;
    let none = world.request("DELETE", "/users/session").send().await.expect(401);
    assert_eq!(none.header("www-authenticate"), Some("Bearer"));
    let client = world.client_token().await;
    world.request("DELETE", "/users/session").bearer(&client).send().await.expect(403);
}
