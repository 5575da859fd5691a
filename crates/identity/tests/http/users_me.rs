//! `GET|PATCH|DELETE /users/me`.

use serde_json::{Value, json};
use testkit::http::Reply;

use crate::world::{NEW_PASSWORD, PASSWORD, World};

async fn patch(world: &World, token: &str, body: &Value) -> Reply {
    world.request("PATCH", "/users/me").bearer(token).json(body).send().await
}

#[tokio::test]
async fn a_user_reads_itself_and_no_hash() {
    let world = World::new().await;
    let (token, _) = world.session("alice@example.com").await;
    let reply = world.me(&token).await.expect(200);
    let said = reply.json();
    let mut names: Vec<&String> = said.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["created_at", "email", "email_verified", "id", "updated_at"]);
    assert_eq!(said["email"], "alice@example.com");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn rfc6750_3_1_each_method_wants_its_scope_and_a_user() {
    let world = World::new().await;
    world.sign_up("alice@example.com").await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD, "scope": "read:current_user" });
    let reply = world.call("POST", "/users/session", &body).await.expect(200).json();
    let reader = reply["access_token"].as_str().unwrap();
    world.me(reader).await.expect(200);
    for (method, scope) in [("PATCH", "update:current_user"), ("DELETE", "delete:current_user")] {
        let refused =
            world.request(method, "/users/me").bearer(reader).json(&json!({})).send().await.expect(403);
        let challenge = refused.header("www-authenticate").unwrap();
        assert_eq!(challenge, format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""));
    }
    let client = world.client_token().await;
    for method in ["GET", "PATCH", "DELETE"] {
        world.request(method, "/users/me").json(&json!({})).send().await.expect(401);
        world.request(method, "/users/me").bearer("a.b.c").json(&json!({})).send().await.expect(401);
        world.request(method, "/users/me").bearer(&client).json(&json!({})).send().await.expect(403);
    }
    assert_eq!(world.users().await, 1);
}

#[tokio::test]
async fn tokens_expire_and_altered_ones_are_refused() {
    let world = World::new().await;
    let (token, _) = world.session("alice@example.com").await;
    let mut parts: Vec<&str> = token.split('.').collect();
    let claims = parts[1].to_owned() + "A";
    parts[1] = &claims;
    world.me(&parts.join(".")).await.expect(401);
    world.clock.advance(900 + jose::LEEWAY - 1);
    world.me(&token).await.expect(200);
    world.clock.advance(1);
    world.me(&token).await.expect(401);
}

#[tokio::test]
async fn owasp_a_new_password_wants_the_old_one_and_ends_every_session() {
    let world = World::new().await;
    let (one, refresh) = world.session("alice@example.com").await;
    let (two, _) = world.session_again("alice@example.com", PASSWORD).await;
    world.letters().await;
    for (body, status) in [
        (json!({}), 400),
        (json!({ "password": NEW_PASSWORD }), 400),
        (json!({ "password": NEW_PASSWORD, "current_password": "not the current one" }), 403),
        (json!({ "password": "short", "current_password": PASSWORD }), 400),
        (json!({ "password": "alice@example.com", "current_password": PASSWORD }), 400),
        (json!({ "password": 5, "current_password": PASSWORD }), 400),
    ] {
        patch(&world, &one, &body).await.expect(status);
    }
    world.me(&one).await.expect(200);
    let seq = world.store.latest_seq().await.unwrap();
    let user = world.user("alice@example.com").await;
    patch(&world, &one, &json!({ "password": NEW_PASSWORD, "current_password": PASSWORD })).await.expect(200);
    for token in [&one, &two] {
        world.me(token).await.expect(401);
    }
    world.call("POST", "/users/session/refresh", &json!({ "refresh_token": refresh })).await.expect(401);
    world.log_in("alice@example.com", PASSWORD).await.expect(401);
    let (new, _) = world.session_again("alice@example.com", NEW_PASSWORD).await;
    world.me(&new).await.expect(200);
    let changes = world.store.changes_since(seq, 0, i64::MAX).await.unwrap();
    assert!(changes.iter().any(|change| change.kind == store::kind::SUBJECT && change.key == user.id));
    assert!(world.letters().await[0].text.contains("was just changed"));
}

#[tokio::test]
async fn a_new_address_wants_the_password_is_unverified_and_the_old_one_hears_of_it() {
    let world = World::new().await;
    let (token, _) = world.session("alice@example.com").await;
    world.sign_up("bob@example.com").await;
    world.letters().await;
    patch(&world, &token, &json!({ "email": "carol@example.com" })).await.expect(400);
    let body = json!({ "email": "carol@example.com", "current_password": "not the current one" });
    patch(&world, &token, &body).await.expect(403);
    let body = json!({ "email": "bob@example.com", "current_password": PASSWORD });
    patch(&world, &token, &body).await.expect(409);
    let body = json!({ "email": "Carol@example.com", "current_password": PASSWORD });
    let said = patch(&world, &token, &body).await.expect(200).json();
    assert_eq!(
        (said["email"].as_str(), said["email_verified"].as_bool()),
        (Some("Carol@example.com"), Some(false))
    );
    let letters = world.letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].to, "alice@example.com");
    world.log_in("alice@example.com", PASSWORD).await.expect(401);
    world.log_in("carol@example.com", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn guesses_of_the_current_password_are_bounded() {
    let world = World::new().await;
    let (token, _) = world.session("alice@example.com").await;
    let wrong = json!({ "password": NEW_PASSWORD, "current_password": "not the current one" });
    for _ in 0..20 {
        patch(&world, &token, &wrong).await.expect(403);
    }
    let right = json!({ "password": NEW_PASSWORD, "current_password": PASSWORD });
    let reply = patch(&world, &token, &right).await.expect(429);
    assert!(reply.header("retry-after").is_some());
}

#[tokio::test]
async fn asking_which_addresses_are_taken_is_bounded() {
    let world = World::new().await;
    world.sign_up("bob@example.com").await;
    let (token, _) = world.session("alice@example.com").await;
    let taken = json!({ "email": "bob@example.com", "current_password": PASSWORD });
    for _ in 0..5 {
        patch(&world, &token, &taken).await.expect(409);
    }
    let free = json!({ "email": "carol@example.com", "current_password": PASSWORD });
    for body in [&taken, &free] {
        patch(&world, &token, body).await.expect(429);
    }
    // Its own address in another spelling asks nothing.
    let spelling = json!({ "email": "Alice@example.com", "current_password": PASSWORD });
    patch(&world, &token, &spelling).await.expect(200);
}

#[tokio::test]
async fn a_taken_address_leaves_the_password_as_it_is() {
    let world = World::new().await;
    world.sign_up("bob@example.com").await;
    let (token, _) = world.session("alice@example.com").await;
    let both = json!({ "email": "bob@example.com", "password": NEW_PASSWORD, "current_password": PASSWORD });
    patch(&world, &token, &both).await.expect(409);
    world.me(&token).await.expect(200);
    world.log_in("alice@example.com", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_user_deletes_itself_with_all_that_is_left() {
    let world = World::new().await;
    let (token, refresh) = world.session("alice@example.com").await;
    world.request("DELETE", "/users/me").bearer(&token).send().await.expect(204);
    assert_eq!(world.users().await, 0);
    world.me(&token).await.expect(401);
    world.call("POST", "/users/session/refresh", &json!({ "refresh_token": refresh })).await.expect(401);
    world.log_in("alice@example.com", PASSWORD).await.expect(401);
}
