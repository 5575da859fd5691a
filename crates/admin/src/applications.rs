//! Applications (OAuth clients): what they are, where they live, what they may ask for.

mod draft;

use oauth::client::{AuthMethod, CLIENT_ID_LENGTH, ClientType, GrantType, new_client_id};
use oauth::one_time_secret::OneTimeSecret;
use secrecy::SecretString;
use serde::Serialize;
use store::{ClientGrant, ClientRow, Store};

use crate::Error;
use crate::secret::{shown_once, shown_once_if_any};

pub(crate) use draft::{Draft, sorted, validate};

/// Scopes at one API that an application may ask for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiAccess {
    /// The API's identifier.
    pub api: String,
    /// Its scopes.
    pub scopes: Vec<String>,
}

/// An application to make.
#[derive(Debug, Clone)]
pub struct NewApplication {
    /// Its name, unique.
    pub name: String,
    /// What kind of program it is.
    pub kind: ClientType,
    /// Where a login may return to.
    pub callbacks: Vec<String>,
    /// Where a logout may lead.
    pub logout_urls: Vec<String>,
    /// Origins of its pages.
    pub web_origins: Vec<String>,
    /// The grants that it may use; none for those that its kind usually has.
    pub grants: Vec<GrantType>,
    /// How it authenticates; none for what its kind usually does.
    pub auth_method: Option<AuthMethod>,
    /// What it may ask for itself.
    pub apis: Vec<ApiAccess>,
    /// Switched off.
    pub disabled: bool,
    /// An identifier of one's choice; none for a random one.
    pub client_id: Option<String>,
    /// A secret of one's choice; none for a random one, where there must be one.
    pub client_secret: Option<SecretString>,
}

impl NewApplication {
    /// An application with nothing but its name and kind.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: ClientType) -> Self {
        Self {
            name: name.into(),
            kind,
            callbacks: Vec::new(),
            logout_urls: Vec::new(),
            web_origins: Vec::new(),
            grants: Vec::new(),
            auth_method: None,
            apis: Vec::new(),
            disabled: false,
            client_id: None,
            client_secret: None,
        }
    }
}

/// What to change of an application; an empty change changes nothing. A list replaces the whole list.
#[derive(Debug, Clone, Default)]
pub struct ApplicationChange {
    /// Another name.
    pub name: Option<String>,
    /// Where a login may return to.
    pub callbacks: Option<Vec<String>>,
    /// Where a logout may lead.
    pub logout_urls: Option<Vec<String>>,
    /// Origins of its pages.
    pub web_origins: Option<Vec<String>>,
    /// The grants that it may use.
    pub grants: Option<Vec<GrantType>>,
    /// How it authenticates.
    pub auth_method: Option<AuthMethod>,
    /// What it may ask for itself.
    pub apis: Option<Vec<ApiAccess>>,
    /// Switched off: it gets no more tokens.
    pub disabled: Option<bool>,
}

/// Random bytes for one application.
#[derive(Clone)]
pub struct Fresh {
    /// Becomes the identifier.
    pub id: [u8; CLIENT_ID_LENGTH],
    /// Becomes the secret.
    pub secret: [u8; 32],
}

/// An application, to show. It never has a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApplicationView {
    /// Its identifier.
    pub client_id: String,
    /// Its name.
    pub name: String,
    /// What kind of program it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// How it authenticates.
    pub auth_method: String,
    /// The grants that it may use.
    pub grants: Vec<String>,
    /// Where a login may return to.
    pub callbacks: Vec<String>,
    /// Where a logout may lead.
    pub logout_urls: Vec<String>,
    /// Origins of its pages.
    pub web_origins: Vec<String>,
    /// What it may ask for itself.
    pub apis: Vec<ApiAccess>,
    /// Switched off.
    pub disabled: bool,
    /// Unix seconds.
    pub created_at: i64,
}

/// An application that was just made, with its secret, which is shown this once.
#[derive(Debug, Serialize)]
pub struct Created {
    /// The application.
    #[serde(flatten)]
    pub application: ApplicationView,
    /// Its secret; null for a public application, and for one whose secret was given.
    #[serde(serialize_with = "shown_once_if_any")]
    pub client_secret: Option<SecretString>,
}

/// A new secret, which is shown this once. The old one is dead.
#[derive(Debug, Serialize)]
pub struct Rotated {
    /// The application.
    pub client_id: String,
    /// Its new secret.
    #[serde(serialize_with = "shown_once")]
    pub client_secret: SecretString,
}

fn view((row, grants): (ClientRow, Vec<ClientGrant>)) -> ApplicationView {
    ApplicationView {
        client_id: row.id,
        name: row.name,
        kind: row.kind,
        auth_method: row.auth_method,
        grants: row.grants,
        callbacks: row.callbacks,
        logout_urls: row.logout_urls,
        web_origins: row.web_origins,
        apis: grants
            .into_iter()
            .map(|grant| ApiAccess { api: grant.audience, scopes: grant.scopes })
            .collect(),
        disabled: row.disabled,
        created_at: row.created_at,
    }
}

