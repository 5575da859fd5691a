//! CORS on the session API, and what carries none.

use serde_json::json;

use crate::world::{FRONTEND, PASSWORD, World};

#[tokio::test]
async fn fetch_the_frontend_may_read_answers_and_errors_and_others_may_not() {
    let world = World::public().await;
    let body = json!({ "email": "nobody@example.com", "password": PASSWORD });
    let log_in = |origin: Option<&str>| {
        let mut request = world.request("POST", "/users/session");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        request.json(&body).send()
    };
    let reply = log_in(Some(FRONTEND)).await.expect(401);
    assert_eq!(reply.header("access-control-allow-origin"), Some(FRONTEND));
    assert_eq!(reply.header("access-control-allow-credentials"), None);
    assert_eq!(reply.header("vary"), Some("Origin"));
    let none = log_in(None).await.expect(401);
    assert_eq!((none.header("access-control-allow-origin"), none.header("vary")), (None, Some("Origin")));
    for origin in [
        "https://evil.test",
        "https://app.example.evil.test",
        "http://app.example",
        "https://app.example:444",
        "https://app.example/",
        "https://APP.example",
        "null",
    ] {
        let reply = log_in(Some(origin)).await.expect(403);
        assert_eq!(reply.header("access-control-allow-origin"), None, "{origin}");
        assert_eq!(reply.header("vary"), Some("Origin"));
    }
    let two = world.request("POST", "/users/session").header("origin", FRONTEND).header("origin", FRONTEND);
    two.json(&body).send().await.expect(403);
    // A safe method is answered, and not for the page to read.
    let safe =
        world.request("GET", "/users/me").header("origin", "https://evil.test").send().await.expect(401);
    assert_eq!(safe.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn fetch_preflights_are_answered_for_the_frontend_and_listed_methods_alone() {
    let world = World::new().await;
    let preflight = |path: &'static str, origin: &'static str, method: &'static str| {
        let request = world.request("OPTIONS", path).header("origin", origin);
        request.header("access-control-request-method", method).send()
    };
    let reply = preflight("/users/me", FRONTEND, "PATCH").await.expect(204);
    assert_eq!(reply.header("access-control-allow-origin"), Some(FRONTEND));
    assert_eq!(reply.header("access-control-allow-headers"), Some("authorization, content-type"));
    assert_eq!(reply.header("access-control-max-age"), Some("600"));
    assert!(reply.header("access-control-allow-methods").unwrap().contains("PATCH"));
    for (path, origin, method) in [
        ("/users/me", "https://evil.test", "PATCH"),
        ("/users/me", FRONTEND, "PUT"),
        ("/oauth/token", FRONTEND, "POST"),
        ("/reset", FRONTEND, "POST"),
    ] {
        let reply = preflight(path, origin, method).await.expect(403);
        for name in ["access-control-allow-methods", "access-control-allow-headers"] {
            assert_eq!(reply.header(name), None, "{path} {origin} {method}");
        }
    }
    // OPTIONS that is no preflight is a method like any other.
    world.request("OPTIONS", "/users/me").header("origin", FRONTEND).send().await.expect(405);
}
