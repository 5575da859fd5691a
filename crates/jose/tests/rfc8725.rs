//! RFC 8725, JWT best current practices, section by section.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod keys;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jose::{
    Algorithm, ClaimError, Claims, CompactError, Expectations, KeyError, KeyPolicy, KeySet, PrivateKey,
    PublicKey, TypRule, VerifyError, judge, sign, verify, verify_claims,
};
use keys::{forge, key, only};
use serde_json::json;

const NOW: i64 = 1_800_000_000;

#[test]
fn rfc8725_3_1_the_algorithm_is_one_that_the_caller_knows() {
    for alg in ["none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "RS1", "ES256K", "A128KW", "dir"] {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": alg, "kid": "RS256" }).to_string());
        let error = verify(&format!("{header}.e30."), &only(Algorithm::Rs256)).unwrap_err();
        assert_eq!(error, VerifyError::Malformed(CompactError::UnknownAlgorithm), "{alg}");
    }
}

#[test]
fn rfc8725_3_1_each_key_is_used_with_one_algorithm_and_that_is_checked() {
    // The six RSA keys of the tests are one key under six labels: the label alone tells them apart.
    let rsa: Vec<Algorithm> =
        Algorithm::ALL.into_iter().filter(|a| a.as_str().contains(['R', 'P'])).collect();
    let mut across = Vec::new();
    for &label in &rsa {
        for &used in rsa.iter().filter(|&&used| used != label) {
            let token =
                forge(used, &json!({ "alg": used.as_str(), "kid": label.as_str() }).to_string(), b"{}");
            match verify(&token, &only(label)) {
                Ok(_) => across.push((label.as_str(), used.as_str())),
                Err(error) => assert_eq!(error, VerifyError::AlgorithmMismatch, "{label} {used}"),
            }
        }
    }
    // The exception that `Algorithm` explains: PSS with a longer hash than the label's, never a shorter one.
    assert_eq!(across, [("PS256", "PS384"), ("PS256", "PS512"), ("PS384", "PS512")]);
}

#[test]
fn rfc8725_2_1_a_public_key_is_never_a_secret_for_hmac() {
    let public = key(Algorithm::Rs256).public();
    let jwk = public.to_jwk();
    let n = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", STANDARD.encode(&n));
    for secret in [n, jwk.to_string().into_bytes(), pem.clone().into_bytes(), format!("{pem}\n").into_bytes()]
    {
        for kid in [r#","kid":"RS256""#, ""] {
            let input = format!("{}.e30", URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"HS256"{kid}}}"#)));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), input.as_bytes());
            let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag));
            let error = verify(&token, &only(Algorithm::Rs256)).unwrap_err();
            assert_eq!(error, VerifyError::Malformed(CompactError::UnknownAlgorithm));
        }
    }
}

#[test]
fn rfc8725_3_2_only_algorithms_that_are_current() {
    let mut names: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["ES256", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"]
    );
}

#[test]
fn rfc8725_3_3_one_failed_operation_refuses_the_whole_token() {
    let token = sign(key(Algorithm::Es256), "at+jwt", &json!({ "sub": "a" })).unwrap();
    assert!(verify_claims(&token, &only(Algorithm::Es256)).is_ok());
    let other = sign(key(Algorithm::Es256), "at+jwt", &json!({ "sub": "b" })).unwrap();
    let (input, _) = token.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    let error = verify_claims(&format!("{input}.{signature}"), &only(Algorithm::Es256)).unwrap_err();
    assert_eq!(error, VerifyError::BadSignature);
}

#[test]
fn rfc8725_3_4_points_that_are_not_on_the_curve_are_refused() {
    for (algorithm, length) in [(Algorithm::Es256, 32), (Algorithm::Es384, 48), (Algorithm::Es512, 66)] {
        for (x, y) in [(0_u8, 0_u8), (0, 1), (1, 1), (0xff, 0xff)] {
            let mut jwk = key(algorithm).public().to_jwk();
            jwk["x"] = json!(URL_SAFE_NO_PAD.encode(vec![x; length]));
            jwk["y"] = json!(URL_SAFE_NO_PAD.encode(vec![y; length]));
            let error = PublicKey::from_jwk(&jwk, &KeyPolicy::FOREIGN).unwrap_err();
            assert_eq!(error, KeyError::Point, "{algorithm} {x} {y}");
        }
    }
    // Ed25519's points of small order, for which anybody can make signatures.
    for first in [0, 1, 0xec, 0xed, 0xee] {
        for sign in [0, 0x80] {
            let middle = if first < 2 { 0 } else { 0xff };
            let mut x = [middle; 32];
            x[0] = first;
            x[31] = (if first < 2 { 0 } else { 0x7f }) | sign;
            let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(x) });
            assert_eq!(
                PublicKey::from_jwk(&jwk, &KeyPolicy::FOREIGN).unwrap_err(),
                KeyError::Point,
                "{first:x}"
            );
        }
    }
}

