//! A JSON Web Key's members (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2), public ones alone.

use aws_lc_rs::digest;
use serde_json::{Map, Value, json};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::key::KeyError;

/// Members that only a private or symmetric key has (RFC 7518 sections 6.2.2, 6.3.2 and 6.4).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// What a public key is made of. Numbers are big endian without leading zeros, coordinates of the curve's length.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec { curve: Curve, x: Vec<u8>, y: Vec<u8> },
    Ed25519 { x: Vec<u8> },
}

/// The curves of ECDSA here, each tied to one algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "P-256" => Some(Self::P256),
            "P-384" => Some(Self::P384),
            "P-521" => Some(Self::P521),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// Length of a coordinate in bytes (RFC 7518 section 6.2.1.2).
    pub(crate) const fn coordinate(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// The curve that an algorithm needs (RFC 7518 section 3.4).
    pub(crate) const fn of(algorithm: Algorithm) -> Option<Self> {
        match algorithm {
            Algorithm::Es256 => Some(Self::P256),
            Algorithm::Es384 => Some(Self::P384),
            Algorithm::Es512 => Some(Self::P521),
            _ => None,
        }
    }
}

/// A key as it was written; [`crate::PublicKey`] checks that the algorithm fits.
pub(crate) struct Jwk {
    pub(crate) kid: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) material: Material,
}

impl Jwk {
    /// Reads a public signing key.
    ///
    /// Without `alg` a key is of one algorithm all the same (RFC 8725 section 3.1): RS256 for RSA, which is what
    /// issuers that leave it out sign with, and the curve's own for the others.
    pub(crate) fn read(jwk: &Value) -> Result<Self, KeyError> {
        let jwk = jwk.as_object().ok_or(KeyError::NotAnObject)?;
        let kty = required_text(jwk, "kty")?;
        if kty == "oct" {
            return Err(KeyError::Symmetric);
        }
        // Before anything that lets a key be set aside: a published private member is an alarm, whatever the key is for.
        if let Some(name) = PRIVATE.iter().find(|name| jwk.contains_key(**name)) {
            return Err(KeyError::Private(name));
        }
        if !matches!(kty, "RSA" | "EC" | "OKP") {
            return Err(KeyError::UnknownType);
        }
        check_use(jwk)?;
        let stated = match text(jwk, "alg")? {
            None => None,
            // Wycheproof's spelling (347, 351, key file 19); harmless, since the curve must agree.
            Some("ES521") => Some(Algorithm::Es512),
            Some(name) => Some(Algorithm::parse(name).ok_or(KeyError::UnknownAlgorithm)?),
        };
        let (material, natural) = material(jwk, kty)?;
        let algorithm = stated.unwrap_or(natural);
        Ok(Self { kid: text(jwk, "kid")?.map(str::to_owned), algorithm, material })
    }
}

impl Material {
    /// Whether key type and curve are those of the algorithm.
    pub(crate) fn agrees_with(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa { .. } => algorithm.is_rsa(),
            Self::Ec { curve, .. } => Curve::of(algorithm) == Some(*curve),
            Self::Ed25519 { .. } => algorithm == Algorithm::EdDsa,
        }
    }

    /// The members that make the key, in the order of the thumbprint (RFC 7638 section 3.2): each key type's
    /// required members, sorted by name.
    fn required_members(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Rsa { n, e } => {
                vec![("e", base64url::encode(e)), ("kty", "RSA".to_owned()), ("n", base64url::encode(n))]
            }
            Self::Ec { curve, x, y } => vec![
                ("crv", curve.as_str().to_owned()),
                ("kty", "EC".to_owned()),
                ("x", base64url::encode(x)),
                ("y", base64url::encode(y)),
            ],
            Self::Ed25519 { x } => {
                vec![("crv", "Ed25519".to_owned()), ("kty", "OKP".to_owned()), ("x", base64url::encode(x))]
            }
        }
    }

    /// The key as it is published: public members, `use` and `alg`, and `kid` where there is one.
    pub(crate) fn to_jwk(&self, kid: Option<&str>, algorithm: Algorithm) -> Value {
        let mut jwk: Map<String, Value> = self
            .required_members()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        jwk.insert("use".to_owned(), "sig".into());
        jwk.insert("alg".to_owned(), algorithm.as_str().into());
        if let Some(kid) = kid {
            jwk.insert("kid".to_owned(), kid.into());
        }
        Value::Object(jwk)
    }

    /// RFC 7638 section 3, with SHA-256, in base64url.
    pub(crate) fn thumbprint(&self) -> String {
        let members: Vec<String> = self
            .required_members()
            .into_iter()
            // Names and values are base64url and curve names: nothing in them needs an escape.
            .map(|(name, value)| format!("\"{name}\":\"{value}\""))
            .collect();
        let text = format!("{{{}}}", members.join(","));
        base64url::encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
    }
}

