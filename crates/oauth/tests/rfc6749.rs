//! RFC 6749: one test for each MUST of the token endpoint that is decided here, named by section.

#![expect(clippy::panic, reason = "a test fails by panicking, also in its helpers")]

use oauth::client::{ApiGrant, AuthMethod, Client, ClientType, GrantType, authenticate};
use oauth::client_credentials::{Api, Issued, Issuer, audience, decide};
use oauth::error::{ErrorCode, OAuthError};
use oauth::one_time_secret::Digest;
use oauth::token_request::TokenRequest;
use policy::ScopeSet;
use secrecy::ExposeSecret;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const SECRET: &str = "s3cret";
const ISSUER: Issuer<'static> = Issuer { url: "https://auth.example.com/", access_token_lifetime: 900 };

fn scopes(text: &str) -> ScopeSet {
    text.split(' ').filter_map(|scope| policy::Scope::parse(scope).ok()).collect()
}

fn client() -> Client {
    Client {
        id: "abc".into(),
        name: "machine".into(),
        kind: ClientType::NonInteractive,
        secret_digest: Some(Digest::of(SECRET)),
        auth_method: AuthMethod::ClientSecretPost,
        grants: vec![GrantType::ClientCredentials],
        api_grants: vec![ApiGrant {
            audience: "https://api.example.com".into(),
            scopes: scopes("read write"),
        }],
        disabled: false,
    }
}

fn api() -> Api {
    Api {
        identifier: "https://api.example.com".into(),
        scopes: scopes("read write admin"),
        token_lifetime: None,
    }
}

fn parse(body: &str) -> Result<TokenRequest, OAuthError> {
    TokenRequest::parse(FORM, body.as_bytes(), None)
}

fn parse_error(content_type: &str, body: &[u8], authorization: Option<&str>) -> OAuthError {
    match TokenRequest::parse(content_type, body, authorization) {
        Ok(request) => panic!("was taken: {request:?}"),
        Err(error) => error,
    }
}

/// The whole endpoint but for storage and signature.
fn answer(
    body: &str,
    authorization: Option<&str>,
    client: Option<&Client>,
    api: Option<&Api>,
) -> Result<Issued, OAuthError> {
    let request = TokenRequest::parse(FORM, body.as_bytes(), authorization)?;
    let client = authenticate(&request.client, client)?;
    audience(&request, &client)?;
    decide(&request, &client, api, &ISSUER, 1_000, [1; 16])
}

fn code(result: Result<Issued, OAuthError>) -> ErrorCode {
    match result {
        Ok(issued) => panic!("was issued: {issued:?}"),
        Err(error) => error.code(),
    }
}

const GOOD: &str = "grant_type=client_credentials&client_id=abc&client_secret=s3cret";

