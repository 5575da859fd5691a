//! Applications (OAuth clients) and what each may ask for.

use crate::connection::pending;
use crate::{Fault, Store};

/// A client as stored. The words in `kind`, `auth_method` and `grants` are the court's.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientRow {
    /// The client id.
    pub id: String,
    /// For people; unique.
    pub name: String,
    /// `spa`, `native`, `regular_web` or `non_interactive`.
    pub kind: String,
    /// SHA-256 of the secret; none for a public client.
    pub secret_digest: Option<Vec<u8>>,
    /// `none`, `client_secret_post` or `client_secret_basic`.
    pub auth_method: String,
    /// Grant types.
    pub grants: Vec<String>,
    /// Redirect URIs.
    pub callbacks: Vec<String>,
    /// Where logout may lead.
    pub logout_urls: Vec<String>,
    /// Origins of its pages.
    pub web_origins: Vec<String>,
    /// A disabled client gets no token.
    pub disabled: bool,
    /// Unix seconds.
    pub created_at: i64,
}

crate::redacted::redacted!(ClientRow: id, name, kind, disabled);

/// What a client may ask for at an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientGrant {
    /// The API's identifier.
    pub audience: String,
    /// Scopes, as given.
    pub scopes: Vec<String>,
}

impl Store {
    /// Makes the client, or makes it look like this row (its `created_at` stays; the secret becomes the row's).
    /// A name that is taken, or an API that does not exist, is a [`Fault::Conflict`].
    pub async fn upsert_client(
        &self,
        _client: &ClientRow,
        _grants: &[ClientGrant],
        _now: i64,
    ) -> Result<(), Fault> {
        pending()
    }
    /// The client with this id, and its grants by audience.
    pub async fn client(&self, _id: &str) -> Result<Option<(ClientRow, Vec<ClientGrant>)>, Fault> {
        pending()
    }
    /// The client with this name.
    pub async fn client_by_name(&self, _name: &str) -> Result<Option<(ClientRow, Vec<ClientGrant>)>, Fault> {
        pending()
    }
    /// Every client, by name.
    pub async fn clients(&self) -> Result<Vec<(ClientRow, Vec<ClientGrant>)>, Fault> {
        pending()
    }
    /// Deletes the client and ends the sessions that it began; false when there is none.
    pub async fn delete_client(&self, _id: &str, _now: i64) -> Result<bool, Fault> {
        pending()
    }
    /// A new secret; the old one is dead. False when there is no such client.
    pub async fn set_client_secret(&self, _id: &str, _digest: &[u8], _now: i64) -> Result<bool, Fault> {
        pending()
    }
}
