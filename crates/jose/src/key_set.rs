//! A JWK Set (RFC 7517 section 5): the keys of one issuer.

use serde_json::{Value, json};

use crate::algorithm::Algorithm;
use crate::json::{self, JsonError};
use crate::key::{KeyError, KeyPolicy, PublicKey};
use crate::verify::VerifyError;

/// More keys than any issuer rotates through; a longer set is refused.
pub const MAXIMUM_KEYS: usize = 100;

/// The keys of one issuer, all usable, no two of one name.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Vec<PublicKey>,
    set_aside: Vec<SetAside>,
}

/// A key of a set that is not ours to use (RFC 7517 section 5), and why: an encryption key, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Where it stands in `keys`, from 0.
    pub index: usize,
    /// Its name, where it has one.
    pub kid: Option<String>,
    /// Why.
    pub reason: KeyError,
}

/// Why a set is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// The text is not strict JSON.
    #[error("the key set cannot be read: {0}")]
    Json(#[from] JsonError),
    /// There is no array `keys`.
    #[error("the key set has no array `keys`")]
    NoKeys,
    /// More than [`MAXIMUM_KEYS`].
    #[error("the key set holds {0} keys, more than {MAXIMUM_KEYS}")]
    TooMany(usize),
    /// One key should not exist: too weak, contradictory, symmetric or private. An issuer that publishes such a
    /// key is not trusted with its others.
    #[error("key {index} of the set is refused: {reason}")]
    Key {
        /// Where it stands in `keys`, from 0.
        index: usize,
        /// Why.
        #[source]
        reason: KeyError,
    },
    /// Two keys have one name, so a token's `kid` would not say which.
    #[error("two keys of the set have the kid {0:?}")]
    DoubledKid(String),
    /// Every key was set aside, or there was none.
    #[error("the key set holds no key that could verify a signature")]
    NoUsableKey,
}

