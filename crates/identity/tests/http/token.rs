//! `POST /oauth/token`.

use serde_json::json;

use crate::world::{AUDIENCE, ISSUER, OTHER_AUDIENCE, SECRET, World, claims, header};

#[tokio::test]
async fn rfc9068_2_2_a_client_gets_a_token_with_every_claim() {
    let world = World::new().await;
    let reply = world.client_credentials(&[]).await.expect(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let body = reply.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 900);
    assert_eq!(body["scope"], "read:orders session");
    assert!(body.get("refresh_token").is_none() && body.get("id_token").is_none());

    let token = body["access_token"].as_str().unwrap();
    let now = world.clock.now();
    let said = claims(token);
    assert_eq!(said["iss"], ISSUER);
    assert_eq!(said["sub"], "machine@clients");
    assert_eq!(said["client_id"], "machine");
    assert_eq!(said["aud"], AUDIENCE);
    assert_eq!(said["gty"], "client-credentials");
    assert_eq!((said["iat"].as_i64(), said["exp"].as_i64()), (Some(now), Some(now + 900)));
    assert!(said["jti"].as_str().unwrap().len() >= 22);
    assert_eq!(header(token)["typ"], "at+jwt");
    assert_eq!(header(token)["alg"], "RS256");

    let keys = world.request("GET", "/.well-known/jwks.json").send().await.expect(200);
    let keys = jose::KeySet::parse(&keys.body, &jose::KeyPolicy::OWN).unwrap();
    let verified = jose::verify_claims(token, &keys).unwrap();
    let expected = jose::Expectations {
        issuer: ISSUER,
        audience: AUDIENCE,
        typ: jose::TypRule::Rfc9068,
        maximum_lifetime: 900,
        now,
    };
    jose::judge(&verified.claims, &verified.header, &expected).unwrap();
}

#[tokio::test]
async fn rfc6749_2_3_1_secrets_are_taken_from_body_or_basic_and_from_form_or_json() {
    let world = World::new().await;
    let body = json!({
        "grant_type": "client_credentials", "client_id": "machine", "client_secret": SECRET,
        "audience": AUDIENCE, "organization": null,
    });
    world.request("POST", "/oauth/token").json(&body).send().await.expect(200);
    let encoded = "an-application%27s+secret%3A+100%25+%2B+%C3%A9";
    let reply = world
        .request("POST", "/oauth/token")
        .basic("machine", encoded)
        .form(&[("grant_type", "client_credentials"), ("scope", "read:orders")])
        .send()
        .await
        .expect(200);
    assert_eq!(reply.json()["scope"], "read:orders");
}

#[tokio::test]
async fn rfc6749_3_2_only_post_is_known() {
    let world = World::new().await;
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let reply = world.request(method, "/oauth/token").send().await.expect(405);
        assert_eq!(reply.header("allow"), Some("POST"), "{method}");
    }
}

#[tokio::test]
async fn rfc6749_5_2_refusals_have_their_codes() {
    let world = World::new().await;
    for (more, status, code) in [
        (&[("grant_type", "password")][..], 400, "unsupported_grant_type"),
        (&[("grant_type", "authorization_code")], 400, "unsupported_grant_type"),
        (&[("grant_type", "")], 400, "invalid_request"),
        (&[("client_secret", "wrong")], 401, "invalid_client"),
        (&[("client_secret", "")], 401, "invalid_client"),
        (&[("client_id", "nobody")], 401, "invalid_client"),
        (&[("scope", "write:orders")], 400, "invalid_scope"),
        (&[("scope", "a\"b")], 400, "invalid_scope"),
        (&[("audience", OTHER_AUDIENCE)], 400, "invalid_target"),
        (&[("audience", "https://unknown.example")], 400, "invalid_target"),
        (&[("scope", "read:orders"), ("scope", "session")], 400, "invalid_request"),
    ] {
        let reply = world.client_credentials(more).await.expect(status);
        assert_eq!(reply.json()["error"], code, "{more:?}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("www-authenticate"), None, "{more:?}");
    }
}

#[tokio::test]
async fn rfc6749_5_2_an_unknown_client_and_a_wrong_secret_are_told_alike() {
    let world = World::new().await;
    let wrong = world.client_credentials(&[("client_secret", "wrong")]).await.expect(401);
    let unknown = world.client_credentials(&[("client_id", "nobody")]).await.expect(401);
    assert_eq!(wrong.body, unknown.body);
    let names = |reply: &testkit::http::Reply| {
        reply
            .headers
            .iter()
            .filter(|(name, _)| *name != "date")
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&wrong), names(&unknown));
    let basic = world
        .request("POST", "/oauth/token")
        .basic("machine", "wrong")
        .form(&[("grant_type", "client_credentials")])
        .send()
        .await
        .expect(401);
    assert!(basic.header("www-authenticate").unwrap().starts_with("Basic "));
}

