//! Tokens that must be refused, made here from a good one by a few plain lines; the auditor shares no code with the
//! server, so it shares none of its mistakes.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

/// How a token was forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgery {
    /// No token at all, but of a token's shape.
    Garbage,
    /// One character of the signature changed.
    FlippedSignature,
    /// `alg: none` and an empty signature (RFC 8725 section 3.1).
    AlgorithmNone,
    /// HS256, its secret the issuer's public key (RFC 8725 section 2.1).
    PublicKeyAsSecret,
}

impl Forgery {
    pub(crate) const ALL: [Self; 4] =
        [Self::Garbage, Self::FlippedSignature, Self::AlgorithmNone, Self::PublicKeyAsSecret];

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Garbage => "a made-up token",
            Self::FlippedSignature => "a good token with its signature changed",
            Self::AlgorithmNone => "a good token with alg none and no signature",
            Self::PublicKeyAsSecret => "a good token signed with HS256 and the issuer's public key",
        }
    }
}

/// The forged token; none where the good one is no JWT, or the issuer has no key that serves.
pub(crate) fn forge(forgery: Forgery, good: &SecretString, keys: Option<&Value>) -> Option<SecretString> {
    let mut parts = good.expose_secret().split('.');
    let (header, payload, signature) = (parts.next()?, parts.next(), parts.next());
    let forged = match forgery {
        Forgery::Garbage => "bm90.YQ.dG9rZW4".to_owned(),
        Forgery::FlippedSignature => {
            let mut signature = signature?.as_bytes().to_vec();
            // Not the last character: its lowest bits may be padding that changes nothing.
            let first = signature.first_mut()?;
            *first = if *first == b'A' { b'B' } else { b'A' };
            format!("{header}.{}.{}", payload?, String::from_utf8(signature).ok()?)
        }
        Forgery::AlgorithmNone => {
            let header = with_algorithm(header, "none")?;
            format!("{header}.{}.", payload?)
        }
        Forgery::PublicKeyAsSecret => {
            let key = keys?.get("keys")?.as_array()?.iter().find_map(pem)?;
            let signed = format!("{}.{}", with_algorithm(header, "HS256")?, payload?);
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), signed.as_bytes());
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
        }
    };
    Some(forged.into())
}

/// The claims of a token, unverified; none where it is no JWT.
pub(crate) fn claims(token: &SecretString) -> Option<Value> {
    let payload = token.expose_secret().split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok().filter(Value::is_object)
}

fn with_algorithm(header: &str, algorithm: &str) -> Option<String> {
    let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    header.as_object_mut()?.insert("alg".into(), json!(algorithm));
    Some(URL_SAFE_NO_PAD.encode(header.to_string()))
}

/// An RSA key of a JWKS as the PEM that a careless server would use as an HMAC secret.
fn pem(jwk: &Value) -> Option<String> {
    if jwk.get("kty")?.as_str()? != "RSA" {
        return None;
    }
    let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok();
    let key = sequence(&[integer(&number("n")?), integer(&number("e")?)].concat());
    // AlgorithmIdentifier of rsaEncryption, 1.2.840.113549.1.1.1, with NULL.
    let algorithm = sequence(&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0]);
    let bits = tagged(3, &[&[0], key.as_slice()].concat());
    let text = STANDARD.encode(sequence(&[algorithm, bits].concat()));
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    Some(format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n")))
}

fn sequence(content: &[u8]) -> Vec<u8> {
    tagged(0x30, content)
}

fn integer(magnitude: &[u8]) -> Vec<u8> {
    let mut content = magnitude.to_vec();
    if content.first().is_some_and(|first| first & 0x80 != 0) {
        content.insert(0, 0);
    }
    tagged(2, &content)
}

/// Tag, length and content in DER.
fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.iter().copied().skip_while(|byte| *byte == 0).collect();
    match significant.as_slice() {
        [] => out.push(0),
        [one] if *one < 0x80 => out.push(*one),
        many => {
            out.push(0x80 | u8::try_from(many.len()).unwrap_or_default());
            out.extend_from_slice(many);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> SecretString {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"1"}"#);
        let payload = URL_SAFE_NO_PAD.encode(r#"{"sub":"usr_1","exp":5}"#);
        format!("{header}.{payload}.AQIDBA").into()
    }

    fn keys() -> Value {
        json!({"keys": [{"kty": "EC"}, {"kty": "RSA", "n": URL_SAFE_NO_PAD.encode([0xc1; 256]), "e": "AQAB"}]})
    }

    #[test]
    fn every_forgery_differs_from_the_good_token_and_keeps_its_claims() {
        for forgery in Forgery::ALL {
            let forged = forge(forgery, &good(), Some(&keys())).unwrap();
            assert_ne!(forged.expose_secret(), good().expose_secret(), "{forgery:?}");
            if forgery != Forgery::Garbage {
                assert_eq!(claims(&forged), claims(&good()), "{forgery:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_forged_is_none() {
        assert!(forge(Forgery::AlgorithmNone, &"opaque".into(), None).is_none());
        assert!(forge(Forgery::PublicKeyAsSecret, &good(), None).is_none());
        assert!(forge(Forgery::Garbage, &"opaque".into(), None).is_some());
        assert!(claims(&"opaque".into()).is_none());
    }

    #[test]
    fn the_public_key_is_wrapped_as_openssl_would() {
        let key = pem(&keys()["keys"][1]).unwrap();
        // SEQUENCE of 290 bytes, as every 2048-bit key with exponent 65537 begins.
        assert!(key.starts_with("-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA"));
        assert!(key.ends_with("QIDAQAB\n-----END PUBLIC KEY-----\n"), "{key}");
    }
}
