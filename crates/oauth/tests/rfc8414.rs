//! RFC 8414: the issuer's metadata.

use oauth::metadata::{Facts, document, oauth_path, openid_path};
use policy::{Scope, ScopeSet};
use serde_json::{Value, json};

const ISSUER: &str = "https://auth.example.com/";

fn of(scopes: &ScopeSet) -> Value {
    document(&Facts { issuer: ISSUER, scopes, signing_algorithms: &["RS256"] })
}

#[test]
fn rfc8414_2_the_issuer_is_the_configured_one_byte_for_byte() {
    assert_eq!(of(&ScopeSet::new())["issuer"], ISSUER);
}

#[test]
fn rfc8414_2_endpoints_stand_on_the_issuers_origin() {
    let document = of(&ScopeSet::new());
    assert_eq!(document["token_endpoint"], "https://auth.example.com/oauth/token");
    assert_eq!(document["jwks_uri"], "https://auth.example.com/.well-known/jwks.json");
}

#[test]
fn rfc8414_2_only_what_works_is_listed() {
    let document = of(&ScopeSet::new());
    assert_eq!(document["grant_types_supported"], json!(["client_credentials"]));
    assert_eq!(
        document["token_endpoint_auth_methods_supported"],
        json!(["client_secret_post", "client_secret_basic"])
    );
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["RS256"]));
    assert_eq!(document["subject_types_supported"], json!(["public"]));
    for absent in [
        "authorization_endpoint",
        "response_types_supported",
        "registration_endpoint",
        "revocation_endpoint",
        "userinfo_endpoint",
    ] {
        assert_eq!(document.get(absent), None, "{absent}");
    }
}

#[test]
fn rfc8414_3_1_and_discovery_4_the_document_is_found_with_and_without_a_path() {
    assert_eq!(oauth_path(ISSUER), "/.well-known/oauth-authorization-server");
    assert_eq!(openid_path(ISSUER), "/.well-known/openid-configuration");
    let tenant = "https://auth.example.com/tenant/";
    assert_eq!(oauth_path(tenant), "/.well-known/oauth-authorization-server/tenant");
    assert_eq!(openid_path(tenant), "/tenant/.well-known/openid-configuration");
}

#[test]
fn rfc8414_3_2_a_member_without_elements_is_omitted() {
    assert_eq!(of(&ScopeSet::new()).get("scopes_supported"), None);
    let scopes: ScopeSet = Scope::parse("read").into_iter().collect();
    assert_eq!(of(&scopes)["scopes_supported"], json!(["read"]));
    for (name, value) in of(&scopes).as_object().unwrap() {
        assert!(!value.as_array().is_some_and(Vec::is_empty), "{name}");
    }
}
