//! `GET /forward-auth`: the same decision for another proxy.

use crate::world::{Answer, World, get};

async fn behind_proxy() -> World {
    World::start_with(|plan| plan.config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()]).await
}

async fn ask(world: &World, method: &str, uri: &str, more: &[(&str, &str)]) -> Answer {
    let mut headers =
        vec![("X-Forwarded-Method", method), ("X-Forwarded-Uri", uri), ("X-Forwarded-Host", "api.test")];
    headers.extend_from_slice(more);
    get(world.address, "/forward-auth", &headers).await
}

#[tokio::test]
async fn the_same_decision() {
    let world = behind_proxy().await;
    let user = format!("Bearer {}", world.user("read:orders write:orders"));
    let user: &[(&str, &str)] = &[("Authorization", user.as_str())];
    for (method, uri, more, status) in [
        ("GET", "/orders/7", user, 200),
        ("HEAD", "/orders/7?a=b", user, 200),
        ("POST", "/orders", user, 200),
        ("GET", "/admin", user, 403),
        ("PUT", "/orders/7", user, 403),
        ("GET", "/nowhere", user, 403),
        ("GET", "/orders/7", &[], 401),
        ("GET", "/public", &[], 200),
        ("GET", "/orders/..%2fadmin", user, 400),
        ("GET", "/orders/../admin", user, 400),
        ("GET", "/orders/7", &[("Authorization", "Bearer bad")], 401),
        ("POST", "/public", &[("Origin", "https://evil.test")], 403),
    ] {
        let answer = ask(&world, method, uri, more).await;
        assert_eq!(answer.status, status, "{method} {uri}");
    }
    let answer = ask(&world, "GET", "/orders/7", user).await;
    assert_eq!(answer.header("x-auth-subject"), Some("usr_1"));
    assert_eq!(answer.header("x-auth-client"), Some("app"));
    assert_eq!(answer.header("x-auth-scopes"), Some("read:orders write:orders"));
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(world.backend.count(), 0, "the other proxy forwards");
}

#[tokio::test]
async fn the_question_must_be_whole() {
    let world = behind_proxy().await;
    for headers in [
        &[("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/public")][..],
        &[("X-Forwarded-Method", "GET"), ("X-Forwarded-Host", "a")],
        &[("X-Forwarded-Uri", "/public"), ("X-Forwarded-Host", "a")],
        &[
            ("X-Forwarded-Method", "GET"),
            ("X-Forwarded-Method", "POST"),
            ("X-Forwarded-Uri", "/public"),
            ("X-Forwarded-Host", "a"),
        ],
        &[("X-Forwarded-Method", "G T"), ("X-Forwarded-Uri", "/public"), ("X-Forwarded-Host", "a")],
    ] {
        assert_eq!(get(world.address, "/forward-auth", headers).await.status, 400, "{headers:?}");
    }
}

#[tokio::test]
async fn strangers_have_no_such_path() {
    let world = World::start().await;
    assert_eq!(ask(&world, "GET", "/public", &[]).await.status, 401);
    let token = format!("Bearer {}", world.user("read:orders"));
    assert_eq!(ask(&world, "GET", "/orders/7", &[("Authorization", &token)]).await.status, 403);
}
