//! APIs (resource servers): an identifier, which is the audience of its tokens, and the scopes that it defines.

use policy::Scope;
use serde::Serialize;
use store::Store;

use crate::{Error, uri};

/// Longest lifetime of an access token in seconds: a day. What nodes remember of revocations is kept for that long.
pub const MAXIMUM_TOKEN_LIFETIME: i64 = 86_400;

/// The algorithm of an API's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SigningAlg {
    /// RSA with SHA-256: what every SDK knows.
    #[default]
    Rs256,
    /// ECDSA on P-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl SigningAlg {
    /// Reads the registered name (RFC 7518 section 3.1, RFC 8037).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Rs256, Self::Es256, Self::EdDsa].into_iter().find(|algorithm| algorithm.as_str() == text)
    }

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A scope to define.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewScope {
    /// `read:orders`.
    pub name: String,
    /// For people; may be empty.
    pub description: String,
}

/// An API to make.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewApi {
    /// A URI: the `aud` of its tokens.
    pub identifier: String,
    /// For people; the identifier where there is none.
    pub name: Option<String>,
    /// In the order that they are shown.
    pub scopes: Vec<NewScope>,
    /// How its tokens are signed.
    pub signing_alg: SigningAlg,
    /// Seconds that its tokens live; none for the issuer's `access_token_lifetime`.
    pub token_lifetime: Option<i64>,
}

/// What to change of an API; an empty change changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApiChange {
    /// Another name.
    pub name: Option<String>,
    /// Scopes to define besides.
    pub add_scopes: Vec<NewScope>,
    /// Scopes to take away, from roles and applications too.
    pub remove_scopes: Vec<String>,
    /// Another algorithm.
    pub signing_alg: Option<SigningAlg>,
    /// Another lifetime, or none of its own.
    pub token_lifetime: Option<Option<i64>>,
}

/// An API, to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiView {
    /// The `aud` of its tokens.
    pub identifier: String,
    /// For people.
    pub name: String,
    /// What it defines.
    pub scopes: Vec<ScopeView>,
    /// How its tokens are signed.
    pub signing_alg: String,
    /// Seconds; null for the issuer's.
    pub token_lifetime: Option<i64>,
    /// What to know before relying on it.
    pub warnings: Vec<String>,
}

/// A scope, to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScopeView {
    /// `read:orders`.
    pub name: String,
    /// For people.
    pub description: String,
}

impl From<store::Api> for ApiView {
    fn from(api: store::Api) -> Self {
        let mut warnings = Vec::new();
        if api.signing_alg != SigningAlg::Rs256.as_str() {
            // True as long as the issuer has RSA keys alone; the choice is kept for when it has others.
            warnings.push(format!(
                "{} is recorded, but the issuer signs with RS256 alone today; once it has such a key, auth0-python \
                 refuses the key set whole",
                api.signing_alg
            ));
        }
        let scopes = api
            .scopes
            .into_iter()
            .map(|scope| ScopeView { name: scope.value, description: scope.description })
            .collect();
        Self {
            identifier: api.identifier,
            name: api.name,
            scopes,
            signing_alg: api.signing_alg,
            token_lifetime: api.token_lifetime,
            warnings,
        }
    }
}

/// Checks an API, and gives the row to store.
pub(crate) fn validate(api: &NewApi) -> Result<store::Api, Error> {
    uri::identifier(&api.identifier)?;
    let of = |what: &str| format!("{what} of api {}", api.identifier);
    let mut scopes: Vec<store::ApiScope> = Vec::new();
    for scope in &api.scopes {
        Scope::parse(&scope.name).map_err(|error| Error::invalid(of("scope"), error.to_string()))?;
        if scopes.iter().any(|earlier| earlier.value == scope.name) {
            return Err(Error::invalid(of("scope"), format!("{} is there twice", scope.name)));
        }
        scopes.push(store::ApiScope { value: scope.name.clone(), description: scope.description.clone() });
    }
    if api.token_lifetime.is_some_and(|seconds| !(1..=MAXIMUM_TOKEN_LIFETIME).contains(&seconds)) {
        return Err(Error::invalid(
            of("token_lifetime"),
            "must be between 1s and 24h: a token cannot be taken back everywhere, and revocations are kept for a day",
        ));
    }
    Ok(store::Api {
        identifier: api.identifier.clone(),
        name: api.name.clone().unwrap_or_else(|| api.identifier.clone()),
        scopes,
        signing_alg: api.signing_alg.as_str().to_owned(),
        token_lifetime: api.token_lifetime,
    })
}