/// Stores a new application of this draft.
pub(crate) async fn insert(store: &Store, draft: &Draft, now: i64, fresh: Fresh) -> Result<Created, Error> {
    let id = draft.client_id.clone().unwrap_or_else(|| new_client_id(fresh.id));
    let (digest, client_secret) = match (draft.auth_method, draft.digest) {
        (AuthMethod::None, _) => (None, None),
        (_, Some(given)) => (Some(given), None),
        (_, None) => {
            let secret = OneTimeSecret::new(fresh.secret);
            (Some(secret.digest()), Some(secret.reveal()))
        }
    };
    let row = draft.row(id, digest.map(|digest| digest.as_bytes().to_vec()), now);
    store.upsert_client(&row, &draft.apis, now).await?;
    Ok(Created { application: view((row, draft.apis.clone())), client_secret })
}

/// Makes an application.
///
/// # Errors
/// When name or identifier is taken, a rule is broken, an API or scope does not exist, or the store fails.
pub async fn create(
    store: &Store,
    application: &NewApplication,
    now: i64,
    fresh: Fresh,
) -> Result<Created, Error> {
    let draft = validate(application, &store.apis().await?)?;
    if store.client_by_name(&draft.name).await?.is_some() {
        return Err(Error::Exists { kind: "application", name: draft.name });
    }
    if let Some(id) = &draft.client_id
        && store.client(id).await?.is_some()
    {
        return Err(Error::Exists { kind: "application", name: id.clone() });
    }
    insert(store, &draft, now, fresh).await
}

/// Every application.
///
/// # Errors
/// When the store fails.
pub async fn list(store: &Store) -> Result<Vec<ApplicationView>, Error> {
    Ok(store.clients().await?.into_iter().map(view).collect())
}

/// One application, by identifier or name.
///
/// # Errors
/// When there is none, or the store fails.
pub async fn show(store: &Store, id_or_name: &str) -> Result<ApplicationView, Error> {
    find(store, id_or_name).await.map(view)
}

/// Changes an application.
///
/// # Errors
/// When there is none, the new name is taken, a rule is broken, an API or scope does not exist, or the store fails.
pub async fn update(
    store: &Store,
    id_or_name: &str,
    change: &ApplicationChange,
    now: i64,
) -> Result<ApplicationView, Error> {
    let (row, access) = find(store, id_or_name).await?;
    let unreadable = |column: &str| store::Fault::Unreadable(format!("clients.{column} of {}", row.id));
    let kind = ClientType::parse(&row.kind).ok_or_else(|| unreadable("kind"))?;
    let auth_method = AuthMethod::parse(&row.auth_method).ok_or_else(|| unreadable("auth_method"))?;
    let grants = row.grants.iter().map(|grant| GrantType::parse(grant)).collect::<Option<Vec<_>>>();
    let present_access =
        || access.iter().map(|grant| ApiAccess { api: grant.audience.clone(), scopes: grant.scopes.clone() });
    let application = NewApplication {
        callbacks: change.callbacks.clone().unwrap_or_else(|| row.callbacks.clone()),
        logout_urls: change.logout_urls.clone().unwrap_or_else(|| row.logout_urls.clone()),
        web_origins: change.web_origins.clone().unwrap_or_else(|| row.web_origins.clone()),
        grants: change.grants.clone().or(grants).ok_or_else(|| unreadable("grants"))?,
        auth_method: Some(change.auth_method.unwrap_or(auth_method)),
        apis: change.apis.clone().unwrap_or_else(|| present_access().collect()),
        disabled: change.disabled.unwrap_or(row.disabled),
        ..NewApplication::new(change.name.clone().unwrap_or_else(|| row.name.clone()), kind)
    };
    let draft = validate(&application, &store.apis().await?)?;
    let namesake = store.client_by_name(&draft.name).await?;
    if namesake.is_some_and(|(other, _)| other.id != row.id) {
        return Err(Error::Exists { kind: "application", name: draft.name });
    }
    // Without a secret, the stored one stays: another may have rotated it since the read.
    let row = draft.row(row.id, None, row.created_at);
    store.upsert_client(&row, &draft.apis, now).await?;
    Ok(view((row, draft.apis)))
}

/// Gives an application a new secret of 32 fresh random bytes.
///
/// # Errors
/// When there is none, it is public, or the store fails.
pub async fn rotate_secret(
    store: &Store,
    id_or_name: &str,
    now: i64,
    fresh: [u8; 32],
) -> Result<Rotated, Error> {
    let (row, _) = find(store, id_or_name).await?;
    if row.auth_method == AuthMethod::None.as_str() {
        return Err(Error::invalid(
            format!("client secret of application {}", row.name),
            "a public application has none",
        ));
    }
    let secret = OneTimeSecret::new(fresh);
    store.set_client_secret(&row.id, secret.digest().as_bytes(), now).await?;
    Ok(Rotated { client_id: row.id, client_secret: secret.reveal() })
}

/// Deletes an application, and ends the sessions that it began.
///
/// # Errors
/// When there is none, or the store fails.
pub async fn delete(store: &Store, id_or_name: &str, now: i64) -> Result<(), Error> {
    let (row, _) = find(store, id_or_name).await?;
    store.delete_client(&row.id, now).await?;
    Ok(())
}

async fn find(store: &Store, id_or_name: &str) -> Result<(ClientRow, Vec<ClientGrant>), Error> {
    if let Some(found) = store.client(id_or_name).await? {
        return Ok(found);
    }
    if let Some(found) = store.client_by_name(id_or_name).await? {
        return Ok(found);
    }
    let known = store.clients().await?.into_iter().map(|(row, _)| row.name).collect();
    Err(Error::Unknown { kind: "application", name: id_or_name.to_owned(), known })
}
