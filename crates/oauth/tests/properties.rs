//! Properties of the parsers and deciders, for any input.

use oauth::client::{ApiGrant, AuthMethod, Client, ClientType, GrantType, authenticate};
use oauth::client_credentials::{Api, Issuer, decide, narrow};
use oauth::error::ErrorCode;
use oauth::metadata::check_issuer;
use oauth::one_time_secret::Digest;
use oauth::refresh_token::{self, Lifetimes, Stored};
use oauth::token_request::TokenRequest;
use policy::{Scope, ScopeSet};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};

fn scope_sets() -> impl Strategy<Value = ScopeSet> {
    btree_set("[a-e]", 0..5)
        .prop_map(|names| names.iter().filter_map(|name| Scope::parse(name).ok()).collect())
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_without_panic(body in vec(any::<u8>(), 0..300), json: bool, authorization in proptest::option::of("\\PC{0,60}")) {
        let content_type = if json { "application/json" } else { "application/x-www-form-urlencoded" };
        let _ = TokenRequest::parse(content_type, &body, authorization.as_deref());
    }

    #[test]
    fn what_is_encoded_is_decoded_in_form_and_json(id in "\\PC{1,20}", secret in "\\PC{1,40}", scope in "\\PC{1,20}") {
        let form: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &id)
            .append_pair("client_secret", &secret)
            .append_pair("scope", &scope)
            .finish();
        let json = serde_json::json!({"grant_type": "client_credentials", "client_id": id, "client_secret": secret, "scope": scope, "organization": null}).to_string();
        for (content_type, body) in [("application/x-www-form-urlencoded", form), ("application/json", json)] {
            let request = TokenRequest::parse(content_type, body.as_bytes(), None).unwrap();
            prop_assert_eq!(&request.client.client_id, &id);
            prop_assert_eq!(request.client.secret.as_ref().map(|secret| secret.expose_secret()), Some(secret.as_str()));
            prop_assert_eq!(request.scope.as_deref(), Some(scope.as_str()));
        }
    }

    #[test]
    fn basic_carries_any_secret(id in "\\PC{1,20}", secret in "\\PC{0,40}") {
        use base64::Engine as _;
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let header = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", encode(&id), encode(&secret))));
        let request = TokenRequest::parse("application/x-www-form-urlencoded", b"grant_type=client_credentials", Some(&header)).unwrap();
        prop_assert_eq!(&request.client.client_id, &id);
        prop_assert_eq!(request.client.secret.as_ref().map(|secret| secret.expose_secret()), Some(secret.as_str()));
    }

    #[test]
    fn a_repeated_parameter_never_passes(name in "[a-z_]{1,12}", one in "[a-z]{0,5}", other in "[a-z]{0,5}") {
        let body = format!("grant_type=client_credentials&client_id=abc&{name}={one}&x=y&{name}={other}");
        let error = TokenRequest::parse("application/x-www-form-urlencoded", body.as_bytes(), None).unwrap_err();
        prop_assert_eq!(error.code(), ErrorCode::InvalidRequest);
    }

    #[test]
    fn only_the_secret_authenticates(right in "[a-z]{1,6}", shown in "[a-z]{1,6}") {
        let client = Client {
            id: "abc".into(), name: String::new(), kind: ClientType::NonInteractive, secret_digest: Some(Digest::of(&right)),
            auth_method: AuthMethod::ClientSecretBasic, grants: vec![], api_grants: vec![], disabled: false,
        };
        let presented = oauth::client::Presented {
            client_id: "abc".into(), secret: Some(SecretString::from(shown.as_str())), method: AuthMethod::ClientSecretPost,
        };
        prop_assert_eq!(authenticate(&presented, Some(&client)).is_ok(), right == shown);
    }

    #[test]
    fn narrowing_never_widens(granted in scope_sets(), asked in scope_sets()) {
        match narrow(&granted, Some(&asked.to_string())) {
            Ok(scope) if asked.is_empty() => prop_assert_eq!(scope, granted),
            Ok(scope) => { prop_assert_eq!(&scope, &asked); prop_assert!(granted.covers(&scope)); }
            Err(error) => { prop_assert_eq!(error.code(), ErrorCode::InvalidScope); prop_assert!(!granted.covers(&asked)); }
        }
    }

    #[test]
    fn no_token_has_a_scope_that_is_not_granted_and_defined(granted in scope_sets(), defined in scope_sets(), now: i64) {
        let client = Client {
            id: "abc".into(), name: String::new(), kind: ClientType::NonInteractive, secret_digest: Some(Digest::of("s")),
            auth_method: AuthMethod::ClientSecretPost, grants: vec![GrantType::ClientCredentials],
            api_grants: vec![ApiGrant { audience: "api".into(), scopes: granted.clone() }], disabled: false,
        };
        let api = Api { identifier: "api".into(), scopes: defined.clone(), token_lifetime: None };
        let request = TokenRequest::parse("application/x-www-form-urlencoded", b"grant_type=client_credentials&client_id=abc&client_secret=s", None).unwrap();
        let authenticated = authenticate(&request.client, Some(&client)).unwrap();
        let issuer = Issuer { url: "https://a/", access_token_lifetime: 900 };
        let issued = decide(&request, &authenticated, Some(&api), &issuer, now, [0; 16]).unwrap();
        prop_assert!(granted.covers(&issued.scope) && defined.covers(&issued.scope));
        prop_assert!(issued.claims["exp"].as_i64() >= issued.claims["iat"].as_i64());
    }

    #[test]
    fn a_refresh_never_outlives_its_session(expires_at: i64, session_expires_at: i64, now: i64, idle in 0..i64::MAX) {
        let stored = Stored {
            session_id: "s".into(), client_id: "c".into(), scope: ScopeSet::new(), expires_at, redeemed_at: None,
            session_expires_at, session_ended_at: None, blocked: false,
        };
        let lifetimes = Lifetimes { idle, absolute: idle };
        if let Ok(redemption) = refresh_token::redeem(Some(&stored), "c", None, &lifetimes, now, [0; 32]) {
            prop_assert!(now < expires_at && now < session_expires_at);
            prop_assert!(redemption.expires_at <= session_expires_at);
        }
    }

    #[test]
    fn checking_an_issuer_never_panics(text in "\\PC{0,40}|https?://\\PC{0,30}/?") {
        if check_issuer(&text).is_ok() {
            prop_assert!(text.ends_with('/') && !text.contains(['?', '#', '@', ' ']));
        }
    }
}