/// The thumbprint of a public signing key (RFC 7638, SHA-256, base64url): a `kid` that needs no register.
///
/// # Errors
/// [`KeyError`] when the value is no public key of a known type; strength is not looked at.
pub fn thumbprint(jwk: &Value) -> Result<String, KeyError> {
    let object = jwk.as_object().ok_or(KeyError::NotAnObject)?;
    Ok(material(object, required_text(object, "kty")?)?.0.thumbprint())
}

/// `use` and `key_ops` must allow verifying (RFC 7517 sections 4.2 and 4.3).
fn check_use(jwk: &Map<String, Value>) -> Result<(), KeyError> {
    if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(KeyError::NotForVerifying);
    }
    let Some(operations) = jwk.get("key_ops") else { return Ok(()) };
    let operations = operations.as_array().ok_or(KeyError::Malformed("key_ops"))?;
    for (i, operation) in operations.iter().enumerate() {
        if !operation.is_string() || operations.iter().take(i).any(|earlier| earlier == operation) {
            return Err(KeyError::Malformed("key_ops"));
        }
    }
    if operations.contains(&json!("verify")) { Ok(()) } else { Err(KeyError::NotForVerifying) }
}

/// The key itself, and the algorithm that it is for when it does not say.
fn material(jwk: &Map<String, Value>, kty: &str) -> Result<(Material, Algorithm), KeyError> {
    match kty {
        "RSA" => Ok((Material::Rsa { n: number(jwk, "n")?, e: number(jwk, "e")? }, Algorithm::Rs256)),
        "EC" => {
            let curve = Curve::parse(required_text(jwk, "crv")?).ok_or(KeyError::UnknownCurve)?;
            let natural = match curve {
                Curve::P256 => Algorithm::Es256,
                Curve::P384 => Algorithm::Es384,
                Curve::P521 => Algorithm::Es512,
            };
            let length = curve.coordinate();
            let (x, y) = (coordinate(jwk, "x", length)?, coordinate(jwk, "y", length)?);
            Ok((Material::Ec { curve, x, y }, natural))
        }
        "OKP" => match required_text(jwk, "crv")? {
            "Ed25519" => Ok((Material::Ed25519 { x: coordinate(jwk, "x", 32)? }, Algorithm::EdDsa)),
            _ => Err(KeyError::UnknownCurve),
        },
        _ => Err(KeyError::UnknownType),
    }
}

fn text<'v>(jwk: &'v Map<String, Value>, name: &'static str) -> Result<Option<&'v str>, KeyError> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(KeyError::Malformed(name)),
    }
}

fn required_text<'v>(jwk: &'v Map<String, Value>, name: &'static str) -> Result<&'v str, KeyError> {
    text(jwk, name)?.ok_or(KeyError::Missing(name))
}

/// Base64urlUInt (RFC 7518 section 2): not empty, no leading zero.
fn number(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, KeyError> {
    let bytes = base64url::decode(required_text(jwk, name)?).ok_or(KeyError::Malformed(name))?;
    match bytes.first() {
        None | Some(0) => Err(KeyError::Malformed(name)),
        Some(_) => Ok(bytes),
    }
}

/// An octet string of the curve's full length, leading zeros kept.
fn coordinate(jwk: &Map<String, Value>, name: &'static str, length: usize) -> Result<Vec<u8>, KeyError> {
    base64url::decode(required_text(jwk, name)?)
        .filter(|bytes| bytes.len() == length)
        .ok_or(KeyError::Malformed(name))
}
