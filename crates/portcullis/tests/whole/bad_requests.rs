//! What strangers send: each has its answer, and none reaches the backend.

use std::net::SocketAddr;

use serde_json::json;
use testkit::http::raw;
use testkit::http::raw_statuses;

use crate::served::Served;
use crate::world::{PASSWORD, access_token};

const API_KEYS: &str = "[gateway.api_keys]\nheader = \"API-Key\"\n";

async fn address(url: &str) -> SocketAddr {
    let authority = url.trim_start_matches("http://").trim_end_matches('/');
    tokio::net::lookup_host(authority).await.unwrap().find(SocketAddr::is_ipv4).unwrap()
}

#[tokio::test]
async fn the_gateway_refuses_what_is_malformed_or_said_twice() {
    let here = Served::start(API_KEYS).await;
    here.sign_up("ada@example.com").await;
    let token = access_token(&here.log_in("ada@example.com", PASSWORD).await.expect(200));
    let gateway = address(&here.laid.gateway).await;
    let long = "x".repeat(20_000);
    let cases: [(&str, String, u16); 14] = [
        (
            "two Authorization headers",
            format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"),
            400,
        ),
        ("bearer and API key together", format!("Authorization: Bearer {token}\r\nAPI-Key: x\r\n"), 400),
        ("a token of 20 kB", format!("Authorization: Bearer {long}\r\n"), 401),
        ("a token that is none", "Authorization: Bearer x.y.z\r\n".into(), 401),
        ("another scheme", "Authorization: Basic eDp5\r\n".into(), 400),
        ("no token behind the scheme", "Authorization: Bearer\r\n".into(), 400),
        ("two spaces", format!("Authorization: Bearer  {token}\r\n"), 400),
        ("a second Host", "Host: other\r\n".into(), 400),
        ("an unknown API key", "API-Key: pcl_dev_nothing\r\n".into(), 401),
        ("headers over 64 kB", format!("X-Long: {}\r\n", "x".repeat(70_000)), 431),
        ("a length said twice", "Content-Length: 1\r\nContent-Length: 2\r\n".into(), 400),
        ("a length that is none", "Content-Length: -1\r\n".into(), 400),
        ("a header with a space in its name", "X A: b\r\n".into(), 400),
        ("nothing", String::new(), 401),
    ];
    let before = here.backend().seen().len();
    for (what, headers, status) in cases {
        let request = format!("GET /notes HTTP/1.1\r\nHost: {gateway}\r\n{headers}Connection: close\r\n\r\n");
        let answer = raw(gateway, request.as_bytes()).await;
        let text = String::from_utf8_lossy(&answer);
        assert_eq!(raw_statuses(&answer), [status], "{what}: {text}");
    }
    for path in [
        "/notes/",
        "//notes",
        "/./notes",
        "/x/../notes",
        "/%2e%2e/notes",
        "/notes%2f",
        "/notes;a",
        "/no%00tes",
        "/notes\\",
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {gateway}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(raw_statuses(&raw(gateway, request.as_bytes()).await), [400], "{path}");
    }
    assert_eq!(here.backend().seen().len(), before, "something reached the backend");
    assert_eq!(here.notes(&token).await, 200);
}

#[tokio::test]
async fn the_token_endpoint_answers_in_oauths_words() {
    let here = Served::start("").await;
    let form = "application/x-www-form-urlencoded";
    let cases: [(&str, &str, &[u8], u16, &str); 7] = [
        ("an unknown grant", form, b"grant_type=telepathy&client_id=x", 400, "unsupported_grant_type"),
        ("no grant", form, b"client_id=x", 400, "invalid_request"),
        (
            "a repeated parameter",
            form,
            b"grant_type=client_credentials&client_id=a&client_id=b",
            400,
            "invalid_request",
        ),
        ("invalid UTF-8", form, b"grant_type=client_credentials&client_id=%ff%fe", 400, "invalid_request"),
        ("invalid UTF-8 in JSON", "application/json", b"{\"grant_type\":\"\xff\"}", 400, "invalid_request"),
        ("half of a JSON", "application/json", b"{\"grant_type\":", 400, "invalid_request"),
        (
            "an unknown client",
            form,
            b"grant_type=client_credentials&client_id=a&client_secret=b",
            401,
            "invalid_client",
        ),
    ];
    for (what, content_type, body, status, code) in cases {
        let request = here.http.post(&here.issuer("oauth/token")).header("content-type", content_type);
        let reply = request.body(body.to_vec()).send().await;
        assert_eq!(
            (reply.code(), &reply.json()["error"]),
            (status, &json!(code)),
            "{what}: {}",
            reply.text()
        );
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{what}");
    }
    let large = here.http.post(&here.issuer("oauth/token")).header("content-type", form);
    large.body("a=".to_owned() + &"x".repeat(70_000)).send().await.expect(413);
}

#[tokio::test]
async fn the_session_api_answers_in_problem_details() {
    let here = Served::start("").await;
    let users = here.issuer("users");
    let cases: [(&str, &str, &[u8]); 6] = [
        ("no JSON", "application/json", b"email=a"),
        ("invalid UTF-8", "application/json", b"{\"email\":\"\xff\",\"password\":\"x\"}"),
        ("a member twice", "application/json", b"{\"email\":\"a@example.com\",\"email\":\"b@example.com\",\"password\":\"x\"}"),
        ("no password", "application/json", b"{\"email\":\"a@example.com\"}"),
        ("no address", "application/json", b"{\"email\":\"a\",\"password\":\"kestrel-lantern-quarry-71\"}"), // portcullis:allow made up
        ("two lines in an address", "application/json", b"{\"email\":\"a@example.com\\r\\nBcc: b@example.com\",\"password\":\"kestrel-lantern-quarry-71\"}"), // portcullis:allow made up
    ];
    for (what, content_type, body) in cases {
        let reply =
            here.http.post(&users).header("content-type", content_type).body(body.to_vec()).send().await;
        assert_eq!(reply.code(), 400, "{what}: {}", reply.text());
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{what}");
    }
    let large = json!({"email": "a@example.com", "password": "x".repeat(70_000)});
    here.http.post(&users).json(&large).send().await.expect(413);
}
