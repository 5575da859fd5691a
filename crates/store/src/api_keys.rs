//! Legacy API keys, by digest, while clients move to OAuth.

use crate::connection::pending;
use crate::{Fault, Store};

/// An API key as stored; the key itself is not.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id, for lists and revocation.
    pub id: String,
    /// For people.
    pub name: String,
    /// SHA-256 of the key; unique.
    pub digest: Vec<u8>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The client that it stands for.
    pub client_id: Option<String>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub expires_at: Option<i64>,
    /// Unix seconds.
    pub revoked_at: Option<i64>,
    /// Unix seconds.
    pub last_used_at: Option<i64>,
    /// How often it was used.
    pub uses: i64,
}

crate::redacted::redacted!(ApiKey: id, name, revoked_at);

/// Uses of a key since the last report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyUse {
    /// The key's id.
    pub id: String,
    /// The latest, Unix seconds.
    pub last_used_at: i64,
    /// How many.
    pub count: i64,
}

impl Store {
    /// Stores a key. A key (or id) that is there already is a [`Fault::Conflict`].
    pub async fn insert_api_key(&self, _key: &ApiKey) -> Result<(), Fault> {
        pending()
    }
    /// The key with this digest, revoked and expired ones included.
    pub async fn api_key_by_digest(&self, _digest: &[u8]) -> Result<Option<ApiKey>, Fault> {
        pending()
    }
    /// The key with this id.
    pub async fn api_key(&self, _id: &str) -> Result<Option<ApiKey>, Fault> {
        pending()
    }
    /// Every key, by name.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, Fault> {
        pending()
    }
    /// Ends a key; false when it is unknown or ended already.
    pub async fn revoke_api_key(&self, _id: &str, _now: i64) -> Result<bool, Fault> {
        pending()
    }
    /// Deletes a key; false when there is none.
    pub async fn delete_api_key(&self, _id: &str, _now: i64) -> Result<bool, Fault> {
        pending()
    }
    /// Adds uses. Keys that are gone are skipped; `last_used_at` never moves back.
    pub async fn record_api_key_uses(&self, _uses: &[ApiKeyUse]) -> Result<(), Fault> {
        pending()
    }
}
