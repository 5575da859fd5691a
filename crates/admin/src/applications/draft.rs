//! Checking an application before it is stored.

use oauth::client::{AuthMethod, ClientType, GrantType};
use oauth::one_time_secret::Digest;
use secrecy::ExposeSecret;
use store::{ClientGrant, ClientRow};

use super::{ApiAccess, NewApplication};
use crate::{Error, apis, uri};

/// Shortest secret that is taken from a file, in bytes: it is stored under a fast hash, so it must be beyond guessing.
const SHORTEST_SECRET: usize = 32;
/// Names that mean something in tokens besides a registered application.
const RESERVED_IDS: [&str; 1] = ["session"];

/// A checked application: what will be stored, but for identifier, secret and date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) kind: ClientType,
    pub(crate) auth_method: AuthMethod,
    pub(crate) grants: Vec<String>,
    pub(crate) callbacks: Vec<String>,
    pub(crate) logout_urls: Vec<String>,
    pub(crate) web_origins: Vec<String>,
    pub(crate) apis: Vec<ClientGrant>,
    pub(crate) disabled: bool,
    pub(crate) client_id: Option<String>,
    pub(crate) digest: Option<Digest>,
}

impl Draft {
    pub(crate) fn row(&self, id: String, secret_digest: Option<Vec<u8>>, created_at: i64) -> ClientRow {
        ClientRow {
            id,
            name: self.name.clone(),
            kind: self.kind.as_str().to_owned(),
            secret_digest,
            auth_method: self.auth_method.as_str().to_owned(),
            grants: self.grants.clone(),
            callbacks: self.callbacks.clone(),
            logout_urls: self.logout_urls.clone(),
            web_origins: self.web_origins.clone(),
            disabled: self.disabled,
            created_at,
        }
    }
}

/// Checks an application against the APIs. Lists come out sorted and each entry once, so that equal ones compare equal.
pub(crate) fn validate(application: &NewApplication, apis: &[store::Api]) -> Result<Draft, Error> {
    let of = |what: &str| format!("{what} of application {}", application.name);
    if application.name.trim().is_empty() || application.name.chars().any(char::is_control) {
        return Err(Error::invalid("application name", "must not be empty and have no control characters"));
    }
    if let Some(id) = &application.client_id {
        check_client_id(id)?;
    }
    let native = application.kind == ClientType::Native;
    application.callbacks.iter().try_for_each(|url| uri::callback(&of("callback"), url, native))?;
    application.logout_urls.iter().try_for_each(|url| uri::callback(&of("logout url"), url, native))?;
    application.web_origins.iter().try_for_each(|origin| uri::origin(&of("web origin"), origin))?;

    let public = application.kind.is_public();
    let auth_method = application.auth_method.unwrap_or_else(|| application.kind.default_auth_method());
    if public != (auth_method == AuthMethod::None) {
        let why = if public {
            "must be none: its code is in the hands of its users, who would read a secret"
        } else {
            "must be client_secret_post or client_secret_basic"
        };
        return Err(Error::invalid(of("auth method"), why));
    }
    if public && application.client_secret.is_some() {
        return Err(Error::invalid(of("client secret"), "a public application has none"));
    }
    if application.client_secret.as_ref().is_some_and(|secret| secret.expose_secret().len() < SHORTEST_SECRET)
    {
        return Err(Error::invalid(
            of("client secret"),
            "must have at least 32 characters, all of them random",
        ));
    }
    let grants = match application.grants.as_slice() {
        [] => application.kind.default_grants(),
        given => given,
    };
    if public && grants.contains(&GrantType::ClientCredentials) {
        return Err(Error::invalid(
            of("grant client_credentials"),
            "needs a secret; make it non_interactive or regular_web",
        ));
    }
    if !application.apis.is_empty() && !grants.contains(&GrantType::ClientCredentials) {
        return Err(Error::invalid(
            of("api"),
            "is for client_credentials, which this application may not use; add the grant, or leave out the api",
        ));
    }
    let mut access: Vec<ClientGrant> = Vec::new();
    for ApiAccess { api, scopes } in &application.apis {
        apis::must_define(apis, api, scopes)?;
        if access.iter().any(|earlier| earlier.audience == *api) {
            return Err(Error::invalid(of("api"), format!("{api} is there twice; put its scopes together")));
        }
        access.push(ClientGrant { audience: api.clone(), scopes: sorted(scopes) });
    }
    access.sort_by(|one, other| one.audience.cmp(&other.audience));
    let grants: Vec<String> = grants.iter().map(|grant| grant.as_str().to_owned()).collect();
    Ok(Draft {
        name: application.name.clone(),
        kind: application.kind,
        auth_method,
        grants: sorted(&grants),
        callbacks: sorted(&application.callbacks),
        logout_urls: sorted(&application.logout_urls),
        web_origins: sorted(&application.web_origins),
        apis: access,
        disabled: application.disabled,
        client_id: application.client_id.clone(),
        digest: application.client_secret.as_ref().map(|secret| Digest::of(secret.expose_secret())),
    })
}

/// An identifier of one's choice cannot be taken for a user's, nor for a built-in client's.
fn check_client_id(id: &str) -> Result<(), Error> {
    let plain = (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !plain || id.starts_with(accounts::user::USER_ID_PREFIX) || RESERVED_IDS.contains(&id) {
        return Err(Error::invalid(
            format!("client_id {id}"),
            "must have 1 to 64 letters, digits, - and _, not begin with usr_, and not be session",
        ));
    }
    Ok(())
}

pub(crate) fn sorted(texts: &[String]) -> Vec<String> {
    let mut texts = texts.to_vec();
    texts.sort();
    texts.dedup();
    texts
}