impl KeySet {
    /// Reads a JWK Set.
    ///
    /// Keys that are not ours to use (unknown `kty`, curve or `alg`, `use` or `key_ops` of encryption) are set
    /// aside, as RFC 7517 section 5 asks: many issuers publish their encryption keys in the same set. Any other
    /// fault refuses the whole set.
    ///
    /// # Errors
    /// [`KeySetError`].
    pub fn parse(json: &[u8], policy: &KeyPolicy) -> Result<Self, KeySetError> {
        let mut object = json::object(json)?;
        let Some(Value::Array(entries)) = object.remove("keys") else { return Err(KeySetError::NoKeys) };
        if entries.len() > MAXIMUM_KEYS {
            return Err(KeySetError::TooMany(entries.len()));
        }
        let mut keys = Vec::with_capacity(entries.len());
        let mut set_aside = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            match PublicKey::from_jwk(entry, policy) {
                Ok(key) => keys.push(key),
                Err(reason) if reason.is_not_ours() => {
                    let kid = entry.get("kid").and_then(Value::as_str).map(str::to_owned);
                    set_aside.push(SetAside { index, kid, reason });
                }
                Err(reason) => return Err(KeySetError::Key { index, reason }),
            }
        }
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey);
        }
        Ok(Self { set_aside, ..Self::new(keys)? })
    }

    /// A set of keys that are already parsed; it may be empty, and then verifies nothing.
    ///
    /// # Errors
    /// [`KeySetError::DoubledKid`] and [`KeySetError::TooMany`].
    pub fn new(keys: Vec<PublicKey>) -> Result<Self, KeySetError> {
        if keys.len() > MAXIMUM_KEYS {
            return Err(KeySetError::TooMany(keys.len()));
        }
        for (i, key) in keys.iter().enumerate() {
            let twin = keys.iter().take(i).find(|earlier| key.kid().is_some() && earlier.kid() == key.kid());
            if let Some(kid) = twin.and_then(PublicKey::kid) {
                return Err(KeySetError::DoubledKid(kid.to_owned()));
            }
        }
        Ok(Self { keys, set_aside: Vec::new() })
    }

    /// The key that a token's header asks for. `kid` is looked up and nothing else is done with it; without one,
    /// the set must hold exactly one key of the algorithm.
    ///
    /// # Errors
    /// [`VerifyError::UnknownKey`], [`VerifyError::AmbiguousKey`], [`VerifyError::AlgorithmMismatch`].
    pub fn select(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&PublicKey, VerifyError> {
        let Some(kid) = kid else {
            let mut fitting = self.keys.iter().filter(|key| key.algorithm() == algorithm);
            return match (fitting.next(), fitting.next()) {
                (Some(key), None) => Ok(key),
                (None, _) => Err(VerifyError::UnknownKey { kid: None }),
                (Some(_), Some(_)) => Err(VerifyError::AmbiguousKey),
            };
        };
        let key = self.keys.iter().find(|key| key.kid() == Some(kid));
        let key = key.ok_or_else(|| VerifyError::UnknownKey { kid: Some(kid.to_owned()) })?;
        if key.algorithm().permits(algorithm) { Ok(key) } else { Err(VerifyError::AlgorithmMismatch) }
    }

    /// Whether a key of that name is in the set.
    pub fn contains(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid() == Some(kid))
    }

    /// The keys, in the set's order.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// What [`KeySet::parse`] left out.
    pub fn set_aside(&self) -> &[SetAside] {
        &self.set_aside
    }

    /// The set as it is published: public members alone.
    pub fn to_json(&self) -> Value {
        json!({ "keys": self.keys.iter().map(PublicKey::to_jwk).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kid: Option<&str>, alg: &str) -> PublicKey {
        // The example key of RFC 8037 appendix A.2, and of RFC 7515 appendix A.3.
        let mut jwk = if alg == "EdDSA" {
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })
        } else {
            json!({
                "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            })
        };
        if let Some(kid) = kid {
            jwk["kid"] = kid.into();
        }
        PublicKey::from_jwk(&jwk, &KeyPolicy::OWN).unwrap()
    }

    #[test]
    fn selection() {
        let ec = || key(Some("a"), "ES256");
        let set = KeySet::new(vec![ec(), key(Some("b"), "ES256"), key(Some("c"), "EdDSA")]).unwrap();
        let select = |kid, algorithm| set.select(kid, algorithm).map(|key| key.kid().map(str::to_owned));
        let unknown = |kid: Option<&str>| Err(VerifyError::UnknownKey { kid: kid.map(str::to_owned) });
        assert_eq!(select(Some("b"), Algorithm::Es256), Ok(Some("b".to_owned())));
        assert_eq!(select(Some("b"), Algorithm::EdDsa), Err(VerifyError::AlgorithmMismatch));
        assert_eq!(select(Some("d"), Algorithm::Es256), unknown(Some("d")));
        assert_eq!(select(None, Algorithm::EdDsa), Ok(Some("c".to_owned())));
        assert_eq!(select(None, Algorithm::Es256), Err(VerifyError::AmbiguousKey));
        assert_eq!(select(None, Algorithm::Rs256), unknown(None));
    }

    #[test]
    fn names_are_unique_and_namelessness_is_no_name() {
        let twice = KeySet::new(vec![key(Some("a"), "ES256"), key(Some("a"), "EdDSA")]);
        assert_eq!(twice.unwrap_err(), KeySetError::DoubledKid("a".to_owned()));
        assert_eq!(KeySet::new(vec![key(None, "ES256"), key(None, "EdDSA")]).unwrap().keys().len(), 2);
    }

    #[test]
    fn what_goes_out_comes_in() {
        let set = KeySet::new(vec![key(Some("a"), "ES256"), key(Some("b"), "EdDSA")]).unwrap();
        let json = set.to_json();
        let again = KeySet::parse(json.to_string().as_bytes(), &KeyPolicy::OWN).unwrap();
        assert_eq!(again.to_json(), json);
        assert!(again.set_aside().is_empty());
    }
}