/// Checks that an API exists and defines all of these scopes.
pub(crate) fn must_define(apis: &[store::Api], audience: &str, scopes: &[String]) -> Result<(), Error> {
    let known = || apis.iter().map(|api| api.identifier.clone()).collect();
    let api = apis.iter().find(|api| api.identifier == audience).ok_or_else(|| Error::Unknown {
        kind: "api",
        name: audience.to_owned(),
        known: known(),
    })?;
    match scopes.iter().find(|scope| !api.scopes.iter().any(|known| known.value == **scope)) {
        None => Ok(()),
        Some(scope) => Err(Error::UnknownScope {
            api: audience.to_owned(),
            scope: scope.clone(),
            known: api.scopes.iter().map(|scope| scope.value.clone()).collect(),
        }),
    }
}

/// Makes an API.
///
/// # Errors
/// When it exists, breaks a rule, or the store fails.
pub async fn create(store: &Store, api: &NewApi, now: i64) -> Result<ApiView, Error> {
    let row = validate(api)?;
    if store.api(&row.identifier).await?.is_some() {
        return Err(Error::Exists { kind: "api", name: row.identifier });
    }
    store.upsert_api(&row, now).await?;
    Ok(row.into())
}

/// Every API.
///
/// # Errors
/// When the store fails.
pub async fn list(store: &Store) -> Result<Vec<ApiView>, Error> {
    Ok(store.apis().await?.into_iter().map(ApiView::from).collect())
}

/// One API.
///
/// # Errors
/// When there is none of that identifier, or the store fails.
pub async fn show(store: &Store, identifier: &str) -> Result<ApiView, Error> {
    find(store, identifier).await.map(ApiView::from)
}

/// Changes an API. A scope that goes is taken from every role and application.
///
/// # Errors
/// When there is none, a rule is broken, or the store fails.
pub async fn update(store: &Store, identifier: &str, change: &ApiChange, now: i64) -> Result<ApiView, Error> {
    let present = find(store, identifier).await?;
    must_define(std::slice::from_ref(&present), identifier, &change.remove_scopes)?;
    let mut scopes: Vec<NewScope> = present
        .scopes
        .iter()
        .filter(|scope| !change.remove_scopes.contains(&scope.value))
        .map(|scope| NewScope { name: scope.value.clone(), description: scope.description.clone() })
        .collect();
    scopes.extend(change.add_scopes.iter().cloned());
    let row = validate(&NewApi {
        identifier: present.identifier,
        name: Some(change.name.clone().unwrap_or(present.name)),
        scopes,
        signing_alg: change
            .signing_alg
            .or_else(|| SigningAlg::parse(&present.signing_alg))
            .unwrap_or_default(),
        token_lifetime: change.token_lifetime.unwrap_or(present.token_lifetime),
    })?;
    store.upsert_api(&row, now).await?;
    Ok(row.into())
}

/// Deletes an API, with what roles and applications may do there.
///
/// # Errors
/// When there is none, or the store fails.
pub async fn delete(store: &Store, identifier: &str, now: i64) -> Result<(), Error> {
    if store.delete_api(identifier, now).await? {
        return Ok(());
    }
    find(store, identifier).await.map(|_| ())
}

async fn find(store: &Store, identifier: &str) -> Result<store::Api, Error> {
    if let Some(api) = store.api(identifier).await? {
        return Ok(api);
    }
    let known = store.apis().await?.into_iter().map(|api| api.identifier).collect();
    Err(Error::Unknown { kind: "api", name: identifier.to_owned(), known })
}
