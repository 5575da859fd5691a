//! Tokens that must be refused, made here from a good one by a few plain lines; the auditor shares no code with the
//! server, so it shares none of its mistakes.

use std::sync::OnceLock;

use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use aws_lc_rs::{hmac, rand};
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
    /// Signed again by a key of our own, under the issuer's `kid`.
    StrangersKey,
    /// The same under a `kid` that the issuer does not publish.
    UnknownKey,
    /// The same with our own public key in its header (RFC 8725 section 3.10; CWE-347).
    EmbeddedKey,
    /// The same in the name of an issuer that nobody trusts.
    OtherIssuer,
}

/// Whose token a forged one of [`Forgery::OtherIssuer`] says it is.
const STRANGER: &str = "https://attacker.example/";

impl Forgery {
    pub(crate) const ALL: [Self; 8] = [
        Self::Garbage,
        Self::FlippedSignature,
        Self::AlgorithmNone,
        Self::PublicKeyAsSecret,
        Self::StrangersKey,
        Self::UnknownKey,
        Self::EmbeddedKey,
        Self::OtherIssuer,
    ];

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Garbage => "a made-up token",
            Self::FlippedSignature => "a good token with its signature changed",
            Self::AlgorithmNone => "a good token with alg none and no signature",
            Self::PublicKeyAsSecret => "a good token signed with HS256 and the issuer's public key",
            Self::StrangersKey => "a good token signed again by a stranger's key",
            Self::UnknownKey => "a token under a key that the issuer does not publish",
            Self::EmbeddedKey => "a token that brings its own key",
            Self::OtherIssuer => "a token in another issuer's name",
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
        Forgery::StrangersKey => by_a_stranger(header, payload?, |_| {})?,
        Forgery::UnknownKey => by_a_stranger(header, payload?, |header| {
            header.insert("kid".into(), json!("portcullis-audit-unknown"));
        })?,
        Forgery::EmbeddedKey => by_a_stranger(header, payload?, bring_the_key)?,
        Forgery::OtherIssuer => {
            let mut claims = claims(good)?;
            claims.as_object_mut()?.insert("iss".into(), json!(STRANGER));
            by_a_stranger(header, &URL_SAFE_NO_PAD.encode(claims.to_string()), bring_the_key)?
        }
    };
    Some(forged.into())
}

/// The claims of a token, unverified; none where it is no JWT.
pub(crate) fn claims(token: &SecretString) -> Option<Value> {
    let payload = token.expose_secret().split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok().filter(Value::is_object)
}

/// The auditor's own key, which no issuer publishes: one a process, because making it takes a moment.
fn stranger() -> Option<&'static RsaKeyPair> {
    static KEY: OnceLock<Option<RsaKeyPair>> = OnceLock::new();
    KEY.get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).ok()).as_ref()
}

/// This payload under a header that `change` has changed, signed with RS256 by the auditor's own key.
fn by_a_stranger(
    header: &str,
    payload: &str,
    change: impl FnOnce(&mut serde_json::Map<String, Value>),
) -> Option<String> {
    let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    header.as_object_mut()?.insert("alg".into(), json!("RS256"));
    change(header.as_object_mut()?);
    let signed = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header.to_string()));
    let key = stranger()?;
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &rand::SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Puts the auditor's own public key into a header, and takes the issuer's name for its key out.
fn bring_the_key(header: &mut serde_json::Map<String, Value>) {
    let Some(key) = stranger().map(RsaKeyPair::public_key) else { return };
    let number = |bytes: &[u8]| json!(URL_SAFE_NO_PAD.encode(bytes));
    let n = number(key.modulus().big_endian_without_leading_zero());
    let e = number(key.exponent().big_endian_without_leading_zero());
    header.insert("jwk".into(), json!({"kty": "RSA", "n": n, "e": e}));
    header.remove("kid");
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
            match forgery {
                Forgery::Garbage => {}
                Forgery::OtherIssuer => assert_eq!(claims(&forged).unwrap()["iss"], STRANGER),
                _ => assert_eq!(claims(&forged), claims(&good()), "{forgery:?}"),
            }
        }
    }

    #[test]
    fn a_strangers_token_verifies_with_the_key_that_it_brings() {
        use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
        let token = forge(Forgery::EmbeddedKey, &good(), None).unwrap();
        let (signed, signature) = token.expose_secret().rsplit_once('.').unwrap();
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
        let header: Value = serde_json::from_slice(&decode(signed.split('.').next().unwrap())).unwrap();
        let number = |name: &str| decode(header["jwk"][name].as_str().unwrap());
        let key = RsaPublicKeyComponents { n: number("n"), e: number("e") };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &decode(signature)).unwrap();
        assert!(header.get("kid").is_none());
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
