//! Signing keys, private halves sealed by the caller under the key-encryption key.

use crate::connection::pending;
use crate::{Fault, Store};

/// A signing key as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The key id.
    pub kid: String,
    /// `RS256`, …
    pub algorithm: String,
    /// The public half as a JSON Web Key.
    pub public_jwk: String,
    /// The private half, encrypted; the store cannot read it.
    pub private_sealed: Vec<u8>,
    /// Unix seconds.
    pub created_at: i64,
    /// It is published before, and signs from here on. Unix seconds.
    pub signs_from: i64,
    /// When it leaves the key set, Unix seconds.
    pub retires_at: Option<i64>,
}

crate::redacted::redacted!(SigningKey: kid, algorithm, signs_from);

impl Store {
    /// Stores a key. A `kid` that is taken is a [`Fault::Conflict`].
    pub async fn insert_signing_key(&self, _key: &SigningKey) -> Result<(), Fault> {
        pending()
    }
    /// Stores a key only where no key of its algorithm is stored: nodes that start together agree on one. True for the
    /// one that was first.
    pub async fn insert_first_signing_key(&self, _key: &SigningKey) -> Result<bool, Fault> {
        pending()
    }
    /// Every key, oldest first.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>, Fault> {
        pending()
    }
    /// Sets when the key leaves the key set; false when there is none.
    pub async fn retire_signing_key(&self, _kid: &str, _retires_at: i64, _now: i64) -> Result<bool, Fault> {
        pending()
    }
    /// Deletes the key; false when there is none.
    pub async fn delete_signing_key(&self, _kid: &str, _now: i64) -> Result<bool, Fault> {
        pending()
    }
    /// The bytes by which a node sees whether its key-encryption key fits.
    pub async fn seal_check(&self) -> Result<Option<Vec<u8>>, Fault> {
        pending()
    }
    /// Stores those bytes unless there are some; answers what is stored afterwards: the first writer's.
    pub async fn set_seal_check(&self, _bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        pending()
    }
}
