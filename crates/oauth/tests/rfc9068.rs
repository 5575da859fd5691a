//! RFC 9068: the claims of access tokens.

use oauth::access_token::{AccessToken, Subject, TYP};
use policy::{Scope, ScopeSet};
use serde_json::{Value, json};

fn scopes() -> ScopeSet {
    ["write", "read"].into_iter().filter_map(|scope| Scope::parse(scope).ok()).collect()
}

fn claims(subject: Subject<'_>, scope: &ScopeSet) -> Value {
    let token = AccessToken {
        issuer: "https://auth.example.com/",
        audience: "https://api.example.com",
        client_id: "abc",
        subject,
        scope,
        lifetime: 900,
    };
    token.claims(1_000, [0xff; 16])
}

const USER: Subject<'static> = Subject::User { id: "usr_x", session: Some("ses_y") };

#[test]
fn rfc9068_2_1_the_type_is_at_jwt() {
    assert_eq!(TYP, "at+jwt");
}

#[test]
fn rfc9068_2_2_the_required_claims_are_there() {
    for subject in [Subject::Client, USER] {
        let claims = claims(subject, &scopes());
        assert_eq!(claims["iss"], "https://auth.example.com/");
        assert_eq!(claims["aud"], "https://api.example.com");
        assert_eq!(claims["client_id"], "abc");
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_000), &json!(1_900)));
        assert!(claims["iat"].is_i64() && claims["exp"].is_i64());
        assert_eq!(claims["jti"].as_str().map(str::len), Some(22));
        assert!(claims["sub"].is_string());
    }
}

#[test]
fn rfc9068_2_2_3_scope_is_a_space_separated_string_and_left_out_when_empty() {
    assert_eq!(claims(USER, &scopes())["scope"], "read write");
    assert_eq!(claims(USER, &ScopeSet::new()).get("scope"), None);
}

#[test]
fn rfc9068_5_a_clients_subject_cannot_be_a_users() {
    let of_client = claims(Subject::Client, &scopes());
    assert_eq!(of_client["sub"], "abc@clients");
    assert_eq!(of_client["gty"], "client-credentials");
    assert_eq!(of_client.get("sid"), None);
    let of_user = claims(USER, &scopes());
    assert_eq!(of_user["sub"], "usr_x");
    assert_eq!(of_user["sid"], "ses_y");
    assert_eq!(of_user.get("gty"), None);
    assert_eq!(claims(Subject::User { id: "usr_x", session: None }, &scopes()).get("sid"), None);
}

#[test]
fn rfc9068_6_no_claim_tells_more_than_it_must() {
    let names: Vec<String> = claims(USER, &scopes()).as_object().unwrap().keys().cloned().collect();
    for name in &names {
        assert!(
            ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "scope", "sid"].contains(&name.as_str()),
            "{name}"
        );
    }
}
