//! An issuer that exists for the measurement alone: its key, its key set, and tokens of it.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// `iss` of every token.
const ISSUER: &str = "https://issuer.example/";
/// `aud` of every good token.
const AUDIENCE: &str = "https://api.example.com";
/// What a good token may do. It may not order invoices.
const SCOPE: &str = "openid read:orders write:orders read:invoices";
/// Long enough that none ends during a measurement.
const LIFETIME: u64 = 6 * 3600;
/// The key's name.
const KID: &str = "measured";

/// What signs the tokens.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Algorithm {
    /// RSA with 2048 bits, PKCS #1.
    Rs256,
    /// ECDSA on P-256.
    Es256,
}

enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl Key {
    fn make(algorithm: Algorithm) -> Result<Self, String> {
        let failed = |_| "no key could be made".to_owned();
        Ok(match algorithm {
            Algorithm::Rs256 => Self::Rsa(RsaPair::generate(KeySize::Rsa2048).map_err(failed)?),
            Algorithm::Es256 => {
                Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?)
            }
        })
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
        }
    }

    fn jwk(&self) -> Result<Value, String> {
        let mut jwk = match self {
            Self::Rsa(pair) => {
                let public = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": base64url(public.modulus().big_endian_without_leading_zero()),
                    "e": base64url(public.exponent().big_endian_without_leading_zero()),
                })
            }
            Self::Ec(pair) => {
                // 04, x, y: SEC 1 section 2.3.3.
                let point = pair.public_key().as_ref();
                let coordinate = |from, to| point.get(from..to).map(base64url).ok_or("a point that is none");
                json!({ "kty": "EC", "crv": "P-256", "x": coordinate(1, 33)?, "y": coordinate(33, 65)? })
            }
        };
        jwk["kid"] = KID.into();
        jwk["alg"] = self.algorithm().into();
        jwk["use"] = "sig".into();
        Ok(jwk)
    }

    /// SubjectPublicKeyInfo in PEM (RFC 7468 section 13), as HAProxy reads keys.
    fn pem(&self) -> Result<String, String> {
        let failed = |_| "the public key has no encoding".to_owned();
        let der: PublicKeyX509Der<'_> = match self {
            Self::Rsa(pair) => pair.public_key().as_der().map_err(failed)?,
            Self::Ec(pair) => pair.public_key().as_der().map_err(failed)?,
        };
        let text = STANDARD.encode(der.as_ref());
        let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
        for (place, letter) in text.chars().enumerate() {
            if place > 0 && place % 64 == 0 {
                pem.push('\n');
            }
            pem.push(letter);
        }
        pem.push_str("\n-----END PUBLIC KEY-----\n");
        Ok(pem)
    }

    fn token(&self, claims: &Value) -> Result<String, String> {
        let header = json!({ "alg": self.algorithm(), "kid": KID, "typ": "at+jwt" });
        let message = format!(
            "{}.{}",
            base64url(header.to_string().as_bytes()),
            base64url(claims.to_string().as_bytes())
        );
        let random = SystemRandom::new();
        let failed = |_| "signing failed".to_owned();
        let signature = match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).map_err(failed)?;
                signature
            }
            Self::Ec(pair) => pair.sign(&random, message.as_bytes()).map_err(failed)?.as_ref().to_vec(),
        };
        Ok(format!("{message}.{}", base64url(&signature)))
    }
}

/// Writes `public.pem`, `jwks.json`, `good` with `count` tokens, one a line, and one token in each of `expired`,
/// `early`, `foreign_audience`, `foreign_issuer`, `narrow` (without the scope) and `broken` (another's signature).
pub fn write(folder: &Path, algorithm: Algorithm, count: usize) -> Result<(), String> {
    let key = Key::make(algorithm)?;
    let now = now()?;
    let put = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    put("public.pem", &key.pem()?)?;
    put("jwks.json", &json!({ "keys": [key.jwk()?] }).to_string())?;

    let good = (0..count).map(|user| key.token(&claims(user, now))).collect::<Result<Vec<_>, _>>()?;
    put("good", &(good.join("\n") + "\n"))?;
    let with = |name: &str, value: Value| {
        let mut claims = claims(0, now);
        claims[name] = value;
        key.token(&claims)
    };
    put("expired", &with("exp", (now - 300).into())?)?;
    put("early", &with("nbf", (now + 3600).into())?)?;
    put("foreign_audience", &with("aud", "https://other.example".into())?)?;
    put("foreign_issuer", &with("iss", "https://other.example/".into())?)?;
    put("narrow", &with("scope", "openid".into())?)?;
    put("broken", &with_signature_of(&with("jti", "another".into())?, &key.token(&claims(0, now))?)?)
}

fn claims(user: usize, now: u64) -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": format!("usr_{user:022}"),
        "client_id": "measuring-client",
        "iat": now,
        "nbf": now - 1,
        "exp": now + LIFETIME,
        "jti": format!("{user:032x}"),
        "scope": SCOPE,
    })
}

/// The first token's words under the second one's signature.
fn with_signature_of(words: &str, signed: &str) -> Result<String, String> {
    match (words.rsplit_once('.'), signed.rsplit_once('.')) {
        (Some((words, _)), Some((_, signature))) => Ok(format!("{words}.{signature}")),
        _ => Err("a token without a dot".to_owned()),
    }
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[expect(clippy::disallowed_methods, reason = "tokens to be sent now must be good now")]
fn now() -> Result<u64, String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map(|since| since.as_secs()).map_err(|_| "the clock stands before 1970".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    #[test]
    fn a_token_is_signed_by_the_key_that_is_published() {
        for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
            let key = Key::make(algorithm).unwrap();
            let token = key.token(&claims(1, now().unwrap())).unwrap();
            let (message, signature) = token.rsplit_once('.').unwrap();
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            let pem = key.pem().unwrap();
            let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
            let der = STANDARD.decode(der).unwrap();
            let verified = match algorithm {
                Algorithm::Rs256 => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der)
                    .verify(message.as_bytes(), &signature),
                Algorithm::Es256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der)
                    .verify(message.as_bytes(), &signature),
            };
            assert!(verified.is_ok(), "{algorithm:?}");
            assert_eq!(key.jwk().unwrap()["alg"], key.algorithm());
        }
    }

    #[test]
    fn a_broken_token_has_another_signature() {
        assert_eq!(with_signature_of("a.b.c", "d.e.f").unwrap(), "a.b.f");
        assert!(with_signature_of("a", "d.e.f").is_err());
    }
}
