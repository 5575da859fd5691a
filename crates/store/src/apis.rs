//! APIs (resource servers): an identifier, which is the audience of its tokens, and its scopes.

use crate::connection::pending;
use crate::{Fault, Store};
use serde::{Deserialize, Serialize};

/// A scope with its meaning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiScope {
    /// `read:orders`.
    pub value: String,
    /// For people; may be empty.
    pub description: String,
}

/// An API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// A URI: the audience of its tokens.
    pub identifier: String,
    /// For people.
    pub name: String,
    /// In the order given.
    pub scopes: Vec<ApiScope>,
    /// `RS256`, `ES256` or `EdDSA`.
    pub signing_alg: String,
    /// Seconds; none for the configured lifetime.
    pub token_lifetime: Option<i64>,
}

impl Store {
    /// Makes the API, or makes it look like this. Scopes that it no longer has are taken from roles and clients.
    pub async fn upsert_api(&self, _api: &Api, _now: i64) -> Result<(), Fault> {
        pending()
    }
    /// The API with this identifier, byte for byte.
    pub async fn api(&self, _identifier: &str) -> Result<Option<Api>, Fault> {
        pending()
    }
    /// Every API, by identifier.
    pub async fn apis(&self) -> Result<Vec<Api>, Fault> {
        pending()
    }
    /// Deletes the API with what roles and clients may do there; false when there is none.
    pub async fn delete_api(&self, _identifier: &str, _now: i64) -> Result<bool, Fault> {
        pending()
    }
}
