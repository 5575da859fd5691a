//! The table of the contract's section "Rules at the gateway", row by row, and the small print about credentials.

use serde_json::json;

use crate::world::client::raw;
use crate::world::{AUDIENCE, Answer, LIFETIME, NOON, World, claims, get, key, send};

fn challenge(answer: &Answer) -> &str {
    answer.header("www-authenticate").unwrap_or_default()
}

#[tokio::test]
async fn the_right_token_gets_through() {
    let world = World::start().await;
    let answer = world.get("/orders/7", &world.user("read:orders other")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["target"], "/orders/7");
    let head = send(
        world.address,
        "HEAD",
        "/orders/7",
        &[("Authorization", &bearer(&world.user("read:orders")))],
        b"",
    )
    .await;
    assert_eq!(head.status, 200, "HEAD follows GET");
    assert_eq!(world.get("/files/a/b/c", &world.client("read:files")).await.status, 200);
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn rfc6750_3_1_no_credentials_are_401_without_error_listed_or_not() {
    let world = World::start().await;
    for (method, path) in [
        ("GET", "/orders/7"),
        ("POST", "/orders"),
        ("GET", "/nowhere"),
        ("PUT", "/orders/7"),
        ("BREW", "/x"),
        ("OPTIONS", "/orders/7"),
    ] {
        let answer = send(world.address, method, path, &[], b"").await;
        assert_eq!((answer.status, challenge(&answer)), (401, "Bearer"), "{method} {path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let body = answer.json();
        assert_eq!(body["status"], 401);
        assert_eq!(body["request_id"].as_str(), answer.header("x-request-id"));
        assert_eq!(answer.header("vary"), Some("Origin"));
    }
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn an_unlisted_route_is_403_with_a_good_token() {
    let world = World::start().await;
    let token = bearer(&world.user("read:orders write:orders admin"));
    let headers = [("Authorization", token.as_str())];
    for (method, path) in [
        ("GET", "/nowhere"),
        ("GET", "/orders"),
        ("PUT", "/orders/7"),
        ("GET", "/ORDERS/7"),
        ("GET", "/files"),
        ("TRACE", "/orders/7"),
    ] {
        let answer = send(world.address, method, path, &headers, b"").await;
        assert_eq!(answer.status, 403, "{method} {path}");
        assert!(answer.header("location").is_none());
    }
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn a_bad_token_is_401_invalid_token_everywhere() {
    let world = World::start().await;
    let stranger = key("own-1");
    let unknown = key("own-9");
    let good = claims(NOON);
    let sign = |change: &dyn Fn(&mut serde_json::Value)| world.token(|claims| change(claims));
    let typed = |typ: &str| jose::sign(&world.key, typ, &good).unwrap();
    let right = typed("at+jwt");
    let parts: Vec<&str> = right.split('.').collect();
    let bad: Vec<(&str, String)> = vec![
        ("garbage", "garbage".into()),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("padding", format!("{}.{}.{}=", parts[0], parts[1], parts[2])),
        ("padding within", format!("{}=.{}.{}", parts[0], parts[1], parts[2])),
        ("alg none", format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{}.", parts[1])),
        ("another's key", jose::sign(&stranger, "at+jwt", &good).unwrap()),
        ("an unknown key", jose::sign(&unknown, "at+jwt", &good).unwrap()),
        (
            "expired",
            sign(&|c| {
                c["iat"] = json!(NOON - 100);
                c["exp"] = json!(NOON - 30)
            }),
        ),
        (
            "no exp",
            sign(&|c| {
                c.as_object_mut().unwrap().remove("exp");
            }),
        ),
        ("exp as text", sign(&|c| c["exp"] = json!("1900000000"))),
        ("huge exp", sign(&|c| c["exp"] = json!(1e300))),
        ("foreign issuer", sign(&|c| c["iss"] = json!("https://auth.test"))),
        (
            "no issuer",
            sign(&|c| {
                c.as_object_mut().unwrap().remove("iss");
            }),
        ),
        ("wrong audience", sign(&|c| c["aud"] = json!("https://api.test/"))),
        (
            "no audience",
            sign(&|c| {
                c.as_object_mut().unwrap().remove("aud");
            }),
        ),
        (
            "no subject",
            sign(&|c| {
                c.as_object_mut().unwrap().remove("sub");
            }),
        ),
        ("not yet", sign(&|c| c["nbf"] = json!(NOON + 31))),
        ("issued in future", sign(&|c| c["iat"] = json!(NOON + 31))),
        ("too long-lived", sign(&|c| c["exp"] = json!(NOON + LIFETIME + 1))),
        (
            "too long-lived without iat",
            sign(&|c| {
                c.as_object_mut().unwrap().remove("iat");
                c["exp"] = json!(NOON + LIFETIME + 1)
            }),
        ),
        ("bound to a key", sign(&|c| c["cnf"] = json!({"jkt": "x"}))),
        ("typ JWT", typed("JWT")),
        ("typ id_token", typed("id_token")),
        ("a subject that cannot be a header", sign(&|c| c["sub"] = json!("usr_1\r\nX-Auth-Scopes: admin"))),
        ("a subject with spaces at its end", sign(&|c| c["sub"] = json!("usr_1 "))),
        ("scope as a list", sign(&|c| c["scope"] = json!(["read:orders"]))),
        ("over 16 kB", format!("{}.{}", "x".repeat(20 * 1024), parts[1])),
    ];
    for (what, token) in &bad {
        for path in ["/orders/7", "/nowhere", "/public"] {
            let answer = world.get(path, token).await;
            assert_eq!(
                (answer.status, challenge(&answer)),
                (401, "Bearer error=\"invalid_token\""),
                "{what} {path}"
            );
        }
    }
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn times_have_thirty_seconds_of_leeway_and_may_be_fractions() {
    let world = World::start().await;
    for (what, token) in [
        (
            "just expired",
            world.token(|c| {
                c["iat"] = json!(NOON - 100);
                c["exp"] = json!(NOON - 29)
            }),
        ),
        ("soon valid", world.token(|c| c["nbf"] = json!(NOON + 30))),
        ("issued soon", world.token(|c| c["iat"] = json!(NOON + 30))),
        ("a fraction", world.token(|c| c["exp"] = json!(f64::from(NOON as i32) + 60.5))),
        ("as long as allowed", world.token(|c| c["exp"] = json!(NOON + LIFETIME))),
        ("audience of several", world.token(|c| c["aud"] = json!([AUDIENCE, "https://auth.test/userinfo"]))),
        ("the long typ", jose::sign(&world.key, "application/at+jwt", &claims(NOON)).unwrap()),
    ] {
        assert_eq!(world.get("/orders/7", &token).await.status, 200, "{what}");
    }
}

#[tokio::test]
async fn malformed_or_doubled_credentials_are_400() {
    let world = World::start().await;
    let token = world.user("read:orders");
    let good = bearer(&token);
    for (what, headers) in [
        ("two", vec![("Authorization", good.clone()), ("Authorization", good.clone())]),
        ("two in one", vec![("Authorization", format!("{good}, {good}"))]),
        ("two spaces", vec![("Authorization", format!("Bearer  {token}"))]),
        ("a tab", vec![("Authorization", format!("Bearer\t{token}"))]),
        ("more behind", vec![("Authorization", format!("{good} x"))]),
        ("nothing behind", vec![("Authorization", "Bearer".into())]),
        ("Basic", vec![("Authorization", "Basic YTpi".into())]),
        ("bare", vec![("Authorization", token.clone())]),
        ("empty", vec![("Authorization", String::new())]),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for path in ["/orders/7", "/nowhere", "/public"] {
            let answer = get(world.address, path, &headers).await;
            assert_eq!(
                (answer.status, challenge(&answer)),
                (400, "Bearer error=\"invalid_request\""),
                "{what} {path}"
            );
        }
    }
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn rfc6750_2_1_the_scheme_is_case_insensitive() {
    let world = World::start().await;
    let token = world.user("read:orders");
    for scheme in ["bearer", "BEARER", "BeArEr"] {
        let value = format!("{scheme} {token}");
        assert_eq!(
            get(world.address, "/orders/7", &[("Authorization", &value)]).await.status,
            200,
            "{scheme}"
        );
    }
}

#[tokio::test]
async fn oauth21_a_token_in_the_query_is_nothing() {
    let world = World::start().await;
    let answer =
        get(world.address, &format!("/orders/7?access_token={}", world.user("read:orders")), &[]).await;
    assert_eq!((answer.status, challenge(&answer)), (401, "Bearer"));
}

#[tokio::test]
async fn ambiguous_paths_are_400() {
    let world = World::start().await;
    let token = bearer(&world.user("read:orders read:files admin"));
    let deep = format!("/files/{}", "%25".repeat(5) + "2e");
    for path in [
        "/orders/../admin",
        "/orders/./7",
        "/orders/%2e%2e/admin",
        "/orders/.%2e/admin",
        "/orders/%2E/7",
        "//orders/7",
        "/orders//7",
        "/orders/7/",
        "/orders/7%2F",
        "/orders%2f7",
        "/orders\\7",
        "/orders%5c7",
        "/orders/%00",
        "/orders/%0a",
        "/orders/%7f",
        "/orders/%252e%252e/admin",
        "/orders/%c0%ae%c0%ae/admin",
        "/orders/%c0%af",
        "/orders/%ef%bc%8e%ef%bc%8e/admin",
        "/orders/%ef%bd%81",
        "/orders/..;/admin",
        "/orders/7;jsessionid=1",
        "/orders/%3b",
        "/orders/%",
        "/orders/%zz",
        "/orders/%ff",
        "*",
        deep.as_str(),
    ] {
        let answer = get(world.address, path, &[("Authorization", &token)]).await;
        assert_eq!(answer.status, 400, "{path}");
        let answer = get(world.address, path, &[]).await;
        assert_eq!(answer.status, 400, "{path} without credentials");
    }
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn what_is_matched_is_what_is_forwarded() {
    let world = World::start().await;
    let token = world.user("read:orders read:files");
    for (sent, forwarded) in [
        ("/orders/7", "/orders/7"),
        ("/orders/7?a=%2e%2e/b&c", "/orders/7?a=%2e%2e/b&c"),
        ("/%6frders/7", "/orders/7"),
        ("/files/a%20b/c", "/files/a%20b/c"),
        ("/orders/7?", "/orders/7?"),
    ] {
        let answer = world.get(sent, &token).await;
        assert_eq!(answer.status, 200, "{sent}");
        assert_eq!(answer.json()["target"], forwarded, "{sent}");
    }
}

#[tokio::test]
async fn host_is_exactly_one() {
    let world = World::start().await;
    let token = world.user("read:orders");
    let head = |target: &str, hosts: &str| {
        format!("GET {target} HTTP/1.1\r\n{hosts}Authorization: Bearer {token}\r\n\r\n")
    };
    for (what, request, status) in [
        ("none", head("/orders/7", ""), 400),
        ("two", head("/orders/7", "Host: a\r\nHost: a\r\n"), 400),
        ("empty", head("/orders/7", "Host:\r\n"), 400),
        ("a path", head("/orders/7", "Host: a/b\r\n"), 400),
        ("a user", head("/orders/7", "Host: u@a\r\n"), 400),
        ("another in the target", head("http://b/orders/7", "Host: a\r\n"), 400),
        ("the same in the target", head("http://a/orders/7", "Host: a\r\n"), 200),
        ("in the target alone", head("http://a/orders/7", ""), 400),
        ("one", head("/orders/7", "Host: a:8080\r\n"), 200),
    ] {
        assert_eq!(raw(world.address, &request).await.status, status, "{what}");
    }
    assert_eq!(raw(world.address, "GET /orders/7 HTTP/1.0\r\n\r\n").await.status, 400);
    assert_eq!(raw(world.address, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n").await.status, 400);
}

#[tokio::test]
async fn a_missing_scope_is_403_and_named() {
    let world = World::start().await;
    for scope in
        ["", "read", "read:order", "read:orders2", "Read:orders", "xread:orders", "read:all", "write:orders"]
    {
        let answer = world.get("/orders/7", &world.user(scope)).await;
        assert_eq!(answer.status, 403, "{scope}");
        assert_eq!(
            challenge(&answer),
            "Bearer error=\"insufficient_scope\", scope=\"read:orders\"",
            "{scope}"
        );
        assert!(answer.json()["detail"].as_str().unwrap().contains("read:orders"));
    }
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn the_wrong_kind_of_caller_is_403() {
    let world = World::start().await;
    let (user, client) =
        (bearer(&world.user("read:me write:reports")), bearer(&world.client("read:me write:reports")));
    for (method, path, token, status) in [
        ("GET", "/me", &user, 200),
        ("GET", "/me", &client, 403),
        ("POST", "/reports", &user, 403),
        ("POST", "/reports", &client, 200),
    ] {
        let answer = send(world.address, method, path, &[("Authorization", token)], b"").await;
        assert_eq!(answer.status, status, "{method} {path}");
        if status == 403 {
            assert!(
                challenge(&answer).starts_with("Bearer error=\"insufficient_scope\", scope="),
                "{answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn public_routes_need_nobody_and_tell_who_came() {
    let world = World::start().await;
    let answer = get(world.address, "/public", &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["headers"]["x-auth-subject"], json!(null));
    let answer = world.get("/public", &world.user("a")).await;
    assert_eq!(answer.json()["headers"]["x-auth-subject"], json!(["usr_1"]));
}

#[tokio::test]
async fn a_revoked_token_is_401_at_once() {
    let world = World::start().await;
    let token = world.user("read:orders");
    assert_eq!(world.get("/orders/7", &token).await.status, 200);
    world.revocations.apply(gateway::Revocation::Session("ses_1".into()), NOON);
    let answer = world.get("/orders/7", &token).await;
    assert_eq!((answer.status, challenge(&answer)), (401, "Bearer error=\"invalid_token\""));
    let other = world.token(|claims| claims["sid"] = json!("ses_2"));
    assert_eq!(world.get("/orders/7", &other).await.status, 200);
    world
        .revocations
        .apply(gateway::Revocation::Subject { subject: "usr_1".into(), not_before: NOON + 1 }, NOON);
    assert_eq!(world.get("/orders/7", &other).await.status, 401);
    let client = world.client("read:orders");
    assert_eq!(world.get("/orders/7", &client).await.status, 200);
    world.revocations.apply(gateway::Revocation::Client { client: "machine".into(), at: NOON }, NOON);
    assert_eq!(world.get("/orders/7", &client).await.status, 401);
}
