//! The session API in the same process: paths that identity answers, before the table of the backend's rules.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use policy::NormalPath;

use crate::body::{AnswerBody, SessionBody};
use crate::headers::{self, RequestRules};
use crate::pipeline::{Exchange, Notes};
use crate::problem::Problem;

/// The answer, when it is ready.
pub type SessionFuture = Pin<Box<dyn Future<Output = Response<SessionBody>> + Send>>;
/// Another room's router.
pub type SessionService = Arc<dyn Fn(Request<Incoming>) -> SessionFuture + Send + Sync>;

/// Paths that are answered in this process, by a service that the binary fills in.
///
/// The service gets the request with the normal path, the client's own Authorization, `X-Request-Id`, the client's
/// address as an [`IpAddr`] among the extensions and alone in `X-Forwarded-For`, and none of the headers that only the
/// gateway may set. It checks the caller and answers preflights itself; a foreign origin with an unsafe method does not
/// reach it.
#[derive(Clone)]
pub struct SessionApi {
    /// Exact paths, such as `/users/session`; one that ends in `/...` stands for everything below it.
    pub paths: Vec<String>,
    /// Who answers.
    pub service: SessionService,
}

impl fmt::Debug for SessionApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionApi").field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl SessionApi {
    /// Whether this path is answered here.
    #[must_use]
    pub fn serves(&self, path: &NormalPath) -> bool {
        let path = path.decoded();
        self.paths.iter().any(|served| match served.strip_suffix("/...") {
            Some(root) => path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/')),
            None => path == served,
        })
    }
}

pub(crate) async fn answer<'s>(
    exchange: &Exchange<'s>,
    session: &SessionApi,
    mut request: Request<Incoming>,
    path: &NormalPath,
    notes: &mut Notes<'s>,
) -> Result<Response<AnswerBody>, Problem> {
    notes.reason = "session";
    let trusted = &exchange.snapshot.config.trusted_proxies;
    let address = exchange.visit.client_address(request.headers(), trusted);
    let client = exchange.visit.client(request.headers(), trusted);
    *request.uri_mut() = path
        .target()
        .parse::<Uri>()
        .map_err(|_| Problem::bad_request("malformed_request", "the request target cannot be read"))?;
    let key_header = exchange.snapshot.api_keys.as_ref().map(|keys| &keys.header);
    headers::clean_request(request.headers_mut(), RequestRules { key_header, forward_token: true });
    request.headers_mut().insert(headers::FORWARDED_FOR, client);
    request.headers_mut().insert(headers::REQUEST_ID, exchange.request_id.clone());
    request.extensions_mut().insert::<IpAddr>(address);
    let mut answer = (session.service)(request).await;
    headers::clean_hop_by_hop(answer.headers_mut());
    Ok(answer.map(AnswerBody::Session))
}