#[tokio::test]
async fn what_is_malformed_is_400_and_what_is_too_large_413() {
    let world = World::new().await;
    let form = "application/x-www-form-urlencoded";
    let table: [(&str, &[u8], u16); 6] = [
        (form, b"grant_type=client_credentials&client_id=%ff&client_secret=x", 400),
        (form, b"grant_type=client_credentials&client_id=%zz&client_secret=x", 400),
        ("application/json", b"{\"grant_type\":\"client_credentials\",\"grant_type\":\"x\"}", 400),
        ("application/json", b"{\"grant_type\":1,\"client_id\":\"x\"}", 400),
        ("application/json", b"\xff", 400),
        ("multipart/form-data; boundary=x", b"", 400),
    ];
    for (content_type, body, status) in table {
        let reply = world
            .request("POST", "/oauth/token")
            .header("content-type", content_type)
            .body(body.to_vec())
            .send()
            .await
            .expect(status);
        assert!(reply.json()["error"].is_string());
    }
    let large = vec![b'a'; 64 * 1024 + 1];
    world.request("POST", "/oauth/token").header("content-type", form).body(large).send().await.expect(413);
    let twice = world
        .request("POST", "/oauth/token")
        .basic("machine", "a")
        .basic("machine", "b")
        .form(&[("grant_type", "client_credentials")])
        .send()
        .await
        .expect(400);
    assert_eq!(twice.json()["error"], "invalid_request");
}

#[tokio::test]
async fn wrong_secrets_are_throttled_and_time_opens_again() {
    let world = World::new().await;
    for _ in 0..100 {
        world.client_credentials(&[("client_secret", "wrong")]).await.expect(401);
    }
    let reply = world.client_credentials(&[("client_secret", "wrong")]).await.expect(429);
    assert!(reply.header("retry-after").unwrap().parse::<i64>().unwrap() > 0);
    assert_eq!(reply.json()["error"], "too_many_attempts");
    world.client_credentials(&[]).await.expect(429);
    world.client_credentials(&[("client_id", "without-session")]).await.expect(200);
    world.clock.advance(15 * 60);
    world.client_credentials(&[]).await.expect(200);
}

#[tokio::test]
async fn what_is_remembered_of_a_client_is_forgotten_when_the_feed_says_so() {
    let world = World::new().await;
    world.client_credentials(&[]).await.expect(200);
    let seq = world.store.latest_seq().await.unwrap();
    let (mut row, grants) = world.store.client("machine").await.unwrap().unwrap();
    row.disabled = true;
    world.store.upsert_client(&row, &grants, world.clock.now()).await.unwrap();
    for change in world.store.changes_since(seq, 0, i64::MAX).await.unwrap() {
        world.identity.apply_change(&change.kind, &change.key).await.unwrap();
    }
    world.client_credentials(&[]).await.expect(401);
}

#[tokio::test]
async fn a_token_costs_no_write_and_known_clients_no_read() {
    let world = World::new().await;
    world.client_credentials(&[]).await.expect(200);
    world.store.close().await;
    world.client_credentials(&[]).await.expect(200);
    // What is not remembered needs the store: 503 with a time to wait, never a token.
    let reply = world.client_credentials(&[("client_id", "without-session")]).await.expect(503);
    assert_eq!(reply.json()["error"], "temporarily_unavailable");
    assert!(reply.header("retry-after").is_some());
}
