//! The client credentials grant: a token that a client gets for itself (RFC 6749 section 4.4).

use policy::ScopeSet;
use serde_json::{Value, json};

use crate::access_token::{AccessToken, Subject};
use crate::client::{ApiGrant, AuthenticatedClient, GrantType};
use crate::error::{ErrorCode, OAuthError};
use crate::token_request::TokenRequest;

/// What the issuer puts into every token.
#[derive(Debug, Clone, Copy)]
pub struct Issuer<'a> {
    /// `iss`; ends in `/`.
    pub url: &'a str,
    /// Seconds that a token lives where its API does not say otherwise.
    pub access_token_lifetime: i64,
}

/// The facts of the API that a token is for, as they were loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// `aud`.
    pub identifier: String,
    /// The scopes that it defines: one that was taken away is granted no more.
    pub scopes: ScopeSet,
    /// Seconds that its tokens live, where it says so.
    pub token_lifetime: Option<i64>,
}

/// A token that may be signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Issued {
    /// The claims.
    pub claims: Value,
    /// Seconds that it lives.
    pub expires_in: i64,
    /// What it allows.
    pub scope: ScopeSet,
}

impl Issued {
    /// The body of the answer (RFC 6749 section 5.1). `scope` always stands, also where it is what was asked: SDKs read it.
    /// There is no refresh token (section 4.4.3).
    #[must_use]
    pub fn response(&self, access_token: &str) -> Value {
        json!({
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "scope": self.scope.to_string(),
        })
    }
}

/// Which API the request means: the one it names, or the only one that the client may use. To be loaded before [`decide`].
///
/// # Errors
/// `unauthorized_client` where the client may not use this grant, or no API; `invalid_target` (RFC 8707 section 2) for an API that is unknown or
/// not granted, told alike; `invalid_request` where the client must say which.
pub fn audience<'a>(request: &TokenRequest, client: &AuthenticatedClient<'a>) -> Result<&'a str, OAuthError> {
    grant(request, client).map(|grant| grant.audience.as_str())
}

fn grant<'a>(request: &TokenRequest, client: &AuthenticatedClient<'a>) -> Result<&'a ApiGrant, OAuthError> {
    let unauthorized = |why: &str| OAuthError::new(ErrorCode::UnauthorizedClient, why);
    let registered = client.client();
    // Section 4.4: only confidential clients.
    if !client.is_confidential() || !registered.grants.contains(&GrantType::ClientCredentials) {
        return Err(unauthorized("this client may not use client_credentials"));
    }
    match (&request.audience, registered.api_grants.as_slice()) {
        (_, []) => Err(unauthorized("this client may use no API; grant it one")),
        (None, [only]) => Ok(only),
        (None, _) => {
            Err(OAuthError::invalid_request("audience is missing; this client may use more than one API"))
        }
        (Some(audience), grants) => {
            grants.iter().find(|grant| grant.audience == *audience).ok_or_else(|| {
                OAuthError::new(ErrorCode::InvalidTarget, "this client may not use that audience")
            })
        }
    }
}

/// Decides on the token. `api` is the one that [`audience`] named, or `None` where it is gone; `fresh` becomes its `jti`.
///
/// # Errors
/// Those of [`audience`], and `invalid_scope` where a scope is malformed or more than was granted.
pub fn decide(
    request: &TokenRequest,
    client: &AuthenticatedClient<'_>,
    api: Option<&Api>,
    issuer: &Issuer<'_>,
    now: i64,
    fresh: [u8; 16],
) -> Result<Issued, OAuthError> {
    let grant = grant(request, client)?;
    let api = api
        .filter(|api| api.identifier == grant.audience)
        .ok_or_else(|| OAuthError::new(ErrorCode::InvalidTarget, "this client may not use that audience"))?;
    let granted = grant.scopes.intersection(&api.scopes);
    let scope = narrow(&granted, request.scope.as_deref())?;
    let expires_in = api.token_lifetime.unwrap_or(issuer.access_token_lifetime);
    let token = AccessToken {
        issuer: issuer.url,
        audience: &grant.audience,
        client_id: &client.client().id,
        subject: Subject::Client,
        scope: &scope,
        lifetime: expires_in,
    };
    Ok(Issued { claims: token.claims(now, fresh), expires_in, scope })
}

/// The scopes that are asked for, which must all be granted; all that is granted where none is asked for (RFC 6749 section 3.3).
///
/// # Errors
/// `invalid_scope`, naming what is not granted.
pub fn narrow(granted: &ScopeSet, asked: Option<&str>) -> Result<ScopeSet, OAuthError> {
    let Some(asked) = asked else { return Ok(granted.clone()) };
    let asked = ScopeSet::parse(asked)
        .map_err(|_| OAuthError::new(ErrorCode::InvalidScope, "scope has a character that is not allowed"))?;
    if asked.is_empty() {
        return Ok(granted.clone());
    }
    let missing = asked.difference(granted);
    if missing.is_empty() {
        Ok(asked)
    } else {
        Err(OAuthError::new(ErrorCode::InvalidScope, format!("not granted: {missing}")))
    }
}