fn basic(text: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

#[test]
fn rfc6749_2_3_no_more_than_one_authentication_method_in_a_request() {
    let header = basic("abc:s3cret");
    for body in [
        "grant_type=client_credentials&client_secret=s3cret",
        "grant_type=client_credentials&client_id=abc&client_secret=s3cret",
        "grant_type=client_credentials&client_assertion=x&client_assertion_type=y",
    ] {
        assert_eq!(
            parse_error(FORM, body.as_bytes(), Some(&header)).code(),
            ErrorCode::InvalidRequest,
            "{body}"
        );
    }
    let both = format!("{GOOD}&client_assertion=x");
    assert_eq!(parse_error(FORM, both.as_bytes(), None).code(), ErrorCode::InvalidRequest);
}

#[test]
fn rfc6749_2_3_an_assertion_alone_is_an_unknown_method() {
    let body = "grant_type=client_credentials&client_id=abc&client_assertion=x&client_assertion_type=y";
    assert_eq!(parse_error(FORM, body.as_bytes(), None).code(), ErrorCode::InvalidClient);
}

#[test]
fn rfc6749_2_3_1_basic_is_supported_and_form_decoded() {
    for (encoded, id, secret) in [
        ("abc:s3cret", "abc", "s3cret"),
        ("a%2Dbc:s%3A%25%2B%C3%A9+%20", "a-bc", "s:%+é  "),
        ("abc:with:colons", "abc", "with:colons"),
        ("abc:", "abc", ""),
    ] {
        for scheme in ["Basic", "basic", "BASIC"] {
            let header = basic(encoded).replace("Basic", scheme);
            let request = TokenRequest::parse(FORM, b"grant_type=client_credentials", Some(&header)).unwrap();
            assert_eq!(request.client.client_id, id);
            assert_eq!(request.client.secret.as_ref().unwrap().expose_secret(), secret);
            assert_eq!(request.client.method, AuthMethod::ClientSecretBasic);
        }
    }
}

#[test]
fn rfc6749_2_3_1_the_client_id_in_the_body_is_the_one_in_basic() {
    let header = basic("abc:s3cret");
    let same =
        TokenRequest::parse(FORM, b"grant_type=client_credentials&client_id=abc", Some(&header)).unwrap();
    assert_eq!(same.client.client_id, "abc");
    let other = parse_error(FORM, b"grant_type=client_credentials&client_id=xyz", Some(&header));
    assert_eq!(other.code(), ErrorCode::InvalidRequest);
}

#[test]
fn rfc6749_2_3_1_malformed_basic_is_a_failed_authentication() {
    for header in [
        "Basic",
        "Basic ",
        "Basic %%%",
        "Basic YWJj",
        "Basic OnNlY3JldA==",
        "Basic /////w==",
        &basic("abc:%zz"),
    ] {
        let error = parse_error(FORM, b"grant_type=client_credentials", Some(header));
        assert_eq!((error.code(), error.status()), (ErrorCode::InvalidClient, 401), "{header}");
        assert!(error.www_authenticate().is_some(), "{header}");
    }
    let bearer = parse_error(FORM, b"grant_type=client_credentials", Some("Bearer abc"));
    assert_eq!((bearer.code(), bearer.www_authenticate()), (ErrorCode::InvalidRequest, None));
}

#[test]
fn rfc6749_2_3_1_secrets_in_the_body_are_supported() {
    assert!(answer(GOOD, None, Some(&client()), Some(&api())).is_ok());
}

#[test]
fn rfc6749_3_2_parameters_without_a_value_are_omitted_ones() {
    assert_eq!(parse_error(FORM, b"grant_type=&client_id=abc", None).description(), "grant_type is missing");
    let request = parse(&format!("{GOOD}&scope=&audience=")).unwrap();
    assert_eq!((request.scope, request.audience), (None, None));
    let header = basic("abc:s3cret");
    assert!(
        TokenRequest::parse(FORM, b"grant_type=client_credentials&client_secret=", Some(&header)).is_ok()
    );
}

#[test]
fn rfc6749_3_2_unrecognised_parameters_are_ignored() {
    assert!(parse(&format!("{GOOD}&redirect_uri=https%3A%2F%2Fapp&organization=x&a=b")).is_ok());
    let nested = br#"{"grant_type":"client_credentials","client_id":"abc","client_secret":"s3cret","authn_response":{"a":[1,2]},"n":5}"#;
    assert!(TokenRequest::parse(JSON, nested, None).is_ok());
}

#[test]
fn rfc6749_3_2_parameters_must_not_be_included_more_than_once() {
    for twice in [
        "grant_type=client_credentials",
        "client_id=abc",
        "client_secret=s3cret",
        "scope=a&scope=b",
        "x=1&x=1",
        "scope=&scope=a",
    ] {
        let body = format!("{GOOD}&{twice}");
        assert_eq!(parse_error(FORM, body.as_bytes(), None).code(), ErrorCode::InvalidRequest, "{twice}");
    }
    for twice in [
        r#"{"grant_type":"client_credentials","grant_type":"client_credentials","client_id":"abc"}"#,
        r#"{"grant_type":"client_credentials","client_id":"abc","scope":null,"scope":"a"}"#,
        r#"{"grant_type":"client_credentials","client_id":"abc","client_\u0069d":"abc"}"#,
    ] {
        assert_eq!(parse_error(JSON, twice.as_bytes(), None).code(), ErrorCode::InvalidRequest, "{twice}");
    }
}

#[test]
fn rfc6749_3_2_1_only_confidential_clients_with_a_secret_get_client_credentials() {
    let public = Client { auth_method: AuthMethod::None, secret_digest: None, ..client() };
    let body = "grant_type=client_credentials&client_id=abc";
    assert_eq!(code(answer(body, None, Some(&public), Some(&api()))), ErrorCode::UnauthorizedClient);
}

#[test]
fn rfc6749_3_3_scopes_are_case_sensitive_and_a_subset_narrows() {
    let narrowed = answer(&format!("{GOOD}&scope=read"), None, Some(&client()), Some(&api())).unwrap();
    assert_eq!(narrowed.scope.to_string(), "read");
    assert_eq!(narrowed.response("t")["scope"], "read");
    for scope in ["Read", "read+admin", "read:", "unknown", "%22"] {
        let body = format!("{GOOD}&scope={scope}");
        assert_eq!(
            code(answer(&body, None, Some(&client()), Some(&api()))),
            ErrorCode::InvalidScope,
            "{scope}"
        );
    }
}

#[test]
fn rfc6749_3_3_no_scope_asked_is_all_that_is_granted_and_the_answer_says_so() {
    let all = answer(GOOD, None, Some(&client()), Some(&api())).unwrap();
    assert_eq!(all.response("t")["scope"], "read write");
    // A scope that the API no longer defines is granted no more.
    let smaller = Api { scopes: scopes("read"), ..api() };
    assert_eq!(answer(GOOD, None, Some(&client()), Some(&smaller)).unwrap().scope.to_string(), "read");
}

#[test]
fn rfc6749_4_4_3_the_answer_has_no_refresh_token() {
    let body = answer(GOOD, None, Some(&client()), Some(&api())).unwrap().response("t");
    assert!(body.get("refresh_token").is_none());
}

#[test]
fn rfc6749_5_1_the_answer_has_token_type_and_lifetime() {
    let issued = answer(GOOD, None, Some(&client()), Some(&api())).unwrap();
    let body = issued.response("the token");
    assert_eq!(body["access_token"], "the token");
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 900);
    let shorter = Api { token_lifetime: Some(60), ..api() };
    let issued = answer(GOOD, None, Some(&client()), Some(&shorter)).unwrap();
    assert_eq!((issued.expires_in, &issued.claims["exp"]), (60, &1_060.into()));
}

