//! `identity.mode = "delegated"`, and the session API on the gateway's origin.

use axum::body::Body;
use http::{Request, StatusCode};
use identity::Mode;
use tower::ServiceExt as _;

use crate::world::{World, config};

#[tokio::test]
async fn where_users_live_elsewhere_the_session_paths_are_404() {
    let mut config = config();
    config.mode = Mode::Delegated;
    let world = World::with(config).await;
    for (method, path) in [
        ("POST", "/users"),
        ("POST", "/users/session"),
        ("DELETE", "/users/session"),
        ("POST", "/users/session/refresh"),
        ("POST", "/users/password-reset"),
        ("GET", "/users/me"),
        ("GET", "/reset"),
    ] {
        let reply = world.request(method, path).send().await.expect(404);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    }
    world.client_credentials(&[]).await.expect(200);
}

#[tokio::test]
async fn the_session_router_knows_the_session_paths_alone() {
    let world = World::new().await;
    let router = world.identity.session_router();
    let status = async |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap().status()
    };
    assert_eq!(status("GET", "/users/me").await, StatusCode::UNAUTHORIZED);
    assert_eq!(status("POST", "/users/session").await, StatusCode::UNAUTHORIZED);
    for path in ["/oauth/token", "/reset", "/.well-known/jwks.json", "/users/me/", "/users//me", "/USERS/me"]
    {
        assert_eq!(status("GET", path).await, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(world.identity.session_paths().len(), 5);
}
