//! `identity.mode = "delegated"`: users live at a foreign issuer, whose key set is a file here.

use serde_json::{Value, json};
use testkit::auth0_simulator::Auth0Simulator;
use testkit::node::MockIssuer;
use testkit::process::{self, Program};

use crate::served::{AUDIENCE, Laid, Served, private};

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

/// A configuration that believes the Auth0 look-alike, of whose tokens it bears that they live for so long; the auditor has
/// a client and a user there.
async fn behind(issuer: &Auth0Simulator, bears: &str) -> Laid {
    let laid = Laid::out("").await;
    laid.edit("[identity]\n", "[identity]\nmode = \"delegated\"\n");
    let (url, target) = (issuer.url(), laid.gateway.clone());
    let more = format!(
        "[[gateway.issuer]]\nurl = \"{url}\"\naudience = \"{AUDIENCE}\"\nprofile = \"auth0\"\n\
         maximum_token_lifetime = \"{bears}\"\n[audit]\ntarget = \"{target}\"\nclient_id = \"audit\"\n\
         client_secret_file = \"secret\"\nuser_email = \"ada@example.com\"\nuser_password_file = \"secret\"\n[operations]"
    );
    laid.edit("[operations]", &more);
    private(&laid.path("secret"), crate::world::PASSWORD.as_bytes());
    laid
}

#[tokio::test]
async fn an_auth0_look_alike_is_asked_and_found_out() {
    let issuer =
        Auth0Simulator::start(AUDIENCE, "openid read:notes", "ada@example.com", crate::world::PASSWORD).await;
    let verdict = |report: &Value, id: &str, claim: Option<&str>| {
        let measures = report["measures"].as_array().unwrap();
        let measure = measures.iter().find(|measure| measure["id"] == id).unwrap();
        let Some(name) = claim else { return (measure["verdict"].clone(), format!("{measure:#}")) };
        let claims = measure["claims"].as_array().unwrap();
        let claim = claims.iter().find(|claim| claim["id"] == name).unwrap();
        (claim["verdict"].clone(), format!("{claim:#}"))
    };
    let audited = async |bears: &str| {
        let laid = behind(&issuer, bears).await;
        let mut serve = laid.command(&["serve", "--json"]);
        serve.env("SSL_CERT_FILE", issuer.authority());
        let (program, _) = Program::ready(serve).await;
        let mut audit =
            laid.command(&["audit", "--format", "json", "--only", "A7", "--only", "A8", "--only", "A10"]);
        audit.env("SSL_CERT_FILE", issuer.authority());
        let report = process::run(audit).await.json();
        program.terminate().await;
        report
    };

    let report = audited("42d").await;
    let (a8, shown) = verdict(&report, "A8", None);
    assert_eq!(a8, "delegated", "{shown}");
    for claim in ["the_issuer_is_who_it_says_it_is", "the_issuer_shows_public_keys_alone"] {
        let (live, shown) = verdict(&report, "A8", Some(claim));
        assert_eq!(live, "pass", "{shown}");
        assert!(shown.contains(issuer.url()), "{shown}");
    }
    let (tokens, shown) = verdict(&report, "A8", Some("its_tokens_name_it_and_are_let_in"));
    assert_eq!(tokens, "pass", "{shown}");
    assert!(shown.contains("GET /notes with a user's token"), "{shown}");
    // It gives ID tokens to whoever asks with `openid`.
    let (id_token, shown) = verdict(&report, "A7", Some("an_id_token_is_refused"));
    assert_eq!(id_token, "pass", "{shown}");

    // Its tokens live a thousand hours: it counts milliseconds as seconds. A gateway that does not bear that refuses them,
    // and the audit says so.
    let report = audited("2h").await;
    let (lives, shown) = verdict(&report, "A10", Some("no_token_lives_longer_than_x"));
    assert_eq!(lives, "fail", "{shown}");
    let (let_in, shown) = verdict(&report, "A7", Some("a_users_token_is_let_in"));
    assert_eq!(let_in, "not_proven", "{shown}");
    assert_eq!(verdict(&report, "A8", None).0, "delegated");
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