#[test]
fn rfc8725_3_5_weak_keys_are_refused_and_passwords_are_no_keys() {
    let oct = json!({ "keys": [{ "kty": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode("gozaru") }] });
    assert!(KeySet::parse(oct.to_string().as_bytes(), &KeyPolicy::FOREIGN).is_err());
    let error = PublicKey::from_jwk(&key(Algorithm::Rs256).public().to_jwk(), &KeyPolicy::OWN).unwrap_err();
    assert_eq!(error, KeyError::RsaTooSmall { bits: 2048, minimum: 3072 });
    for garbage in [&b""[..], b"garbage", &[0x30, 0x80]] {
        for algorithm in Algorithm::ALL {
            assert!(PrivateKey::from_pkcs8(algorithm, "kid", garbage).is_err());
        }
    }
}

#[test]
fn rfc8725_3_6_nothing_is_decompressed() {
    let token = forge(Algorithm::Es256, r#"{"alg":"ES256","kid":"ES256","zip":"DEF"}"#, b"{}");
    let error = verify(&token, &only(Algorithm::Es256)).unwrap_err();
    assert_eq!(error, VerifyError::Malformed(CompactError::Compressed));
}

#[test]
fn rfc8725_3_7_json_is_utf8() {
    let utf16: Vec<u8> = "{\"sub\":\"a\"}".encode_utf16().flat_map(u16::to_be_bytes).collect();
    for payload in [utf16, b"{\"sub\":\"\xe9\"}".to_vec()] {
        let token = forge(Algorithm::Es256, r#"{"alg":"ES256","kid":"ES256"}"#, &payload);
        let error = verify_claims(&token, &only(Algorithm::Es256)).unwrap_err();
        assert!(matches!(error, VerifyError::Claims(ClaimError::Malformed(_))));
    }
}

fn expectations<'a>(issuer: &'a str, audience: &'a str) -> Expectations<'a> {
    Expectations { issuer, audience, typ: TypRule::Rfc9068, maximum_lifetime: 900, now: NOW }
}

fn token(typ: &str) -> jose::Token {
    let claims = json!({ "iss": "https://a.example/", "aud": "b", "sub": "c", "iat": NOW, "exp": NOW + 60 });
    let token = sign(key(Algorithm::Es256), typ, &claims).unwrap();
    verify_claims(&token, &only(Algorithm::Es256)).unwrap().into_inner()
}

#[test]
fn rfc8725_3_8_the_issuer_and_the_key_belong_together_and_sub_is_there() {
    let mut token = token("at+jwt");
    let expected = expectations("https://a.example/", "b");
    assert_eq!(judge(&token.claims, &token.header, &expected), Ok(()));
    let other = expectations("https://z.example/", "b");
    assert_eq!(judge(&token.claims, &token.header, &other), Err(ClaimError::Issuer));
    token.claims.sub = None;
    assert_eq!(judge(&token.claims, &token.header, &expected), Err(ClaimError::Missing("sub")));
}

#[test]
fn rfc8725_3_9_the_audience_is_checked() {
    let token = token("at+jwt");
    let other = expectations("https://a.example/", "z");
    assert_eq!(judge(&token.claims, &token.header, &other), Err(ClaimError::Audience));
    let nobody = Claims { aud: Vec::new(), ..token.claims };
    assert_eq!(judge(&nobody, &token.header, &other), Err(ClaimError::Missing("aud")));
}

#[test]
fn rfc8725_3_10_what_the_token_says_about_keys_is_not_believed() {
    // `kid` is compared, `jku` and its kin are not even kept. The crate has no dependency that could open a
    // connection or a file.
    for name in ["jku", "x5u"] {
        let header = json!({ "alg": "RS256", "kid": "x", name: "http://127.0.0.1:1/jwks.json" }).to_string();
        let error = verify(&forge(Algorithm::Rs256, &header, b"{}"), &only(Algorithm::Rs256)).unwrap_err();
        assert_eq!(error, VerifyError::UnknownKey { kid: Some("x".to_owned()) });
    }
    let manifest = include_str!("../Cargo.toml");
    for crate_name in ["hyper", "reqwest", "tokio", "ureq", "socket2"] {
        assert!(!manifest.contains(crate_name), "{crate_name}");
    }
}

#[test]
fn rfc8725_3_11_kinds_of_tokens_are_told_apart_by_typ() {
    let expected = expectations("https://a.example/", "b");
    for typ in ["JWT", "logout+jwt", "dpop+jwt", "reset+jwt"] {
        let token = token(typ);
        assert_eq!(token.header.typ.as_deref(), Some(typ), "what is signed says what it is");
        assert_eq!(judge(&token.claims, &token.header, &expected), Err(ClaimError::Typ), "{typ}");
    }
}

#[test]
fn rfc8725_3_12_one_kinds_rules_do_not_pass_anothers_tokens() {
    // The same claims under Auth0's rule: an ID token is refused there by its claims.
    let mut token = token("JWT");
    let auth0 = Expectations { typ: TypRule::Auth0, ..expectations("https://a.example/", "b") };
    assert_eq!(judge(&token.claims, &token.header, &auth0), Ok(()));
    token.claims.rest.insert("nonce".to_owned(), json!("n"));
    assert_eq!(judge(&token.claims, &token.header, &auth0), Err(ClaimError::NotAnAccessToken));
}
