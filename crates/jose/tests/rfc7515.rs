//! RFC 7515, JSON Web Signature: its musts, and its example; RFC 8037's too.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod keys;

use jose::{Algorithm, CompactError, JsonError, KeyPolicy, KeySet, Part, VerifyError, verify};
use keys::{forge, key, only};
use serde_json::json;

fn refused(header: &str) -> VerifyError {
    verify(&forge(Algorithm::Es256, header, b"{}"), &only(Algorithm::Es256)).unwrap_err()
}

#[test]
fn rfc7515_2_base64url_has_no_padding_line_breaks_or_white_space() {
    let token = forge(Algorithm::Es256, r#"{"alg":"ES256","kid":"ES256"}"#, b"a");
    for (from, to) in [(".YQ.", ".YQ==."), (".YQ.", ".YQ\n."), (".YQ.", ". YQ."), (".YQ.", ".YQ\r\n.")] {
        let error = verify(&token.replace(from, to), &only(Algorithm::Es256)).unwrap_err();
        assert_eq!(error, VerifyError::Malformed(CompactError::Encoding(Part::Payload)));
    }
}

#[test]
fn rfc7515_4_header_names_are_unique() {
    let doubled = VerifyError::Malformed(CompactError::Header(JsonError::DoubledMember));
    assert_eq!(refused(r#"{"alg":"ES256","kid":"ES256","kid":"ES256"}"#), doubled);
    assert_eq!(refused(r#"{"alg":"ES256","kid":"ES256","x":1,"x":1}"#), doubled);
}

#[test]
fn rfc7515_4_unknown_header_members_are_ignored() {
    let token = forge(Algorithm::Es256, r#"{"alg":"ES256","kid":"ES256","hello":[{"a":1}]}"#, b"{}");
    assert!(verify(&token, &only(Algorithm::Es256)).is_ok());
}

#[test]
fn rfc7515_4_1_1_alg_is_there_and_case_sensitive() {
    assert_eq!(refused(r#"{"kid":"ES256"}"#), VerifyError::Malformed(CompactError::NoAlgorithm));
    for alg in ["es256", "Es256", "ES256\\u0000", "none", "HS256"] {
        let error = refused(&format!(r#"{{"alg":"{alg}","kid":"ES256"}}"#));
        assert_eq!(error, VerifyError::Malformed(CompactError::UnknownAlgorithm), "{alg}");
    }
}

#[test]
fn rfc7515_4_1_4_kid_is_a_case_sensitive_string() {
    assert_eq!(refused(r#"{"alg":"ES256","kid":7}"#), VerifyError::Malformed(CompactError::NotText("kid")));
    assert!(matches!(refused(r#"{"alg":"ES256","kid":"es256"}"#), VerifyError::UnknownKey { .. }));
}

#[test]
fn rfc7515_4_1_11_critical_extensions_that_are_not_understood_refuse() {
    for crit in [r#"["exp"]"#, r#"["b64"]"#, r#"["alg"]"#, "[]", r#""exp""#, "null"] {
        let error = refused(&format!(r#"{{"alg":"ES256","kid":"ES256","crit":{crit},"exp":1}}"#));
        assert_eq!(error, VerifyError::Malformed(CompactError::Critical), "{crit}");
    }
}

#[test]
fn rfc7515_5_2_the_signature_is_over_the_text_as_it_came() {
    // The same header in another spelling is another text.
    let one = forge(Algorithm::Es256, r#"{"alg":"ES256","kid":"ES256"}"#, b"{}");
    let other = forge(Algorithm::Es256, r#"{"kid":"ES256","alg":"ES256"}"#, b"{}");
    let (_, payload_and_signature) = one.split_once('.').unwrap();
    let (header, _) = other.split_once('.').unwrap();
    let mixed = format!("{header}.{payload_and_signature}");
    assert_eq!(verify(&mixed, &only(Algorithm::Es256)).unwrap_err(), VerifyError::BadSignature);
}

#[test]
fn rfc7515_7_1_three_parts_and_two_dots() {
    let token = forge(Algorithm::Es256, r#"{"alg":"ES256","kid":"ES256"}"#, b"{}");
    let (two, _) = token.rsplit_once('.').unwrap();
    for bad in [two.to_owned(), format!("{token}.e30"), format!("{token}.e30.e30")] {
        let error = verify(&bad, &only(Algorithm::Es256)).unwrap_err();
        assert_eq!(error, VerifyError::Malformed(CompactError::NotThreeParts));
    }
}

#[test]
fn rfc7515_10_12_json_is_read_strictly() {
    let syntax = VerifyError::Malformed(CompactError::Header(JsonError::Syntax));
    for header in [
        "{\"alg\":\"ES256\",\"kid\":\"ES256\"}\0",
        "{\"alg\":\"ES256\",\"kid\":\"ES256\",}",
        "{alg:\"ES256\"}",
    ] {
        assert_eq!(refused(header), syntax, "{header:?}");
    }
}

#[test]
fn rfc7515_a3_the_example_of_es256() {
    let jwks = json!({ "keys": [{
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }] });
    let keys = KeySet::parse(jwks.to_string().as_bytes(), &KeyPolicy::FOREIGN).unwrap();
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                 cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8IS\
                 lSApmWQxfKTUJqPP3-Kg6NU1Q";
    let claims = jose::verify_claims(token, &keys).unwrap().into_inner().claims;
    assert_eq!(claims.iss.as_deref(), Some("joe"));
    assert_eq!(claims.exp.map(jose::NumericDate::seconds), Some(1_300_819_380));
    assert_eq!(claims.rest["http://example.com/is_root"], true);
}

#[test]
fn rfc8037_a4_the_example_of_ed25519() {
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    let jwks = json!({ "keys": [jwk] });
    let keys = KeySet::parse(jwks.to_string().as_bytes(), &KeyPolicy::FOREIGN).unwrap();
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PG\
                 cvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(verify(token, &keys).unwrap().bytes, b"Example of Ed25519 signing");
    // RFC 8037 appendix A.3.
    assert_eq!(jose::thumbprint(&jwk).unwrap(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn rfc7638_3_1_the_example_of_a_thumbprint() {
    let jwk = json!({
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXj\
              BZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8\
              KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_x\
              BniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
    });
    assert_eq!(jose::thumbprint(&jwk).unwrap(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

/// RFC 7517 section 4, RFC 7518 section 6: what is published is public.
#[test]
fn rfc7517_published_keys_have_public_members_alone() {
    for algorithm in Algorithm::ALL {
        let jwk = key(algorithm).public().to_jwk();
        let names: Vec<&str> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        let known = ["alg", "crv", "e", "kid", "kty", "n", "use", "x", "y"];
        assert!(names.iter().all(|name| known.contains(name)), "{algorithm}: {names:?}");
        assert_eq!((&jwk["use"], &jwk["alg"]), (&json!("sig"), &json!(algorithm.as_str())));
        // And it comes back as the same key.
        let set = only(algorithm).to_json().to_string();
        let set = KeySet::parse(set.as_bytes(), &KeyPolicy::FOREIGN).unwrap();
        let header = format!(r#"{{"alg":"{algorithm}","kid":"{algorithm}"}}"#);
        assert!(verify(&forge(algorithm, &header, b"{}"), &set).is_ok(), "{algorithm}");
    }
}
