//! `POST /oauth/token` (RFC 6749 section 3.2): the client credentials grant.
//!
//! A token costs no read and no write of the store: clients and APIs are remembered, the token has no row. Only a wrong secret writes, to
//! be counted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use accounts::throttle::{self, Bucket};
use axum::extract::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, PRAGMA};
use oauth::client::{GrantType, authenticate};
use oauth::client_credentials::{self, Issuer};
use oauth::error::{ErrorCode, OAuthError};
use oauth::token_request::TokenRequest;

use crate::client_address::client_address;
use crate::respond::{self, Answer, Refusal};
use crate::{Identity, body};

/// `POST /oauth/token`.
pub(crate) async fn token(identity: Identity, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let body = body::read(&parts.headers, body).await?;
    let request = TokenRequest::parse(
        at_most_one(&parts.headers, &CONTENT_TYPE)?.unwrap_or_default(),
        &body,
        at_most_one(&parts.headers, &AUTHORIZATION)?,
    )?;

    let inner = &identity.inner;
    let address = client_address(&parts.extensions, &parts.headers, &inner.config.trusted_proxies);
    let now = inner.clock.now();
    if let Some(seconds) = inner.secret_gate.closed(&request.client.client_id, address, now) {
        return Err(too_many(seconds));
    }
    let registered = identity.client(&request.client.client_id).await?;
    let client = match authenticate(&request.client, registered.as_deref()) {
        Ok(client) => client,
        Err(error) => return Err(failed(&identity, &request.client.client_id, address, error).await?),
    };

    let issued = match request.grant {
        GrantType::ClientCredentials => {
            let audience = client_credentials::audience(&request, &client)?;
            let api = identity.api(audience).await?;
            let issuer = Issuer {
                url: &inner.config.issuer,
                access_token_lifetime: inner.config.access_token_lifetime,
            };
            client_credentials::decide(&request, &client, api.as_deref(), &issuer, now, inner.fresh.bytes()?)?
        }
        // Not among `GrantType::SERVED`, so parsing has refused them.
        GrantType::AuthorizationCode | GrantType::RefreshToken => {
            return Err(
                OAuthError::new(ErrorCode::UnsupportedGrantType, "this grant_type is not supported").into()
            );
        }
    };

    let token = identity.sign(&issued.claims, now)?;
    let mut answer = respond::ok(&issued.response(&token));
    answer.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    Ok(answer)
}

fn at_most_one<'a>(headers: &'a http::HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, OAuthError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(OAuthError::invalid_request(format!("the header {name} comes twice")));
    }
    value
        .to_str()
        .map(Some)
        .map_err(|_| OAuthError::invalid_request(format!("the header {name} is not ASCII")))
}

fn too_many(seconds: i64) -> Refusal {
    let error = OAuthError::new(
        ErrorCode::TooManyAttempts,
        "too many wrong client secrets: wait as long as Retry-After says",
    );
    Refusal::OAuth(Box::new(error), Some(seconds))
}

/// Counts a failure. Which of the reasons it was shows neither in the answer nor in what is counted.
async fn failed(
    identity: &Identity,
    client_id: &str,
    address: IpAddr,
    error: OAuthError,
) -> Result<Refusal, Refusal> {
    tracing::info!(target: "security", event = "client_authentication_failed", client = %printable(client_id));
    for bucket in throttle::client_secret(client_id, address) {
        if let Some(seconds) = identity.take(std::slice::from_ref(&bucket)).await? {
            let now = identity.inner.clock.now();
            identity.inner.secret_gate.close(&bucket, now.saturating_add(seconds), now);
            return Ok(too_many(seconds));
        }
    }
    Ok(error.into())
}

/// What a stranger sent as an id, fit for a log.
fn printable(id: &str) -> String {
    id.chars().filter(char::is_ascii_graphic).take(64).collect()
}

/// Buckets of wrong secrets that the store has found empty, until when: so that a success needs no look at the store. Another
/// node learns of it at its own next failure; the counting is the store's.
#[derive(Debug, Default)]
pub(crate) struct SecretGate {
    closed: Mutex<HashMap<String, i64>>,
}

/// Closed buckets at most. Each costs its maker a hundred requests and more.
const CLOSED: usize = 10_000;

impl SecretGate {
    /// The seconds to wait, where one of this client's buckets is closed.
    fn closed(&self, client_id: &str, address: IpAddr, now: i64) -> Option<i64> {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if closed.is_empty() {
            return None;
        }
        closed.retain(|_, until| now < *until);
        throttle::client_secret(client_id, address)
            .iter()
            .filter_map(|bucket| closed.get(&bucket.key))
            .map(|until| until - now)
            .max()
    }

    fn close(&self, bucket: &Bucket, until: i64, now: i64) {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if closed.len() >= CLOSED {
            closed.retain(|_, until| now < *until);
        }
        if closed.len() < CLOSED {
            closed.insert(bucket.key.clone(), until);
        }
    }
}
