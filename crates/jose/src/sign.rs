//! Signing (RFC 7515 section 5.1) with private keys that are parsed once.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair, RsaSignatureEncoding,
};
use serde_json::{Value, json};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::compact::MAXIMUM_TOKEN;
use crate::jwk::{Curve, Material};
use crate::key::{KeyError, KeyPolicy, PublicKey};

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Claims are a JSON object.
    #[error("the claims are not a JSON object")]
    NotAnObject,
    /// The token would be longer than [`MAXIMUM_TOKEN`] and refused wherever it went.
    #[error("the token would be {0} bytes long, more than {MAXIMUM_TOKEN}")]
    TooLong(usize),
    /// The cryptographic library refused.
    #[error("the key could not sign")]
    Key,
}

enum Pair {
    Rsa(Box<RsaKeyPair>, &'static RsaSignatureEncoding),
    Ec(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// A private key, its name, and the one algorithm that it signs with.
pub struct PrivateKey {
    pair: Pair,
    public: PublicKey,
}

impl PrivateKey {
    /// Parses a PKCS#8 DER key (RFC 5958). `kid` is the name that tokens and the key set carry.
    ///
    /// # Errors
    /// [`KeyError`]: the bytes are no key of the algorithm's type and curve, or a weak one (RSA under 2048 bits).
    pub fn from_pkcs8(algorithm: Algorithm, kid: impl Into<String>, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let (pair, material) = parse(algorithm, pkcs8)?;
        let public = PublicKey::new(Some(kid.into()), algorithm, material, &KeyPolicy::FOREIGN)?;
        Ok(Self { pair, public })
    }

    /// The same, named by its thumbprint (RFC 7638).
    ///
    /// # Errors
    /// As [`PrivateKey::from_pkcs8`].
    pub fn from_pkcs8_named_by_thumbprint(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let (pair, material) = parse(algorithm, pkcs8)?;
        let kid = material.thumbprint();
        let public = PublicKey::new(Some(kid), algorithm, material, &KeyPolicy::FOREIGN)?;
        Ok(Self { pair, public })
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        self.public.clone()
    }

    /// Its name.
    pub fn kid(&self) -> &str {
        self.public.kid().unwrap_or_default()
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    /// Signs `message`; the signature is in the form that JWS wants (RFC 7518 section 3).
    ///
    /// # Errors
    /// [`SignError::Key`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).map_err(|_| SignError::Key)?;
                Ok(signature)
            }
            Pair::Ec(pair) => Ok(pair.sign(&random, message).map_err(|_| SignError::Key)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.try_sign(message).map_err(|_| SignError::Key)?.as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("kid", &self.kid())
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

/// Makes a signed JWT. `typ` is explicit, since every kind of token here has one of its own (RFC 8725 section 3.11).
///
/// # Errors
/// [`SignError`].
pub fn sign(key: &PrivateKey, typ: &str, claims: &Value) -> Result<String, SignError> {
    if !claims.is_object() {
        return Err(SignError::NotAnObject);
    }
    let header = json!({ "alg": key.algorithm().as_str(), "kid": key.kid(), "typ": typ }).to_string();
    let claims = claims.to_string();
    let mut token =
        String::with_capacity((header.len() + claims.len() + key.public.signature_length()) * 4 / 3 + 8);
    base64url::encode_into(header.as_bytes(), &mut token);
    token.push('.');
    base64url::encode_into(claims.as_bytes(), &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    base64url::encode_into(&signature, &mut token);
    if token.len() > MAXIMUM_TOKEN {
        return Err(SignError::TooLong(token.len()));
    }
    Ok(token)
}

fn parse(algorithm: Algorithm, pkcs8: &[u8]) -> Result<(Pair, Material), KeyError> {
    match algorithm {
        Algorithm::Rs256 => rsa(pkcs8, &RSA_PKCS1_SHA256),
        Algorithm::Rs384 => rsa(pkcs8, &RSA_PKCS1_SHA384),
        Algorithm::Rs512 => rsa(pkcs8, &RSA_PKCS1_SHA512),
        Algorithm::Ps256 => rsa(pkcs8, &RSA_PSS_SHA256),
        Algorithm::Ps384 => rsa(pkcs8, &RSA_PSS_SHA384),
        Algorithm::Ps512 => rsa(pkcs8, &RSA_PSS_SHA512),
        Algorithm::Es256 => ec(pkcs8, Curve::P256, &ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::Es384 => ec(pkcs8, Curve::P384, &ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::Es512 => ec(pkcs8, Curve::P521, &ECDSA_P521_SHA512_FIXED_SIGNING),
        Algorithm::EdDsa => {
            let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| UNREADABLE)?;
            let x = pair.public_key().as_ref().to_vec();
            Ok((Pair::Ed25519(Box::new(pair)), Material::Ed25519 { x }))
        }
    }
}

const UNREADABLE: KeyError = KeyError::Malformed("pkcs8");

fn rsa(pkcs8: &[u8], encoding: &'static RsaSignatureEncoding) -> Result<(Pair, Material), KeyError> {
    let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| UNREADABLE)?;
    let number = |bytes: &[u8]| bytes.to_vec();
    let n = number(pair.public_key().modulus().big_endian_without_leading_zero());
    let e = number(pair.public_key().exponent().big_endian_without_leading_zero());
    Ok((Pair::Rsa(Box::new(pair), encoding), Material::Rsa { n, e }))
}

fn ec(
    pkcs8: &[u8],
    curve: Curve,
    algorithm: &'static EcdsaSigningAlgorithm,
) -> Result<(Pair, Material), KeyError> {
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8).map_err(|_| UNREADABLE)?;
    // 0x04 || x || y (SEC 1 section 2.3.3).
    let point = pair.public_key().as_ref();
    let (x, y) = point.get(1..).unwrap_or_default().split_at_checked(curve.coordinate()).ok_or(UNREADABLE)?;
    let material = Material::Ec { curve, x: x.to_vec(), y: y.to_vec() };
    Ok((Pair::Ec(Box::new(pair)), material))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_set::KeySet;
    use crate::verify::verify_claims;

    fn pkcs8() -> Vec<u8> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        document.as_ref().to_vec()
    }

    #[test]
    fn what_is_signed_names_its_key_and_its_kind() {
        let key = PrivateKey::from_pkcs8(Algorithm::EdDsa, "2026-11", &pkcs8()).unwrap();
        let token = sign(&key, "at+jwt", &json!({ "sub": "a" })).unwrap();
        let keys = KeySet::new(vec![key.public()]).unwrap();
        let token = verify_claims(&token, &keys).unwrap();
        assert_eq!(token.header.kid.as_deref(), Some("2026-11"));
        assert_eq!(token.header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(token.claims.sub.as_deref(), Some("a"));
    }

    #[test]
    fn what_nobody_would_accept_is_not_signed() {
        let key = PrivateKey::from_pkcs8_named_by_thumbprint(Algorithm::EdDsa, &pkcs8()).unwrap();
        for claims in [json!(null), json!([]), json!("x"), json!(1)] {
            assert_eq!(sign(&key, "at+jwt", &claims), Err(SignError::NotAnObject));
        }
        let long = json!({ "x": "y".repeat(MAXIMUM_TOKEN) });
        assert!(
            matches!(sign(&key, "at+jwt", &long), Err(SignError::TooLong(length)) if length > MAXIMUM_TOKEN)
        );
    }

    #[test]
    fn a_key_is_named_by_its_thumbprint_and_prints_no_secret() {
        let pkcs8 = pkcs8();
        let key = PrivateKey::from_pkcs8_named_by_thumbprint(Algorithm::EdDsa, &pkcs8).unwrap();
        assert_eq!(key.kid(), key.public().thumbprint());
        assert_eq!(crate::thumbprint(&key.public().to_jwk()).unwrap(), key.kid());
        let text = format!("{key:?} {:?}", key.public());
        assert_eq!(text.matches(key.kid()).count(), 2, "{text}");
        assert!(!text.contains("pair") && !text.contains("material"), "{text}");
    }

    #[test]
    fn a_key_of_another_kind_is_not_taken() {
        let pkcs8 = pkcs8();
        for algorithm in Algorithm::ALL {
            let parsed = PrivateKey::from_pkcs8(algorithm, "kid", &pkcs8);
            assert_eq!(parsed.is_ok(), algorithm == Algorithm::EdDsa, "{algorithm}");
        }
    }
}