#[test]
fn rfc6749_5_2_invalid_request_for_what_is_malformed() {
    for (content_type, body) in [
        (FORM, &b"grant_type=client_credentials&client_id=%zz"[..]),
        (FORM, b"grant_type=client_credentials&client_id=%"),
        (FORM, b"grant_type=client_credentials&client_id=\xff"),
        (FORM, b"grant_type=client_credentials&client_id=a%00b"),
        (FORM, b"client_id=abc&client_secret=s3cret"),
        (JSON, b"not json"),
        (JSON, b"[]"),
        (JSON, b"\"text\""),
        (JSON, b"{\"grant_type\":\"client_credentials\",\"client_id\":\"\xff\"}"),
        (JSON, br#"{"grant_type":5,"client_id":"abc"}"#),
        (JSON, br#"{"grant_type":"client_credentials","client_id":{"a":1}}"#),
        (JSON, br#"{"grant_type":"client_credentials","client_id":"a\u0000"}"#),
        (JSON, br#"{"grant_type":"client_credentials","client_id":"abc"} trailing"#),
        ("multipart/form-data", b"grant_type=client_credentials"),
        ("text/plain", b"grant_type=client_credentials"),
        ("", b"grant_type=client_credentials"),
    ] {
        let error = parse_error(content_type, body, None);
        assert_eq!(
            (error.code(), error.status()),
            (ErrorCode::InvalidRequest, 400),
            "{content_type} {body:?}"
        );
    }
}

#[test]
fn rfc6749_5_2_media_types_are_compared_without_case_and_parameters() {
    for content_type in
        ["Application/X-WWW-Form-URLEncoded", "application/x-www-form-urlencoded; charset=UTF-8"]
    {
        assert!(TokenRequest::parse(content_type, GOOD.as_bytes(), None).is_ok(), "{content_type}");
    }
    let body = br#"{"grant_type":"client_credentials","client_id":"abc","client_secret":"s3cret","organization":null,"scope":null}"#;
    let request = TokenRequest::parse("application/json;charset=utf-8", body, None).unwrap();
    assert_eq!((request.client.client_id.as_str(), request.scope), ("abc", None));
}

#[test]
fn rfc6749_5_2_invalid_client_is_401_with_a_challenge_only_for_basic() {
    let wrong_post = "grant_type=client_credentials&client_id=abc&client_secret=wrong";
    let unknown_post = answer(wrong_post, None, None, None).unwrap_err();
    assert_eq!(answer(wrong_post, None, Some(&client()), Some(&api())).unwrap_err(), unknown_post);
    assert_eq!((unknown_post.status(), unknown_post.www_authenticate()), (401, None));

    let header = basic("abc:wrong");
    let body = "grant_type=client_credentials";
    let unknown_basic = answer(body, Some(&header), None, None).unwrap_err();
    assert_eq!(answer(body, Some(&header), Some(&client()), Some(&api())).unwrap_err(), unknown_basic);
    assert_eq!(unknown_basic.status(), 401);
    assert!(unknown_basic.www_authenticate().is_some_and(|challenge| challenge.starts_with("Basic realm=")));
}

#[test]
fn rfc6749_5_2_invalid_client_where_no_authentication_is_included() {
    let error = parse_error(FORM, b"grant_type=client_credentials", None);
    assert_eq!((error.code(), error.status()), (ErrorCode::InvalidClient, 401));
    let named_only = "grant_type=client_credentials&client_id=abc";
    assert_eq!(code(answer(named_only, None, Some(&client()), Some(&api()))), ErrorCode::InvalidClient);
}

#[test]
fn rfc6749_5_2_unauthorized_client_for_a_grant_that_is_not_registered() {
    let without = Client { grants: vec![GrantType::AuthorizationCode], ..client() };
    assert_eq!(code(answer(GOOD, None, Some(&without), Some(&api()))), ErrorCode::UnauthorizedClient);
    let no_api = Client { api_grants: Vec::new(), ..client() };
    assert_eq!(code(answer(GOOD, None, Some(&no_api), Some(&api()))), ErrorCode::UnauthorizedClient);
}

#[test]
fn rfc6749_5_2_unsupported_grant_type_for_what_nobody_may_use() {
    for grant in [
        "password",
        "http%3A%2F%2Fauth0.com%2Foauth%2Fgrant-type%2Fpassword-realm",
        "authorization_code",
        "refresh_token",
        "implicit",
        "CLIENT_CREDENTIALS",
        "client_credentials+",
        "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange",
    ] {
        let body = format!("grant_type={grant}&client_id=abc&client_secret=s3cret");
        let error = parse_error(FORM, body.as_bytes(), None);
        assert_eq!((error.code(), error.status()), (ErrorCode::UnsupportedGrantType, 400), "{grant}");
    }
}

#[test]
fn rfc8707_2_the_audience_is_optional_where_there_is_one_and_refused_where_it_is_not_granted() {
    let named = format!("{GOOD}&audience=https%3A%2F%2Fapi.example.com");
    assert_eq!(
        answer(&named, None, Some(&client()), Some(&api())).unwrap().claims["aud"],
        "https://api.example.com"
    );
    let other = format!("{GOOD}&audience=https%3A%2F%2Fapi.example.com%2F");
    assert_eq!(code(answer(&other, None, Some(&client()), Some(&api()))), ErrorCode::InvalidTarget);

    let second = ApiGrant { audience: "https://second.example.com".into(), scopes: scopes("x") };
    let mut two = client();
    two.api_grants.push(second);
    assert_eq!(code(answer(GOOD, None, Some(&two), Some(&api()))), ErrorCode::InvalidRequest);
    assert!(answer(&named, None, Some(&two), Some(&api())).is_ok());

    // Granted, but the API is gone, or the caller loaded another one.
    assert_eq!(code(answer(GOOD, None, Some(&client()), None)), ErrorCode::InvalidTarget);
    let wrong = Api { identifier: "https://second.example.com".into(), ..api() };
    assert_eq!(code(answer(GOOD, None, Some(&client()), Some(&wrong))), ErrorCode::InvalidTarget);
}

#[test]
fn rfc6749_7_1_secrets_never_show_in_debug_output() {
    let request = parse(GOOD).unwrap();
    let client = client();
    let shown = format!("{request:?} {client:?}");
    assert!(!shown.contains(SECRET), "{shown}");
}
