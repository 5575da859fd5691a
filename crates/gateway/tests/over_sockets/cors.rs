//! CORS: the frontend's origin alone, on every answer.

use crate::world::{Answer, FRONTEND, World, get, send};

/// Origins that are not the frontend's, however alike.
const FOREIGN: &[&str] = &[
    "null",
    "https://evil.test",
    "https://app.test.evil.test",
    "https://evilapp.test",
    "https://xapp.test",
    "https://app.test:444",
    "http://app.test",
    "https://app.test/",
    "https://APP.test",
    "https://app.test%60.evil.test",
    "https://app_test",
    "https://appxtest",
    "https://user@app.test",
    "https://app.test.",
    "https://sub.app.test",
    "https://app.test, https://app.test",
    "https://app.test https://app.test",
    "http://localhost:3000",
    "*",
    "",
];

fn allow_headers(answer: &Answer) -> Vec<&str> {
    answer
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|n| n.to_lowercase().starts_with("access-control-"))
        .collect()
}

fn varies(answer: &Answer) -> bool {
    answer.all("vary").iter().any(|value| value.contains("Origin"))
}

#[tokio::test]
async fn the_frontend_may_read_every_answer() {
    let world = World::start().await;
    let good = format!("Bearer {}", world.user("read:orders"));
    for (path, authorization, status) in [
        ("/orders/7", good.as_str(), 200),
        ("/orders/7", "Bearer bad", 401),
        ("/orders/7", "Basic x", 400),
        ("/admin", good.as_str(), 403),
        ("/nowhere", good.as_str(), 403),
        ("/orders//7", good.as_str(), 400),
    ] {
        let answer =
            get(world.address, path, &[("Origin", FRONTEND), ("Authorization", authorization)]).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(FRONTEND), "{path}");
        assert_eq!(
            answer.header("access-control-expose-headers"),
            Some("WWW-Authenticate, X-Request-Id, Deprecation, Sunset, Link, Retry-After")
        );
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert!(varies(&answer));
    }
}

#[tokio::test]
async fn foreign_origins_read_nothing_and_change_nothing() {
    let world = World::start().await;
    let good = format!("Bearer {}", world.user("read:orders write:orders"));
    for origin in FOREIGN {
        let answer = get(world.address, "/orders/7", &[("Origin", origin), ("Authorization", &good)]).await;
        assert_eq!(answer.status, 200, "{origin}: CORS is no access control for reading");
        assert!(allow_headers(&answer).is_empty(), "{origin}");
        assert!(varies(&answer));
        let before = world.backend.count();
        for (method, path) in [("POST", "/orders"), ("DELETE", "/orders/7"), ("POST", "/public")] {
            let answer =
                send(world.address, method, path, &[("Origin", origin), ("Authorization", &good)], b"").await;
            assert_eq!(answer.status, 403, "{method} from {origin}");
            assert!(allow_headers(&answer).is_empty() && varies(&answer), "{origin}");
        }
        assert_eq!(world.backend.count(), before);
    }
    let machine = send(world.address, "POST", "/orders", &[("Authorization", &good)], b"").await;
    assert_eq!(machine.status, 200, "none at all passes");
    let page =
        send(world.address, "POST", "/orders", &[("Origin", FRONTEND), ("Authorization", &good)], b"").await;
    assert_eq!(page.status, 200);
}

#[tokio::test]
async fn two_origins_are_nobodys() {
    let world = World::start().await;
    let headers = [("Origin", FRONTEND), ("Origin", FRONTEND)];
    let answer = get(world.address, "/public", &headers).await;
    assert!(answer.status == 200 && allow_headers(&answer).is_empty());
    assert_eq!(send(world.address, "POST", "/public", &headers, b"").await.status, 403);
}

async fn preflight(world: &World, path: &str, origin: &str, method: &str, headers: Option<&str>) -> Answer {
    let mut lines = vec![("Origin", origin), ("Access-Control-Request-Method", method)];
    lines.extend(headers.map(|names| ("Access-Control-Request-Headers", names)));
    send(world.address, "OPTIONS", path, &lines, b"").await
}

#[tokio::test]
async fn preflights_are_answered_before_authentication() {
    let world = World::start().await;
    for (path, method) in [
        ("/orders/7", "GET"),
        ("/orders/7", "DELETE"),
        ("/orders", "POST"),
        ("/admin", "GET"),
        ("/public", "POST"),
    ] {
        let answer =
            preflight(&world, path, FRONTEND, method, Some("authorization, content-type, x-custom")).await;
        assert_eq!(answer.status, 204, "{method} {path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(FRONTEND));
        assert!(answer.header("access-control-allow-methods").unwrap().contains(method));
        let headers = answer.header("access-control-allow-headers").unwrap();
        assert!(
            ["authorization", "content-type", "x-custom"].iter().all(|name| headers.contains(name)),
            "{headers}"
        );
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert_eq!(answer.header("access-control-allow-private-network"), None);
        assert!(varies(&answer));
    }
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn other_preflights_are_granted_nothing_and_go_nowhere() {
    let world = World::start().await;
    for (path, origin, method, headers) in [
        ("/orders/7", "https://evil.test", "GET", None),
        ("/orders/7", "null", "GET", None),
        ("/orders/7", FRONTEND, "PUT", None),
        ("/nowhere", FRONTEND, "GET", None),
        ("/orders/7", FRONTEND, "GET", Some("x-auth-subject")),
        ("/orders/7", FRONTEND, "GET", Some("*")),
        // OPTIONS is listed and public here: an ordinary one would be forwarded.
        ("/public", "https://evil.test", "GET", None),
        ("/public", FRONTEND, "DELETE", None),
    ] {
        let answer = preflight(&world, path, origin, method, headers).await;
        assert!(matches!(answer.status, 401 | 403), "{method} {path} {origin}: {}", answer.status);
        for name in ["access-control-allow-methods", "access-control-allow-headers", "access-control-max-age"]
        {
            assert_eq!(answer.header(name), None, "{name} for {method} {path} {origin}");
        }
        if origin != FRONTEND || path == "/public" {
            assert!(allow_headers(&answer).is_empty(), "{answer:?}");
        }
        assert!(varies(&answer));
    }
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn an_options_that_is_no_preflight_is_a_route_like_any_other() {
    let world = World::start().await;
    assert_eq!(send(world.address, "OPTIONS", "/orders/7", &[], b"").await.status, 401);
    assert_eq!(send(world.address, "OPTIONS", "/orders/7", &[("Origin", FRONTEND)], b"").await.status, 401);
    let token = format!("Bearer {}", world.user("read:orders"));
    let answer = send(world.address, "OPTIONS", "/orders/7", &[("Authorization", &token)], b"").await;
    assert_eq!((answer.status, answer.json()["method"].as_str()), (200, Some("OPTIONS")));
    assert_eq!(send(world.address, "OPTIONS", "/admin", &[("Authorization", &token)], b"").await.status, 403);
}
