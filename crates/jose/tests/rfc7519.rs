//! RFC 7519, JSON Web Token: its musts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod keys;

use jose::{
    Algorithm, ClaimError, Claims, Expectations, JsonError, LEEWAY, TypRule, VerifyError, judge, sign,
    verify_claims,
};
use keys::{forge, key, only};
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;

fn good() -> Value {
    json!({
        "iss": "https://auth.example.com/", "aud": "https://api.example.com", "sub": "usr_1", "client_id": "app",
        "iat": NOW, "exp": NOW + 900, "jti": "j", "scope": "read:pets",
    })
}

/// Signs, verifies and judges.
fn verdict(claims: &Value, now: i64) -> Result<(), VerifyError> {
    let token = sign(key(Algorithm::EdDsa), "at+jwt", claims).unwrap();
    let token = verify_claims(&token, &only(Algorithm::EdDsa))?;
    let expected = Expectations {
        issuer: "https://auth.example.com/",
        audience: "https://api.example.com",
        typ: TypRule::Rfc9068,
        maximum_lifetime: 900,
        now,
    };
    Ok(judge(&token.claims, &token.header, &expected)?)
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    claims[name] = value;
    claims
}

fn parsed(payload: &[u8]) -> Result<Claims, VerifyError> {
    let token = forge(Algorithm::EdDsa, r#"{"alg":"EdDSA","kid":"EdDSA"}"#, payload);
    verify_claims(&token, &only(Algorithm::EdDsa)).map(|token| token.into_inner().claims)
}

#[test]
fn rfc7519_2_a_numeric_date_may_be_a_fraction_and_is_never_a_string() {
    assert_eq!(verdict(&with("exp", json!(NOW as f64 + 0.5)), NOW), Ok(()));
    assert_eq!(verdict(&with("nbf", json!(NOW as f64 - 0.25)), NOW), Ok(()));
    for claim in ["exp", "nbf", "iat"] {
        let bad = [
            json!("1800000000"),
            json!(null),
            json!(true),
            json!([NOW]),
            json!({}),
            json!(-1),
            json!(-0.5),
            json!(1e300),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(253_402_300_800_i64),
        ];
        for value in bad {
            let expected = Err(VerifyError::Claims(ClaimError::WrongType(claim)));
            assert_eq!(verdict(&with(claim, value.clone()), NOW), expected, "{claim} {value}");
        }
    }
    // A number that no double holds is no number.
    let syntax = VerifyError::Claims(ClaimError::Malformed(JsonError::Syntax));
    assert_eq!(parsed(br#"{"exp":1e999}"#).unwrap_err(), syntax);
}

#[test]
fn rfc7519_4_claim_names_are_unique() {
    let doubled = VerifyError::Claims(ClaimError::Malformed(JsonError::DoubledMember));
    for payload in [
        r#"{"sub":"a","sub":"b"}"#,
        r#"{"sub":"a","s\u0075b":"b"}"#,
        r#"{"x":1,"y":2,"x":3}"#,
        r#"{"cnf":{},"cnf":{}}"#,
        r#"{"act":{"sub":"a","sub":"b"}}"#,
        r#"{"list":[{"a":1,"a":2}]}"#,
    ] {
        assert_eq!(parsed(payload.as_bytes()).unwrap_err(), doubled, "{payload}");
    }
}

#[test]
fn rfc7519_4_unknown_claims_are_kept_and_harmless() {
    let claims = parsed(br#"{"https://a.example/role":{"x":[1,2]},"permissions":["a"]}"#).unwrap();
    assert_eq!(claims.rest["permissions"], json!(["a"]));
    assert_eq!(verdict(&with("permissions", json!(["a"])), NOW), Ok(()));
}

#[test]
fn rfc7519_4_1_1_and_4_1_2_iss_and_sub_are_strings() {
    for claim in ["iss", "sub", "jti", "scope", "client_id", "azp", "gty", "sid"] {
        for value in [json!(1), json!(null), json!(["x"]), json!({ "x": "y" })] {
            let error = verdict(&with(claim, value.clone()), NOW).unwrap_err();
            assert_eq!(error, VerifyError::Claims(ClaimError::WrongType(claim)), "{claim} {value}");
        }
    }
}

#[test]
fn rfc7519_4_1_3_who_is_not_named_in_aud_refuses() {
    let audience = |value| verdict(&with("aud", value), NOW);
    let foreign = Err(VerifyError::Claims(ClaimError::Audience));
    assert_eq!(audience(json!("https://api.example.com")), Ok(()));
    assert_eq!(audience(json!(["https://other.example", "https://api.example.com"])), Ok(()));
    for other in [
        json!("https://api.example.com/"),
        json!("https://API.example.com"),
        json!("https://api.example.com.evil.example"),
        json!("https://other.example https://api.example.com"),
        json!(["https://other.example"]),
        json!(""),
        json!("*"),
    ] {
        assert_eq!(audience(other.clone()), foreign, "{other}");
    }
    assert_eq!(audience(json!([])), Err(VerifyError::Claims(ClaimError::Missing("aud"))));
    for bad in [json!(null), json!(1), json!([1]), json!([["https://api.example.com"]]), json!({})] {
        assert_eq!(audience(bad.clone()), Err(VerifyError::Claims(ClaimError::WrongType("aud"))), "{bad}");
    }
}

#[test]
fn rfc7519_4_1_4_on_or_after_exp_it_is_refused() {
    let expired = Err(VerifyError::Claims(ClaimError::Expired));
    assert_eq!(verdict(&good(), NOW + 900 + LEEWAY - 1), Ok(()));
    assert_eq!(verdict(&good(), NOW + 900 + LEEWAY), expired);
    assert_eq!(verdict(&with("exp", json!(0)), NOW), expired);
    assert_eq!(verdict(&with("exp", json!(NOW as f64 - 0.5)), NOW + LEEWAY - 1), Ok(()));
    assert_eq!(verdict(&with("exp", json!(NOW as f64 - 0.5)), NOW + LEEWAY), expired);
}

#[test]
fn rfc7519_4_1_5_before_nbf_it_is_refused() {
    assert_eq!(verdict(&with("nbf", json!(NOW + LEEWAY)), NOW), Ok(()));
    let early = Err(VerifyError::Claims(ClaimError::NotYet));
    assert_eq!(verdict(&with("nbf", json!(NOW + LEEWAY + 1)), NOW), early);
    assert_eq!(verdict(&with("nbf", json!((NOW + LEEWAY) as f64 + 0.5)), NOW), early);
}

#[test]
fn rfc7519_4_1_6_a_token_from_the_future_is_refused() {
    let mut claims = with("iat", json!(NOW + LEEWAY));
    assert_eq!(verdict(&claims, NOW), Ok(()));
    claims["iat"] = json!(NOW + LEEWAY + 1);
    assert_eq!(verdict(&claims, NOW), Err(VerifyError::Claims(ClaimError::IssuedInFuture)));
}

#[test]
fn rfc7519_7_2_the_payload_is_a_json_object_in_utf8() {
    let malformed = |payload: &[u8]| match parsed(payload).unwrap_err() {
        VerifyError::Claims(ClaimError::Malformed(error)) => error,
        other => unreachable!("{other:?}"),
    };
    for bad in
        [&b""[..], b"x", b"{}{}", b"{} x", b"{\"sub\":\"\xff\"}", b"\xef\xbb\xbf{}", b"{\"a\":\"\\ud800\"}"]
    {
        assert_eq!(malformed(bad), JsonError::Syntax, "{bad:?}");
    }
    for bad in [&b"[]"[..], b"\"x\"", b"1", b"null"] {
        assert_eq!(malformed(bad), JsonError::NotAnObject, "{bad:?}");
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(16), "]".repeat(16));
    assert_eq!(malformed(deep.as_bytes()), JsonError::TooDeep);
    // A JWT within a JWT (section 7.2 step 8) is no object either.
    let inner = forge(Algorithm::EdDsa, r#"{"alg":"EdDSA","kid":"EdDSA"}"#, b"{}");
    let header = r#"{"alg":"EdDSA","kid":"EdDSA","cty":"JWT"}"#;
    let nested = forge(Algorithm::EdDsa, header, inner.as_bytes());
    let error = verify_claims(&nested, &only(Algorithm::EdDsa)).unwrap_err();
    assert_eq!(error, VerifyError::Claims(ClaimError::Malformed(JsonError::Syntax)));
}
