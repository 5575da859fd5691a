//! `GET /.well-known/jwks.json` (RFC 7517 section 5). RSA keys alone: one key of another type breaks SDKs that parse each as RSA.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::Identity;
use crate::respond::Answer;

/// Seconds that the key set may be cached. A new key is published far longer before it signs.
pub(crate) const MAXIMUM_AGE: u32 = 300;

/// `GET /.well-known/jwks.json`.
pub(crate) async fn jwks(identity: Identity, _: Request) -> Answer {
    let published = identity.inner.keys.load().published(identity.inner.clock.now());
    let mut answer = Response::new(Body::from(published.json.clone()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    cacheable(headers);
    Ok(answer)
}

/// What is public and may be kept for a while.
pub(crate) fn cacheable(headers: &mut http::HeaderMap) {
    if let Ok(value) = HeaderValue::from_str(&format!("public, max-age={MAXIMUM_AGE}")) {
        headers.insert(CACHE_CONTROL, value);
    }
}
