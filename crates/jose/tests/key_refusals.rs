//! Keys and key sets that are refused, each beside one that is taken and differs in one thing.

mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jose::{Algorithm, JsonError, KeyError, KeyPolicy, KeySet, KeySetError, PublicKey, verify};
use keys::{forge, key, only};
use serde_json::{Value, json};

#[test]
fn keys_that_should_not_exist() {
    let rsa = key(Algorithm::Rs256).public().to_jwk();
    let ec = key(Algorithm::Es256).public().to_jwk();
    let ed = key(Algorithm::EdDsa).public().to_jwk();
    let with = |jwk: &Value, name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    };
    let without = |jwk: &Value, name: &str| {
        let mut jwk = jwk.clone();
        jwk.as_object_mut().unwrap().remove(name);
        jwk
    };
    let n = URL_SAFE_NO_PAD.decode(rsa["n"].as_str().unwrap()).unwrap();
    let b64 = |bytes: &[u8]| json!(URL_SAFE_NO_PAD.encode(bytes));
    let even = [&n[..255], &[n[255] & 0xfe]].concat();
    let ones = [&[0xff; 512][..], &[0xff]].concat();
    let cases: [(Value, KeyError); 35] = [
        (json!([]), KeyError::NotAnObject),
        (json!({}), KeyError::Missing("kty")),
        (json!({ "kty": 1 }), KeyError::Malformed("kty")),
        (json!({ "kty": "oct", "k": "AAAA" }), KeyError::Symmetric),
        (json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA" }), KeyError::UnknownType),
        (with(&rsa, "d", json!("AQ")), KeyError::Private("d")),
        (with(&with(&rsa, "use", json!("enc")), "p", json!("AQ")), KeyError::Private("p")),
        (with(&ec, "k", json!("AQ")), KeyError::Private("k")),
        (with(&rsa, "use", json!("enc")), KeyError::NotForVerifying),
        (with(&rsa, "use", json!(["sig"])), KeyError::Malformed("use")),
        (with(&rsa, "key_ops", json!(["encrypt"])), KeyError::NotForVerifying),
        (with(&rsa, "key_ops", json!([])), KeyError::NotForVerifying),
        (with(&rsa, "key_ops", json!("verify")), KeyError::Malformed("key_ops")),
        (with(&rsa, "key_ops", json!(["verify", "verify"])), KeyError::Malformed("key_ops")),
        (with(&rsa, "alg", json!("RSA-OAEP")), KeyError::UnknownAlgorithm),
        (with(&rsa, "alg", json!("ES256")), KeyError::AlgorithmMismatch),
        (with(&ec, "alg", json!("ES384")), KeyError::AlgorithmMismatch),
        (with(&ec, "alg", json!("ES521")), KeyError::AlgorithmMismatch),
        (with(&ec, "alg", json!("RS256")), KeyError::AlgorithmMismatch),
        (with(&ec, "crv", json!("secp256k1")), KeyError::UnknownCurve),
        (with(&ec, "crv", json!("P-384")), KeyError::Malformed("x")),
        (with(&ed, "crv", json!("X25519")), KeyError::UnknownCurve),
        (with(&ec, "kid", json!(1)), KeyError::Malformed("kid")),
        (with(&rsa, "e", json!("AQ")), KeyError::RsaExponent),
        (with(&rsa, "e", json!("Ag")), KeyError::RsaExponent),
        (with(&rsa, "e", json!("AQAA")), KeyError::RsaExponent),
        (with(&rsa, "e", json!("AgAAAAE")), KeyError::RsaExponent),
        (with(&rsa, "e", json!("AAEAAQ")), KeyError::Malformed("e")),
        (with(&rsa, "n", json!("")), KeyError::Malformed("n")),
        (with(&rsa, "n", b64(&[&[0], &n[..]].concat())), KeyError::Malformed("n")),
        (with(&rsa, "n", b64(&n[128..])), KeyError::RsaTooSmall { bits: 0, minimum: 2048 }),
        (with(&rsa, "n", b64(&even)), KeyError::RsaModulus),
        (with(&rsa, "n", b64(&[&ones[..], &ones].concat())), KeyError::RsaTooLarge(8208)),
        (without(&ec, "y"), KeyError::Missing("y")),
        (with(&ed, "x", b64(&[0; 32])), KeyError::Point),
    ];
    for (jwk, expected) in cases {
        let error = PublicKey::from_jwk(&jwk, &KeyPolicy::FOREIGN).unwrap_err();
        match (&error, &expected) {
            // The halved modulus may begin with zeros.
            (KeyError::RsaTooSmall { bits, minimum: 2048 }, KeyError::RsaTooSmall { .. }) => {
                assert!(*bits <= 1024)
            }
            (KeyError::Malformed("n"), KeyError::RsaTooSmall { .. }) => assert_eq!(n[128], 0),
            _ => assert_eq!(error, expected, "{jwk}"),
        }
    }
    let off_curve = URL_SAFE_NO_PAD.decode(ec["y"].as_str().unwrap()).unwrap();
    let off_curve = [&off_curve[..31], &[off_curve[31] ^ 1]].concat();
    assert_eq!(
        PublicKey::from_jwk(&with(&ec, "y", b64(&off_curve)), &KeyPolicy::FOREIGN).unwrap_err(),
        KeyError::Point
    );
    assert_eq!(
        PublicKey::from_jwk(&rsa, &KeyPolicy::OWN).unwrap_err(),
        KeyError::RsaTooSmall { bits: 2048, minimum: 3072 }
    );
    for good in [&rsa, &ec, &ed, &with(&rsa, "key_ops", json!(["verify", "sign"])), &without(&rsa, "alg")] {
        assert!(PublicKey::from_jwk(good, &KeyPolicy::FOREIGN).is_ok(), "{good}");
    }
}

