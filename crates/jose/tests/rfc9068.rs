//! RFC 9068, JWT access tokens: its musts, and Auth0's dialect beside it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod keys;

use jose::{
    Algorithm, ClaimError, CompactError, Expectations, TypRule, VerifyError, judge, verify, verify_claims,
};
use keys::{forge, key, only};
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const AUDIENCE: &str = "https://api.example.com";

fn good() -> Value {
    json!({
        "iss": "https://auth.example.com/", "aud": AUDIENCE, "sub": "usr_1", "client_id": "app", "iat": NOW,
        "exp": NOW + 900, "jti": "j", "scope": "read:pets",
    })
}

fn verdict(typ: Value, claims: &Value, rule: TypRule) -> Result<(), VerifyError> {
    let mut header = json!({ "alg": "EdDSA", "kid": key(Algorithm::EdDsa).kid() });
    if !typ.is_null() {
        header["typ"] = typ;
    }
    let token = forge(Algorithm::EdDsa, &header.to_string(), claims.to_string().as_bytes());
    let token = verify_claims(&token, &only(Algorithm::EdDsa))?;
    let expected = Expectations {
        issuer: "https://auth.example.com/",
        audience: AUDIENCE,
        typ: rule,
        maximum_lifetime: 900,
        now: NOW,
    };
    Ok(judge(&token.claims, &token.header, &expected)?)
}

fn own(claims: &Value) -> Result<(), VerifyError> {
    verdict(json!("at+jwt"), claims, TypRule::Rfc9068)
}

fn auth0(claims: &Value) -> Result<(), VerifyError> {
    verdict(json!("JWT"), claims, TypRule::Auth0)
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = good();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[test]
fn rfc9068_2_1_and_4_an_unsigned_token_is_refused() {
    for header in ["eyJhbGciOiJub25lIn0", "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJub25lIn0"] {
        for signature in ["", "AAAA"] {
            let error = verify(&format!("{header}.e30.{signature}"), &only(Algorithm::EdDsa)).unwrap_err();
            assert_eq!(error, VerifyError::Malformed(CompactError::UnknownAlgorithm));
        }
    }
}

#[test]
fn rfc9068_4_typ_is_at_jwt_in_any_case_and_nothing_else() {
    for typ in ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "Application/AT+JWT"] {
        assert_eq!(verdict(json!(typ), &good(), TypRule::Rfc9068), Ok(()), "{typ}");
    }
    let kinds = [
        "JWT",
        "jwt",
        "",
        "id_token",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "client-authentication+jwt",
        "oauth-authz-req+jwt",
        "token-introspection+jwt",
        "xat+jwt",
        "at+jwtx",
        " at+jwt",
        "application/application/at+jwt",
    ];
    let refused = Err(VerifyError::Claims(ClaimError::Typ));
    for typ in kinds {
        assert_eq!(verdict(json!(typ), &good(), TypRule::Rfc9068), refused, "{typ}");
    }
    assert_eq!(verdict(Value::Null, &good(), TypRule::Rfc9068), refused);
}

#[test]
fn rfc9068_4_the_issuer_is_ours_byte_for_byte() {
    for issuer in [
        "https://auth.example.com",
        "https://AUTH.example.com/",
        "http://auth.example.com/",
        "https://auth.example.com:443/",
        "https://auth.example.com/ ",
        "https://auth.example.com.evil.example/",
        "",
    ] {
        assert_eq!(
            own(&with("iss", json!(issuer))),
            Err(VerifyError::Claims(ClaimError::Issuer)),
            "{issuer}"
        );
    }
}

#[test]
fn rfc9068_4_the_audience_is_ours() {
    for audience in [json!("app"), json!("https://auth.example.com/"), json!(["https://api.example.com/"])] {
        assert_eq!(own(&with("aud", audience)), Err(VerifyError::Claims(ClaimError::Audience)));
    }
    assert_eq!(own(&with("aud", json!(["https://auth.example.com/userinfo", AUDIENCE]))), Ok(()));
}

#[test]
fn rfc9068_4_the_current_time_is_before_exp() {
    assert_eq!(own(&with("exp", json!(NOW - 30))), Err(VerifyError::Claims(ClaimError::Expired)));
}

#[test]
fn rfc9068_2_2_what_a_decision_needs_is_there() {
    for claim in ["iss", "aud", "exp", "sub"] {
        assert_eq!(own(&without(claim)), Err(VerifyError::Claims(ClaimError::Missing(claim))), "{claim}");
    }
    assert_eq!(own(&with("sub", json!(""))), Err(VerifyError::Claims(ClaimError::Missing("sub"))));
    // Without `iat` the lifetime is counted from now.
    assert_eq!(own(&without("iat")), Ok(()));
}

#[test]
fn a_token_that_lives_longer_than_allowed_is_refused() {
    let too_long = Err(VerifyError::Claims(ClaimError::LivesTooLong));
    assert_eq!(own(&with("exp", json!(NOW + 901))), too_long);
    assert_eq!(own(&with("exp", json!(NOW as f64 + 900.25))), too_long);
    // Old and still good: it is the whole life that counts.
    assert_eq!(own(&with("iat", json!(NOW - 1))), too_long);
    let mut claims = without("iat");
    claims["exp"] = json!(NOW + 901);
    assert_eq!(own(&claims), too_long);
}

#[test]
fn rfc7800_a_bound_token_is_no_bearer_token() {
    for cnf in [json!({ "jkt": "x" }), json!({ "x5t#S256": "x" }), json!({}), json!(null)] {
        assert_eq!(own(&with("cnf", cnf)), Err(VerifyError::Claims(ClaimError::Bound)));
    }
}

#[test]
fn auth0s_access_tokens_pass_in_both_dialects() {
    let mut claims = without("client_id");
    claims["azp"] = json!("app");
    claims["gty"] = json!("client-credentials");
    claims["permissions"] = json!(["read:pets"]);
    assert_eq!(auth0(&claims), Ok(()));
    assert_eq!(verdict(json!("jwt"), &claims, TypRule::Auth0), Ok(()));
    assert_eq!(verdict(json!("at+jwt"), &good(), TypRule::Auth0), Ok(()));
    let refused = Err(VerifyError::Claims(ClaimError::Typ));
    assert_eq!(verdict(Value::Null, &claims, TypRule::Auth0), refused);
    assert_eq!(verdict(json!("logout+jwt"), &claims, TypRule::Auth0), refused);
}

#[test]
fn auth0s_id_tokens_are_refused() {
    let id_token = json!({
        "iss": "https://auth.example.com/", "aud": "app", "sub": "auth0|1", "iat": NOW, "exp": NOW + 900,
        "nonce": "n", "sid": "s", "email": "a@example.com",
    });
    assert_eq!(auth0(&id_token), Err(VerifyError::Claims(ClaimError::Audience)));
    let refused = Err(VerifyError::Claims(ClaimError::NotAnAccessToken));
    // Even where somebody made the audience a client's id.
    for marker in ["nonce", "at_hash", "c_hash", "s_hash", "events"] {
        assert_eq!(auth0(&with(marker, json!("x"))), refused, "{marker}");
    }
    for client in ["azp", "client_id"] {
        assert_eq!(auth0(&with(client, json!(AUDIENCE))), refused, "{client}");
    }
}
