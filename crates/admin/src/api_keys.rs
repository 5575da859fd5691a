//! Legacy API keys, while clients move to OAuth: made with a form that scanners know, stored as digests, counted.

mod form;
mod import;
mod report;

use oauth::one_time_secret::Digest;
use policy::Scope;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use store::{ApiKey, Store};

use crate::Error;
use crate::secret::shown_once;

pub use form::{Form, form, new_key};
pub use import::{ImportedKey, Imports, import, read_imports};
pub use report::{Report, ReportLine, State, report};

/// A key to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// For people.
    pub name: String,
    /// What it may do: scopes of any API.
    pub scopes: Vec<String>,
    /// The application that it stands for.
    pub client_id: Option<String>,
    /// Unix seconds at which it dies.
    pub expires_at: Option<i64>,
    /// Where it is good: stands in the key.
    pub environment: Environment,
}

/// The environment whose name stands in a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// `dev`
    Development,
    /// `staging`
    Staging,
    /// `prod`
    Production,
}

impl Environment {
    /// The short name in a key.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "dev",
            Self::Staging => "staging",
            Self::Production => "prod",
        }
    }

    /// Reads the name that the configuration uses.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "development" => Some(Self::Development),
            "staging" => Some(Self::Staging),
            "production" => Some(Self::Production),
            _ => None,
        }
    }
}

/// Random bytes for one key.
#[derive(Clone)]
pub struct Fresh {
    /// Becomes the identifier by which it is listed and revoked.
    pub id: [u8; 8],
    /// Becomes the key.
    pub key: [u8; 32],
}

/// A key, to show. The key itself is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyView {
    /// `key_` and 16 hexadecimal digits.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The application that it stands for.
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

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            scopes: key.scopes,
            client_id: key.client_id,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            last_used_at: key.last_used_at,
            uses: key.uses,
        }
    }
}

/// A key that was just made, which is shown this once.
#[derive(Debug, Serialize)]
pub struct CreatedKey {
    /// What was stored.
    #[serde(flatten)]
    pub view: KeyView,
    /// The key.
    #[serde(serialize_with = "shown_once")]
    pub key: SecretString,
}

/// Makes a key.
///
/// # Errors
/// When a scope belongs to no API, the application does not exist, the date is past, or the store fails.
pub async fn create(store: &Store, key: &NewKey, now: i64, fresh: Fresh) -> Result<CreatedKey, Error> {
    let secret = new_key(key.environment, fresh.key);
    let row = checked(store, key, now, fresh.id, Digest::of(secret.expose_secret())).await?;
    store.insert_api_key(&row).await?;
    Ok(CreatedKey { view: row.into(), key: secret })
}

/// Checks a key against what there is, and gives the row to store.
async fn checked(
    store: &Store,
    key: &NewKey,
    now: i64,
    id: [u8; 8],
    digest: Digest,
) -> Result<ApiKey, Error> {
    let of = |what: &str| format!("{what} of key {}", key.name);
    if key.name.trim().is_empty() || key.name.chars().any(char::is_control) {
        return Err(Error::invalid("key name", "must not be empty and have no control characters"));
    }
    if key.scopes.is_empty() {
        return Err(Error::invalid(of("scope"), "is missing: a key without scopes opens nothing"));
    }
    let apis = store.apis().await?;
    for scope in &key.scopes {
        Scope::parse(scope).map_err(|error| Error::invalid(of("scope"), error.to_string()))?;
        let known = |api: &store::Api| api.scopes.iter().any(|known| known.value == *scope);
        if !apis.iter().any(known) {
            let all: Vec<&str> =
                apis.iter().flat_map(|api| &api.scopes).map(|scope| scope.value.as_str()).collect();
            return Err(Error::invalid(
                of("scope"),
                format!("no api has {scope}; there are: {}", all.join(", ")),
            ));
        }
    }
    if key.expires_at.is_some_and(|at| at <= now) {
        return Err(Error::invalid(of("expiry"), "is in the past"));
    }
    if let Some(client) = &key.client_id {
        must_be_client(store, client).await?;
    }
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(ApiKey {
        id: format!("key_{id}"),
        name: key.name.clone(),
        digest: digest.as_bytes().to_vec(),
        scopes: crate::applications::sorted(&key.scopes),
        client_id: key.client_id.clone(),
        created_at: now,
        expires_at: key.expires_at,
        revoked_at: None,
        last_used_at: None,
        uses: 0,
    })
}

/// An application is named by its identifier alone here: that is what the backend sees in `X-Auth-Client`.
async fn must_be_client(store: &Store, id: &str) -> Result<(), Error> {
    if store.client(id).await?.is_some() {
        return Ok(());
    }
    let known = store.clients().await?.into_iter().map(|(row, _)| row.id).collect();
    Err(Error::Unknown { kind: "application", name: id.to_owned(), known })
}

/// Every key, revoked and expired ones too.
///
/// # Errors
/// When the store fails.
pub async fn list(store: &Store) -> Result<Vec<KeyView>, Error> {
    Ok(store.api_keys().await?.into_iter().map(KeyView::from).collect())
}

/// One key, by identifier or by name where only one has it.
///
/// # Errors
/// When there is none or more than one, or the store fails.
pub async fn show(store: &Store, id_or_name: &str) -> Result<KeyView, Error> {
    let keys = list(store).await?;
    if let Some(key) = keys.iter().find(|key| key.id == id_or_name) {
        return Ok(key.clone());
    }
    let named: Vec<&KeyView> = keys.iter().filter(|key| key.name == id_or_name).collect();
    match named.as_slice() {
        [only] => Ok((*only).clone()),
        [] => {
            let known = keys.into_iter().map(|key| key.name).collect();
            Err(Error::Unknown { kind: "key", name: id_or_name.to_owned(), known })
        }
        several => {
            let ids: Vec<&str> = several.iter().map(|key| key.id.as_str()).collect();
            Err(Error::invalid(
                format!("key {id_or_name}"),
                format!("is the name of several; say which: {}", ids.join(", ")),
            ))
        }
    }
}

/// Says which application a key stands for, whichever it was before.
///
/// # Errors
/// When there is no such key or no such application, or the store fails.
pub async fn bind(store: &Store, id_or_name: &str, client_id: &str, now: i64) -> Result<KeyView, Error> {
    let key = show(store, id_or_name).await?;
    must_be_client(store, client_id).await?;
    store.bind_api_key(&key.id, client_id, now).await?;
    show(store, &key.id).await
}

/// Ends a key, and keeps what is known of its use. Ending it again changes nothing.
///
/// # Errors
/// When there is none, or the store fails.
pub async fn revoke(store: &Store, id_or_name: &str, now: i64) -> Result<KeyView, Error> {
    let key = show(store, id_or_name).await?;
    store.revoke_api_key(&key.id, now).await?;
    show(store, &key.id).await
}

/// Deletes a key with what is known of its use.
///
/// # Errors
/// When there is none, or the store fails.
pub async fn delete(store: &Store, id_or_name: &str, now: i64) -> Result<(), Error> {
    let key = show(store, id_or_name).await?;
    store.delete_api_key(&key.id, now).await?;
    Ok(())
}