/// A modulus with the fingerprint of ROCA, made from the public description: a power of 65537 modulo the product
/// of the first primes has it, whatever is added in multiples of that product.
#[test]
fn a_roca_modulus_is_refused() {
    // 65537^127 is 2033 bits long; 65537^128 has 2049, fits the policy, and is odd with no small factor.
    let mut n = vec![1_u8];
    for _ in 0..128 {
        let mut carry = 0_u32;
        for byte in n.iter_mut().rev() {
            carry += u32::from(*byte) * 65_537;
            *byte = u8::try_from(carry & 0xff).unwrap();
            carry >>= 8;
        }
        while carry > 0 {
            n.insert(0, u8::try_from(carry & 0xff).unwrap());
            carry >>= 8;
        }
    }
    let jwk = json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(&n), "e": "AQAB" });
    assert_eq!(PublicKey::from_jwk(&jwk, &KeyPolicy::FOREIGN).unwrap_err(), KeyError::Roca);
}

#[test]
fn key_sets() {
    let rsa = key(Algorithm::Rs256).public().to_jwk();
    let ec = key(Algorithm::Es256).public().to_jwk();
    let mut encryption = rsa.clone();
    encryption["use"] = json!("enc");
    encryption["kid"] = json!("encryption");
    let parse = |set: Value| KeySet::parse(set.to_string().as_bytes(), &KeyPolicy::FOREIGN);
    let set = parse(json!({ "keys": [rsa, encryption, ec], "extra": 1 })).unwrap();
    assert_eq!(set.keys().len(), 2);
    assert_eq!(set.set_aside()[0].kid.as_deref(), Some("encryption"));
    assert_eq!(set.set_aside()[0].reason, KeyError::NotForVerifying);
    assert!(set.contains("RS256") && set.contains("ES256") && !set.contains("encryption"));

    let doubled = KeySetError::DoubledKid("RS256".to_owned());
    let mut other = ec.clone();
    other["kid"] = json!("RS256");
    assert_eq!(parse(json!({ "keys": [rsa, rsa] })).unwrap_err(), doubled);
    assert_eq!(parse(json!({ "keys": [rsa, other] })).unwrap_err(), doubled);
    assert_eq!(parse(json!({ "keys": [encryption] })).unwrap_err(), KeySetError::NoUsableKey);
    assert_eq!(parse(json!({ "keys": [] })).unwrap_err(), KeySetError::NoUsableKey);
    assert_eq!(parse(json!({ "keys": {} })).unwrap_err(), KeySetError::NoKeys);
    assert_eq!(parse(json!({})).unwrap_err(), KeySetError::NoKeys);
    assert_eq!(parse(json!({ "keys": vec![json!({}); 101] })).unwrap_err(), KeySetError::TooMany(101));
    assert_eq!(parse(json!([])).unwrap_err(), KeySetError::Json(JsonError::NotAnObject));
    let symmetric = json!({ "kty": "oct", "k": "AAAA" });
    assert_eq!(
        parse(json!({ "keys": [rsa, symmetric] })).unwrap_err(),
        KeySetError::Key { index: 1, reason: KeyError::Symmetric }
    );
    for twice in [r#"{"keys":[],"keys":[]}"#, r#"{"keys":[{"kty":"EC","kty":"RSA"}]}"#] {
        let error = KeySet::parse(twice.as_bytes(), &KeyPolicy::FOREIGN).unwrap_err();
        assert_eq!(error, KeySetError::Json(JsonError::DoubledMember));
    }
}

/// A set that was read from its published form verifies what its keys signed.
#[test]
fn a_published_set_verifies() {
    let set = only(Algorithm::Es512).to_json().to_string();
    let set = KeySet::parse(set.as_bytes(), &KeyPolicy::OWN).unwrap();
    let token = forge(Algorithm::Es512, r#"{"alg":"ES512","kid":"ES512"}"#, b"payload");
    assert_eq!(verify(&token, &set).unwrap().bytes, b"payload");
}
