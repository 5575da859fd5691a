//! What holds for every text: nothing panics, and a token that was changed in any bit never verifies.

mod keys;

use jose::{Algorithm, Claims, Compact, KeyPolicy, KeySet, MAXIMUM_TOKEN, PublicKey, sign, verify};
use keys::{forge, key, only};
use proptest::prelude::*;
use serde_json::json;

/// Every single bit, for the algorithms that verify quickly.
#[test]
fn a_flipped_bit_never_verifies() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let keys = only(algorithm);
        let token = sign(key(algorithm), "at+jwt", &json!({ "sub": "usr_1", "exp": 1_800_000_000 })).unwrap();
        assert!(verify(&token, &keys).is_ok());
        for byte in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.clone().into_bytes();
                bytes[byte] ^= 1 << bit;
                // What is no UTF-8 cannot even be asked.
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                assert!(verify(&changed, &keys).is_err(), "{algorithm}: byte {byte}, bit {bit}");
            }
        }
    }
}

fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<f64>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        "[a-z]{0,4}".prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(20, 64, 4, |inner| {
        let name = prop_oneof![
            Just("iss"),
            Just("aud"),
            Just("exp"),
            Just("nbf"),
            Just("alg"),
            Just("kid"),
            Just("crit"),
            Just("keys"),
            Just("kty"),
            Just("n"),
            Just("e"),
            Just("x"),
            Just("y"),
            Just("crv"),
            Just("use"),
            Just("key_ops")
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::vec((name, inner), 0..6).prop_map(|members| {
                let members: Vec<String> =
                    members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = Compact::parse(&text);
        let _ = verify(&text, &only(Algorithm::Es256));
        let _ = Claims::parse(text.as_bytes());
        let _ = KeySet::parse(text.as_bytes(), &KeyPolicy::FOREIGN);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Claims::parse(&bytes);
        let _ = KeySet::parse(&bytes, &KeyPolicy::FOREIGN);
    }

    #[test]
    fn no_json_panics(text in json_text()) {
        let _ = Claims::parse(text.as_bytes());
        let _ = KeySet::parse(text.as_bytes(), &KeyPolicy::FOREIGN);
        let _ = KeySet::parse(format!("{{\"keys\":[{text}]}}").as_bytes(), &KeyPolicy::FOREIGN);
        if let Ok(value) = serde_json::from_str(&text) {
            let _ = PublicKey::from_jwk(&value, &KeyPolicy::FOREIGN);
            let _ = jose::thumbprint(&value);
        }
        // As a header too, where the signature is good.
        let _ = verify(&forge(Algorithm::EdDsa, &text, b"{}"), &only(Algorithm::EdDsa));
    }

    /// What our reader takes, serde_json takes as the same; so nobody behind us reads it otherwise.
    #[test]
    fn claims_are_what_serde_json_reads(text in json_text()) {
        if let Ok(claims) = Claims::parse(text.as_bytes()) {
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert!(value.is_object());
            prop_assert_eq!(claims.iss.as_deref(), value.get("iss").and_then(|iss| iss.as_str()));
            for (name, kept) in &claims.rest {
                prop_assert_eq!(Some(kept), value.get(name));
            }
        }
    }

    #[test]
    fn a_flipped_bit_of_rs256_never_verifies(place in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let keys = only(Algorithm::Rs256);
        let token = sign(key(Algorithm::Rs256), "at+jwt", &json!({ "sub": "usr_1" })).unwrap();
        let mut bytes = token.into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        if let Ok(changed) = String::from_utf8(bytes) {
            prop_assert!(verify(&changed, &keys).is_err());
        }
    }

    #[test]
    fn what_is_signed_verifies_and_comes_back(sub in ".{0,100}", number in any::<u32>()) {
        let claims = json!({ "sub": sub, "x": { "y": [number, null, "z"] }, "exp": number });
        let token = sign(key(Algorithm::EdDsa), "at+jwt", &claims).unwrap();
        prop_assert!(token.len() <= MAXIMUM_TOKEN);
        let token = jose::verify_claims(&token, &only(Algorithm::EdDsa)).unwrap().into_inner();
        prop_assert_eq!(token.claims.sub.as_deref(), Some(sub.as_str()));
        prop_assert_eq!(&token.claims.rest["x"], &claims["x"]);
        prop_assert_eq!(token.claims.exp.map(|exp| exp.seconds()), Some(i64::from(number)));
    }
}
