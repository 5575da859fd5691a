//! `POST /users/session`.

use accounts::password::{Memory, Parameters, Policy, hash};
use serde_json::json;
use store::UserChange;
use testkit::http::Reply;

use crate::world::{AUDIENCE, ISSUER, OTHER_AUDIENCE, PASSWORD, World, claims, config, header};

fn shape(reply: &Reply) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let headers = reply.headers.iter().filter(|(name, _)| *name != "date");
    let headers = headers
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    (reply.code(), headers.collect(), reply.body.to_vec())
}

#[tokio::test]
async fn a_login_gives_a_token_of_a_session() {
    let world = World::new().await;
    world.sign_up("alice@example.com").await;
    let reply = world.log_in("ALICE@example.com", PASSWORD).await.expect(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let body = reply.json();
    assert_eq!((body["token_type"].as_str(), body["expires_in"].as_i64()), (Some("Bearer"), Some(900)));
    assert_eq!(body["scope"], "delete:current_user read:current_user read:orders update:current_user");
    assert_eq!(body["refresh_token"].as_str().unwrap().len(), 43);

    let token = body["access_token"].as_str().unwrap();
    let said = claims(token);
    let user = world.user("alice@example.com").await;
    assert_eq!(said["iss"], ISSUER);
    assert_eq!(said["sub"], user.id.as_str());
    assert_eq!(said["aud"], AUDIENCE);
    assert_eq!(said["client_id"], "machine");
    assert_eq!(said["scope"], body["scope"]);
    assert!(said.get("gty").is_none() && said.get("email").is_none());
    assert!(said["sid"].as_str().unwrap().starts_with("ses_"));
    assert_eq!(header(token)["typ"], "at+jwt");
    world.me(token).await.expect(200);
}

#[tokio::test]
async fn audience_and_scope_narrow_the_token() {
    let world = World::public().await;
    world.sign_up("alice@example.com").await;
    let log_in = async |more: serde_json::Value| {
        let mut body = json!({ "email": "alice@example.com", "password": PASSWORD });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.request("POST", "/users/session").json(&body).send().await
    };
    let own = "delete:current_user read:current_user update:current_user";
    for (more, scope) in [
        (
            json!({ "scope": "read:orders" }),
            "delete:current_user read:current_user read:orders update:current_user",
        ),
        (json!({ "scope": "write:orders" }), own),
        (json!({ "scope": "read:orders read:current_user" }), "read:current_user read:orders"),
        (json!({ "scope": "" }), "delete:current_user read:current_user read:orders update:current_user"),
        (json!({ "scope": "session" }), own),
    ] {
        assert_eq!(log_in(more.clone()).await.expect(200).json()["scope"], scope, "{more}");
    }
    let other = log_in(json!({ "audience": OTHER_AUDIENCE })).await.expect(200).json();
    let said = claims(other["access_token"].as_str().unwrap());
    assert_eq!((said["aud"].as_str(), said["client_id"].as_str()), (Some(OTHER_AUDIENCE), Some("session")));
    assert_eq!(other["expires_in"], 300, "the API's own lifetime");
    assert!(said["scope"].as_str().unwrap().contains("read:other"));
    world.me(other["access_token"].as_str().unwrap()).await.expect(200);

    assert_eq!(
        log_in(json!({ "audience": "https://unknown.example" })).await.expect(400).json()["code"],
        "unknown_audience"
    );
    assert_eq!(log_in(json!({ "scope": "a\\b" })).await.expect(400).json()["code"], "invalid_scope");
    log_in(json!({ "audience": 1 })).await.expect(400);
}

#[tokio::test]
async fn owasp_unknown_wrong_blocked_and_malformed_are_told_alike() {
    let world = World::new().await;
    world.sign_up("alice@example.com").await;
    world.sign_up("blocked@example.com").await;
    let blocked = world.user("blocked@example.com").await;
    let change = UserChange { blocked: Some(true), ..UserChange::default() };
    world.store.update_user(&blocked.id, &change, world.clock.now()).await.unwrap();
    let wrong = world.log_in("alice@example.com", "not the right password").await.expect(401);
    assert!(wrong.header("www-authenticate").is_some());
    for (email, password) in [
        ("nobody@example.com", PASSWORD),
        ("blocked@example.com", PASSWORD),
        ("no address at all", PASSWORD),
        ("", PASSWORD),
        ("alice@example.com", ""),
        ("alice@example.com", "Seven llamas waltz quietly"),
        ("alice@example.com", "seven llamas waltz quietly "),
    ] {
        let reply = world.log_in(email, password).await;
        assert_eq!(shape(&reply), shape(&wrong), "{email}");
    }
}

#[tokio::test]
async fn nist_the_same_password_in_another_unicode_form_logs_in() {
    let world = World::new().await;
    let composed = "ångström café naïve prose";
    let decomposed = "a\u{30a}ngstro\u{308}m cafe\u{301} nai\u{308}ve prose";
    world
        .call("POST", "/users", &json!({ "email": "a@example.com", "password": composed }))
        .await
        .expect(201);
    world.log_in("a@example.com", decomposed).await.expect(200);
}

#[tokio::test]
async fn a_hash_below_todays_policy_is_renewed_and_the_session_stands() {
    let mut config = config();
    config.passwords = Policy { argon2: Parameters::new(24_576, 2, 1).unwrap(), ..Policy::default() };
    let world = World::with(config).await;
    world.sign_up("alice@example.com").await;
    let user = world.user("alice@example.com").await;
    let old = hash(&Parameters::default(), PASSWORD.as_bytes(), [1; 16], &mut Memory::default()).unwrap();
    let now = world.clock.now();
    assert!(world.store.set_password_hash(&user.id, &user.password_hash.unwrap(), &old, now).await.unwrap());
    let (token, _) = world.session_again("alice@example.com", PASSWORD).await;
    let renewed = world.user("alice@example.com").await.password_hash.unwrap();
    assert!(renewed.starts_with("$argon2id$v=19$m=24576,"), "{renewed}");
    world.me(&token).await.expect(200);
    world.session_again("alice@example.com", PASSWORD).await;
    assert_eq!(world.user("alice@example.com").await.password_hash.unwrap(), renewed);
}

#[tokio::test]
async fn nist_failures_of_one_account_are_bounded_and_success_clears_the_accounts_count_alone() {
    let world = World::public().await;
    world.sign_up("alice@example.com").await;
    let attempt = async |password: &str| {
        let body = json!({ "email": "alice@example.com", "password": password });
        world.request("POST", "/users/session").json(&body).send().await
    };
    for _ in 0..19 {
        attempt("a wrong password of some length").await.expect(401);
    }
    attempt(PASSWORD).await.expect(200);
    for _ in 0..20 {
        attempt("a wrong password of some length").await.expect(401);
    }
    let reply = attempt(PASSWORD).await.expect(429);
    let wait: i64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    world.clock.advance(wait);
    attempt(PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_forged_forwarded_for_does_not_evade_the_throttle() {
    let world = World::public().await;
    world.sign_up("alice@example.com").await;
    for n in 0..21 {
        let body = json!({ "email": "alice@example.com", "password": "a wrong password of some length" });
        let request =
            world.request("POST", "/users/session").header("x-forwarded-for", &format!("198.51.100.{n}"));
        request.json(&body).send().await.expect(if n < 20 { 401 } else { 429 });
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_its_own_count() {
    let mut config = config();
    config.session.caller = identity::SessionCaller::Public { reason: "a test".to_owned() };
    config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let world = World::with(config).await;
    world.sign_up("alice@example.com").await;
    let body = json!({ "email": "alice@example.com", "password": "a wrong password of some length" });
    let from = async |address: &str| {
        let request = world.request("POST", "/users/session").header("x-forwarded-for", address);
        request.json(&body).send().await
    };
    for _ in 0..20 {
        from("198.51.100.1").await.expect(401);
    }
    from("198.51.100.1").await.expect(429);
    from("198.51.100.1, 198.51.100.2").await.expect(401);
    from("203.0.113.1, 198.51.100.1").await.expect(429);
}

#[tokio::test]
async fn a_full_hashing_queue_is_503_with_a_time_to_wait() {
    let mut config = config();
    config.session.caller = identity::SessionCaller::Public { reason: "a test".to_owned() };
    config.hashing_threads = 1;
    config.hashing_queue = 1;
    let world = World::with(config).await;
    let attempts = (0..16).map(|n| {
        let body = json!({ "email": format!("u{n}@example.com"), "password": PASSWORD });
        world.request("POST", "/users/session").json(&body).send()
    });
    let replies = futures_util::future::join_all(attempts).await;
    let busy: Vec<&Reply> = replies.iter().filter(|reply| reply.code() == 503).collect();
    assert!(!busy.is_empty());
    for reply in busy {
        assert!(reply.header("retry-after").is_some());
        assert_eq!(reply.json()["code"], "server_fault");
    }
    assert!(replies.iter().all(|reply| [401, 503].contains(&reply.code())));
    world
        .request("POST", "/users/session")
        .json(&json!({ "email": "a@b.cd", "password": PASSWORD }))
        .send()
        .await
        .expect(401);
}

#[tokio::test]
async fn methods_that_are_not_there_are_405_with_allow() {
    let world = World::new().await;
    for (path, allow) in [
        ("/users", "POST"),
        ("/users/session", "POST, DELETE"),
        ("/users/session/refresh", "POST"),
        ("/users/password-reset", "POST, PUT"),
        ("/users/me", "GET, PATCH, DELETE, HEAD"),
    ] {
        let reply = world.request("TRACE", path).send().await.expect(405);
        assert_eq!(reply.header("allow"), Some(allow), "{path}");
    }
}

#[tokio::test]
async fn a_stored_hash_that_cannot_be_read_is_told_like_a_wrong_password() {
    let world = World::new().await;
    world.sign_up("alice@example.com").await;
    let user = world.user("alice@example.com").await;
    let now = world.clock.now();
    world.store.set_password_hash(&user.id, &user.password_hash.unwrap(), "$md5$x", now).await.unwrap();
    let unreadable = world.log_in("alice@example.com", PASSWORD).await.expect(401);
    let unknown = world.log_in("nobody@example.com", PASSWORD).await.expect(401);
    assert_eq!(shape(&unreadable), shape(&unknown));
}
