//! `identity.mode = "delegated"`: users live at a foreign issuer, whose key set is a file here.

use serde_json::{Value, json};
use testkit::node::MockIssuer;

use crate::served::{AUDIENCE, Laid, Served};

/// A configuration that believes this issuer, by its key set of this moment.
async fn laid(issuer: &MockIssuer) -> Laid {
    let keys = testkit::http::Client::new().get(&format!("{}jwks", issuer.url())).send().await.expect(200);
    let laid = Laid::out("").await;
    std::fs::write(laid.path("foreign.json"), &keys.body).unwrap();
    laid.edit("[identity]\n", "[identity]\nmode = \"delegated\"\n");
    let foreign = format!(
        "[[gateway.issuer]]\nurl = \"{}\"\naudience = \"{AUDIENCE}\"\nprofile = \"auth0\"\nmaximum_token_lifetime = \
         \"2h\"\njwks = \"foreign.json\"\n[operations]",
        issuer.url()
    );
    laid.edit("[operations]", &foreign);
    // The auditor asks from outside, where the gateway is.
    laid.edit("[operations]", &format!("[audit]\ntarget = \"{}\"\n[operations]", laid.gateway));
    laid
}

fn user() -> Value {
    json!({
        "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
        "aud": AUDIENCE,
        "azp": "my_client_id",
        "scope": "openid read:notes",
    })
}

#[tokio::test]
async fn there_are_no_sessions_and_the_foreign_issuers_users_come_in() {
    let issuer = MockIssuer::start().await;
    let here: Served = laid(&issuer).await.start().await;
    let person = json!({"email": "ada@example.com", "password": crate::world::PASSWORD});
    for (method, path) in [
        ("POST", "users"),
        ("POST", "users/session"),
        ("POST", "users/session/refresh"),
        ("DELETE", "users/session"),
        ("POST", "users/password-reset"),
        ("PUT", "users/password-reset"),
        ("GET", "users/me"),
        ("PATCH", "users/me"),
        ("DELETE", "users/me"),
    ] {
        let reply = here.http.request(method, &here.issuer(path)).json(&person).send().await;
        assert_eq!(reply.code(), 404, "{method} {path}: {}", reply.text());
    }

    let token = issuer.token(&json!({ "payload": user() })).await;
    assert_eq!(here.notes(&token).await, 200);
    let seen = here.backend().until_seen(1).await;
    assert_eq!(seen[0].header("x-auth-subject"), Some("auth0|5f7c8ec7c33c6c004bbafe82"));
    assert_eq!(issuer.key_set_fetches().await, 1, "the file alone is believed: only the test has fetched");

    // A key that the file does not hold is not looked for elsewhere.
    let stranger = issuer.token(&json!({"new_key": true, "payload": user()})).await;
    assert_eq!(here.notes(&stranger).await, 401);
    assert_eq!(issuer.key_set_fetches().await, 1);
    let mut other = user();
    other["aud"] = "https://other.example.com".into();
    assert_eq!(here.notes(&issuer.token(&json!({ "payload": other })).await).await, 401);
    here.stop().await;
}

#[tokio::test]
async fn the_auditor_reports_what_the_issuer_does_as_delegated() {
    let issuer = MockIssuer::start().await;
    let here = laid(&issuer).await.start().await;
    let output =
        here.laid.run(&["audit", "--format", "json", "--only", "A1", "--only", "A2", "--only", "A8"]).await;
    let report = output.json();
    for id in ["A1", "A2", "A8"] {
        let measures = report["measures"].as_array().unwrap();
        let measure = measures.iter().find(|measure| measure["id"] == id).unwrap();
        assert_eq!(measure["verdict"], "delegated", "{measure:#}");
        assert!(measure.to_string().contains(issuer.url()), "the issuer is named: {measure:#}");
    }
    here.stop().await;
}
