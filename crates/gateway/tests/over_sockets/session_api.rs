//! Paths that are answered in this process, before the backend's rules.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use gateway::{SessionApi, SessionBody};
use http::Response;
use http_body_util::{BodyExt, Full};
use serde_json::json;

use crate::world::{FRONTEND, World, get, send};

async fn world() -> World {
    World::start_with(|plan| {
        plan.ports.session_api = Some(SessionApi {
            paths: vec!["/users".into(), "/users/session".into(), "/account/...".into()],
            service: Arc::new(|request| {
                Box::pin(async move {
                    let (head, body) = request.into_parts();
                    let header = |name: &str| head.headers.get(name).map(|v| v.to_str().unwrap().to_owned());
                    let told = json!({
                        "method": head.method.as_str(),
                        "target": head.uri.to_string(),
                        "client": head.extensions.get::<IpAddr>().map(ToString::to_string),
                        "authorization": header("authorization"),
                        "subject": header("x-auth-subject"),
                        "forwarded": header("x-forwarded-for"),
                        "request_id": header("x-request-id"),
                        "body": String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()),
                    });
                    let body = Full::new(Bytes::from(told.to_string())).map_err(|never| match never {});
                    Response::new(SessionBody::new(body))
                })
            }),
        });
    })
    .await
}

#[tokio::test]
async fn the_service_gets_the_request_as_it_is_and_nothing_forged() {
    let world = world().await;
    let answer = send(
        world.address,
        "POST",
        "/%75sers/session?a=b",
        &[
            ("Authorization", "Basic eDp5"),
            ("X-Auth-Subject", "root"),
            ("X-Forwarded-For", "6.6.6.6"),
            ("Origin", FRONTEND),
        ],
        b"hello",
    )
    .await;
    assert_eq!(answer.status, 200);
    let told = answer.json();
    assert_eq!(told["target"], "/users/session?a=b");
    assert_eq!((&told["client"], &told["forwarded"]), (&json!("127.0.0.1"), &json!("127.0.0.1")));
    assert_eq!(told["authorization"], "Basic eDp5");
    assert!(told["subject"].is_null());
    assert_eq!(told["body"], "hello");
    assert_eq!(told["request_id"].as_str(), answer.header("x-request-id"));
    assert_eq!(answer.header("access-control-allow-origin"), Some(FRONTEND));
    assert_eq!(answer.header("vary"), Some("Origin"));
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn only_its_own_paths() {
    let world = world().await;
    for (path, status) in [
        ("/users", 200),
        ("/users/session", 200),
        ("/users/7", 401),
        ("/users/session/x", 401),
        ("/account/a/b", 200),
        ("/account", 401),
        ("/accounts/x", 401),
        ("/users/", 400),
        ("/users//session", 400),
    ] {
        assert_eq!(get(world.address, path, &[]).await.status, status, "{path}");
    }
    let foreign =
        send(world.address, "POST", "/users/session", &[("Origin", "https://evil.test")], b"{}").await;
    assert_eq!(foreign.status, 403);
}
