//! The issuer's metadata (RFC 8414, OpenID Connect Discovery): from configuration and store, never from a header of the request.

use axum::extract::Request;
use oauth::metadata::{Facts, document};
use policy::ScopeSet;

use crate::Identity;
use crate::respond::{self, Answer};

/// `GET /.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`.
pub(crate) async fn metadata(identity: Identity, _: Request) -> Answer {
    let inner = &identity.inner;
    let apis = inner.store.apis().await?;
    let scopes: Vec<&str> =
        apis.iter().flat_map(|api| api.scopes.iter()).map(|scope| scope.value.as_str()).collect();
    let scopes = ScopeSet::granted(&scopes.join(" "));
    let now = inner.clock.now();
    let algorithm = inner.keys.load().signing(now)?.algorithm().as_str();
    let facts = Facts { issuer: &inner.config.issuer, scopes: &scopes, signing_algorithms: &[algorithm] };
    let mut answer = respond::ok(&document(&facts));
    crate::jwks::cacheable(answer.headers_mut());
    Ok(answer)
}
