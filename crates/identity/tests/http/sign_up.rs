//! `POST /users`.

use serde_json::json;

use crate::world::{PASSWORD, World};

#[tokio::test]
async fn a_user_is_made_with_the_default_role_and_a_hash() {
    let world = World::new().await;
    world.sign_up("Alice@Example.com").await;
    let user = world.user("alice@example.com").await;
    assert_eq!(user.email, "Alice@Example.com");
    assert!(!user.email_verified);
    assert!(user.password_hash.unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_eq!(world.store.user_roles(&user.id).await.unwrap(), ["user"]);
    let letters = world.letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].to, "Alice@Example.com");
}

#[tokio::test]
async fn a_known_address_gets_the_same_answer_and_its_owner_a_mail() {
    let world = World::new().await;
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    let first = world.call("POST", "/users", &body).await.expect(201);
    let hash = world.user("alice@example.com").await.password_hash;
    world.letters().await;
    let again = json!({ "email": "alice@example.com", "password": "another long enough password" });
    let second = world.call("POST", "/users", &again).await.expect(201);
    assert_eq!(first.body, second.body);
    let shape = |reply: &testkit::http::Reply| {
        reply
            .headers
            .iter()
            .filter(|(n, _)| *n != "date")
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(shape(&first), shape(&second));
    assert_eq!(world.user("alice@example.com").await.password_hash, hash, "nothing changed");
    assert_eq!(world.users().await, 1);
    let letters = world.letters().await;
    assert!(letters[0].text.contains("has one already"), "{:?}", letters[0].text);
}

#[tokio::test]
async fn a_known_address_in_another_spelling_is_the_same_account_and_mail_goes_to_the_stored_one() {
    let world = World::new().await;
    world.sign_up("alice@example.com").await;
    world.letters().await;
    world.sign_up("ALICE@example.com").await;
    assert_eq!(world.users().await, 1);
    assert_eq!(world.letters().await[0].to, "alice@example.com");
}

#[tokio::test]
async fn refusals_name_the_reason() {
    let world = World::new().await;
    for (body, code) in [
        (json!({ "password": PASSWORD }), "missing_member"),
        (json!({ "email": "a@example.com" }), "missing_member"),
        (json!({ "email": "nobody", "password": PASSWORD }), "email_rejected"),
        (json!({ "email": "a@example.com\r\nBcc: x@y.z", "password": PASSWORD }), "email_rejected"),
        (json!({ "email": "a@example.com", "password": "short" }), "password_rejected"),
        (json!({ "email": "a@example.com", "password": "a".repeat(1025) }), "password_rejected"),
        (json!({ "email": "a@example.com", "password": "passwordpassword" }), "password_rejected"),
        (json!({ "email": 1, "password": PASSWORD }), "malformed_json"),
        (json!({ "email": "a@example.com", "password": [PASSWORD] }), "malformed_json"),
    ] {
        let reply = world.call("POST", "/users", &body).await.expect(400);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        let problem = reply.json();
        assert_eq!(problem["code"], code, "{body}");
        assert_eq!(problem["status"], 400);
        assert!(!reply.text().contains(PASSWORD));
    }
    assert_eq!(world.users().await, 0);
}

#[tokio::test]
async fn only_json_is_taken_so_no_form_can_send_it() {
    let world = World::new().await;
    let token = world.client_token().await;
    let body = json!({ "email": "a@example.com", "password": PASSWORD }).to_string();
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let request = world.request("POST", "/users").bearer(&token).header("content-type", content_type);
        request.body(body.clone()).send().await.expect(415);
    }
    let request = world.request("POST", "/users").bearer(&token).header("content-type", "application/json");
    request.body(vec![b'{', 0xff, b'}']).send().await.expect(400);
    let large = json!({ "email": "a@example.com", "password": "a".repeat(70_000) });
    world.call("POST", "/users", &large).await.expect(413);
}

#[tokio::test]
async fn a6_callers_without_a_clients_token_are_refused_on_every_path_that_knows_no_user() {
    let world = World::new().await;
    let (user_token, _) = world.session("alice@example.com").await;
    let weak = world.client_credentials(&[("client_id", "without-session")]).await.expect(200).json();
    let weak = weak["access_token"].as_str().unwrap();
    for (method, path) in [
        ("POST", "/users"),
        ("POST", "/users/session"),
        ("POST", "/users/session/refresh"),
        ("POST", "/users/password-reset"),
        ("PUT", "/users/password-reset"),
    ] {
        let none = world.request(method, path).json(&json!({})).send().await.expect(401);
        assert_eq!(none.header("www-authenticate"), Some("Bearer"), "{method} {path}");
        let garbage = world.request(method, path).bearer("a.b.c").json(&json!({})).send().await.expect(401);
        assert!(garbage.header("www-authenticate").unwrap().contains("invalid_token"));
        for token in [user_token.as_str(), weak] {
            let reply = world.request(method, path).bearer(token).json(&json!({})).send().await.expect(403);
            let challenge = reply.header("www-authenticate").unwrap();
            assert!(
                challenge.contains("insufficient_scope") && challenge.contains("scope=\"session\""),
                "{challenge}"
            );
        }
        let two = world.request(method, path).bearer("a").bearer("b").json(&json!({})).send().await;
        two.expect(400);
    }
}

#[tokio::test]
async fn repeated_sign_ups_do_not_flood_an_inbox() {
    let world = World::public().await;
    for _ in 0..8 {
        let body = json!({ "email": "alice@example.com", "password": PASSWORD });
        world.request("POST", "/users").json(&body).send().await.expect(201);
    }
    assert_eq!(world.letters().await.len(), 5);
}

#[tokio::test]
async fn sign_ups_from_one_address_are_throttled() {
    let world = World::public().await;
    let bucket = &accounts::throttle::sign_up("x@example.com", world.address.ip())[1];
    for _ in 0..bucket.limit - 1 {
        let now = world.clock.now();
        assert!(
            world.store.take_throttle(&bucket.key, bucket.limit, bucket.window, now).await.unwrap().allowed
        );
    }
    let sign_up = async |email: &str| {
        let body = json!({ "email": email, "password": PASSWORD });
        world.request("POST", "/users").json(&body).send().await
    };
    sign_up("alice@example.com").await.expect(201);
    let reply = sign_up("bob@example.com").await.expect(429);
    assert!(reply.header("retry-after").is_some());
    assert_eq!(world.users().await, 1);
}
