//! Observe mode, and a new configuration while requests run.

use std::sync::Arc;

use gateway::Mode;
use policy::{RouteConfig, Table};

use crate::world::{World, get, send};

#[tokio::test]
async fn observe_mode_denies_nothing_and_counts_everything() {
    let world = World::start_with(|plan| plan.config.mode = Mode::Observe).await;
    let scopeless = format!("Bearer {}", world.user("nothing"));
    type Case<'c> = (&'c str, &'c str, &'c [(&'c str, &'c str)], &'c str);
    let cases: &[Case<'_>] = &[
        ("GET", "/orders/7", &[], "no_credentials"),
        ("GET", "/orders/7", &[("Authorization", "Bearer bad")], "invalid_token"),
        ("GET", "/orders/7", &[("Authorization", "Basic x")], "malformed_request"),
        ("GET", "/orders/7", &[("Authorization", &scopeless)], "insufficient_scope"),
        ("GET", "/nowhere", &[("Authorization", &scopeless)], "not_listed"),
        ("POST", "/public", &[("Origin", "https://evil.test")], "foreign_origin"),
        ("GET", "/orders//7", &[], "ambiguous_path"),
    ];
    for (n, (method, path, headers, code)) in cases.iter().enumerate() {
        let mut headers = headers.to_vec();
        headers.extend([("X-Auth-Subject", "root"), ("X_Auth_Scopes", "admin")]);
        let answer = send(world.address, method, path, &headers, b"").await;
        assert_eq!(answer.status, 200, "{code}");
        let told = answer.json();
        assert_eq!(told["target"], *path);
        let subject = if *code == "insufficient_scope" || *code == "not_listed" { "usr_1" } else { "" };
        assert_eq!(told["headers"]["x-auth-subject"][0].as_str().unwrap_or_default(), subject, "{code}");
        assert!(told["headers"]["x_auth_scopes"].is_null());
        assert_eq!(world.backend.count(), n + 1);
        let decision = world.gateway.decisions().find(answer.header("x-request-id").unwrap()).unwrap();
        assert_eq!(decision.observed, Some(*code));
        let line = format!("portcullis_gateway_observed_denials_total{{reason=\"{code}\"}} 1");
        assert!(world.gateway.metrics().contains(&line), "{line}");
    }
    let fine = world.get("/orders/7", &world.user("read:orders")).await;
    let decision = world.gateway.decisions().find(fine.header("x-request-id").unwrap()).unwrap();
    assert_eq!((decision.observed, decision.reason), (None, "permitted"));
}

#[tokio::test]
async fn a_reload_takes_the_new_rules_and_keeps_the_old_ones_when_it_fails() {
    let world = World::start().await;
    assert_eq!(get(world.address, "/new", &[]).await.status, 401);
    let mut config = world.config.clone();
    let route =
        RouteConfig { match_: "GET /new".into(), public: Some("a test".into()), ..RouteConfig::default() };
    config.table = Arc::new(Table::build(None, &[route]).unwrap());
    world.gateway.reload(config.clone()).unwrap();
    assert_eq!(get(world.address, "/new", &[]).await.status, 200);
    assert_eq!(get(world.address, "/public", &[]).await.status, 401);
    config.upstream = "http://b/base".parse().unwrap();
    assert!(world.gateway.reload(config).is_err());
    assert_eq!(get(world.address, "/new", &[]).await.status, 200);
}
