//! The way to the backend. It takes a permit by value, and only `policy::authorize` can make one.

use std::error::Error as _;
use std::io;
use std::pin::pin;
use std::time::Duration;

use http::header::{CONNECTION, HOST, HeaderName, HeaderValue, UPGRADE, VIA};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Request, Response, StatusCode, Uri, Version};
use hyper::body::{Body as _, Incoming};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use policy::Permit;

use crate::body::{AnswerBody, RequestBody, Upload, UploadEnd};
use crate::caller::Known;
use crate::config::{ConfigError, Timeouts};
use crate::fetch;
use crate::headers::{self, RequestRules};
use crate::problem::Problem;
use crate::tunnel::Ends;

/// Shorter than what common backends allow an idle connection (Node: 5 s): a connection that is closing just then would
/// cost a request.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// Why a request may pass.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Passage<'p> {
    /// Policy gave its permit.
    Permitted(#[expect(dead_code, reason = "that it exists is all that is asked of it")] Permit<'p>),
    /// Observe mode: it would have been denied.
    Observed,
}

/// The pool of connections to the backend; one for each runtime, since connections belong to the one they began on.
#[derive(Debug, Clone)]
pub(crate) enum Backend {
    Plain(Client<HttpConnector, RequestBody>),
    Tls(Client<HttpsConnector<HttpConnector>, RequestBody>),
}

impl Backend {
    /// A pool for `upstream`.
    ///
    /// # Errors
    /// When it is https and the system has no certificate authorities.
    pub(crate) fn new(upstream: &Uri, connect: Duration) -> Result<Self, ConfigError> {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.set_connect_timeout(Some(connect));
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .pool_idle_timeout(POOL_IDLE)
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(512)
            .set_host(false);
        // A plain pool refuses https: a reload that turns to it must not send requests in the clear.
        Ok(if upstream.scheme() == Some(&Scheme::HTTPS) {
            http.enforce_http(false);
            Self::Tls(builder.build(fetch::connector(http)?))
        } else {
            Self::Plain(builder.build(http))
        })
    }

    fn send(&self, request: Request<RequestBody>) -> ResponseFuture {
        match self {
            Self::Plain(client) => client.request(request),
            Self::Tls(client) => client.request(request),
        }
    }
}

/// Where requests go, with the values that each of them needs.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
}

impl Upstream {
    /// Reads the configured address.
    ///
    /// # Errors
    /// When it is not an origin.
    pub(crate) fn new(uri: &Uri) -> Result<Self, ConfigError> {
        let wrong = || ConfigError::Upstream(uri.to_string());
        let scheme =
            uri.scheme().filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme)).ok_or_else(wrong)?;
        let authority =
            uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(wrong());
        }
        Ok(Self {
            scheme: scheme.clone(),
            authority: authority.clone(),
            host: HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?,
        })
    }

    fn address(&self, target: PathAndQuery) -> Option<Uri> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target);
        Uri::from_parts(parts).ok()
    }
}

/// What the gateway says about a request.
#[derive(Debug)]
pub(crate) struct Vouched<'a> {
    pub(crate) known: Option<&'a Known>,
    pub(crate) request_id: &'a HeaderValue,
    /// The client's Host.
    pub(crate) host: &'a HeaderValue,
    pub(crate) client: HeaderValue,
    pub(crate) https: bool,
}

/// How a request is to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) upstream: &'a Upstream,
    pub(crate) rules: RequestRules<'a>,
    pub(crate) maximum_body: Option<u64>,
    pub(crate) timeouts: &'a Timeouts,
}

/// A WebSocket that both sides agreed on.
pub(crate) type Tunnel = Option<Ends>;

/// Sends the request on and gives the backend's answer, whose body streams.
///
/// # Errors
/// 413, 408, 502 or 504 as problem details.
pub(crate) async fn forward(
    backend: &Backend,
    _passage: Passage<'_>,
    terms: Terms<'_>,
    vouched: &Vouched<'_>,
    target: PathAndQuery,
    mut request: Request<Incoming>,
) -> Result<(Response<AnswerBody>, Tunnel), Problem> {
    let upgrade = (request.version() == Version::HTTP_11
        && request.headers().contains_key(UPGRADE)
        && headers::wants_websocket(request.headers()))
    .then(|| hyper::upgrade::on(&mut request));
    let address = terms
        .upstream
        .address(target)
        .ok_or_else(|| Problem::bad_request("malformed_request", "the request target cannot be forwarded"))?;
    let (mut head, incoming) = request.into_parts();
    let (body, upload) = RequestBody::new(incoming, terms.maximum_body, terms.timeouts.idle);
    headers::clean_request(&mut head.headers, terms.rules);
    vouch(&mut head.headers, vouched, &terms.upstream.host);
    if upgrade.is_some() {
        head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    if upload.is_some() && body.size_hint().exact().is_none() {
        headers::frame_unknown_length(&mut head.headers);
    }
    head.uri = address;
    head.version = Version::HTTP_11;
    // What earlier layers left there is of no use to the client pool.
    head.extensions.clear();

    let sent = backend.send(Request::from_parts(head, body));
    let mut answer = wait(sent, upload.as_deref(), terms.timeouts.response).await?;

    let tunnel = match (answer.status(), upgrade) {
        (StatusCode::SWITCHING_PROTOCOLS, Some(client)) => {
            Some(Ends { client, backend: hyper::upgrade::on(&mut answer) })
        }
        (StatusCode::SWITCHING_PROTOCOLS, None) => {
            return Err(bad_gateway("the backend switched protocols without being asked"));
        }
        _ => None,
    };
    let (mut head, incoming) = answer.into_parts();
    headers::clean_response(&mut head.headers);
    head.version = Version::HTTP_11;
    head.extensions.clear();
    if tunnel.is_some() {
        head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        return Ok((Response::from_parts(head, AnswerBody::empty()), tunnel));
    }
    Ok((Response::from_parts(head, AnswerBody::proxied(incoming, terms.timeouts.idle)), None))
}

/// Sets what only the gateway may say; the client's words under these names are gone by now.
fn vouch(to: &mut HeaderMap, vouched: &Vouched<'_>, host: &HeaderValue) {
    to.insert(HOST, host.clone());
    to.insert(headers::FORWARDED_HOST, vouched.host.clone());
    to.insert(headers::FORWARDED_FOR, vouched.client.clone());
    to.insert(
        headers::FORWARDED_PROTO,
        HeaderValue::from_static(if vouched.https { "https" } else { "http" }),
    );
    to.insert(headers::REQUEST_ID, vouched.request_id.clone());
    to.append(VIA, HeaderValue::from_static("1.1 portcullis"));
    if let Some(known) = vouched.known {
        for (name, value) in identity(known) {
            to.insert(name, value.clone());
        }
    }
}

/// The identity headers of a caller.
pub(crate) fn identity(known: &Known) -> impl Iterator<Item = (HeaderName, &HeaderValue)> {
    let subject = known.subject.as_ref().map(|value| (headers::AUTH_SUBJECT, value));
    let client = known.client.as_ref().map(|value| (headers::AUTH_CLIENT, value));
    subject.into_iter().chain(client).chain([(headers::AUTH_SCOPES, &known.scopes)])
}

/// Waits for the head of the answer: `limit` from the last movement of the request's body on.
async fn wait(
    sent: ResponseFuture,
    upload: Option<&Upload>,
    limit: Duration,
) -> Result<Response<Incoming>, Problem> {
    let mut sent = pin!(sent);
    loop {
        let frames = upload.map(Upload::frames);
        match tokio::time::timeout(limit, &mut sent).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => return Err(failure(&error, upload)),
            Err(_) if upload.map(Upload::frames) != frames => {}
            Err(_) => return Err(timed_out("the backend did not answer in time")),
        }
    }
}

fn failure(error: &Error, upload: Option<&Upload>) -> Problem {
    match upload.map(Upload::end) {
        Some(UploadEnd::TooLarge) => {
            return Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "the request body is larger than allowed",
            );
        }
        Some(UploadEnd::Stalled) => {
            return Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "the request body stood still");
        }
        Some(UploadEnd::Broken) => {
            return Problem::bad_request("malformed_body", "the request body broke off or is malformed");
        }
        _ => {}
    }
    if error.is_connect() {
        return if is_timeout(error) {
            timed_out("the backend cannot be reached in time")
        } else {
            Problem::new(StatusCode::BAD_GATEWAY, "upstream_unreachable", "the backend cannot be reached")
        };
    }
    bad_gateway("the backend broke off or answered what is no HTTP")
}

fn bad_gateway(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_GATEWAY, "upstream_failed", detail)
}

fn timed_out(detail: &str) -> Problem {
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", detail)
}

fn is_timeout(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// True when a problem is the backend's and not the client's.
pub(crate) fn is_backends(problem: &Problem) -> bool {
    problem.code.starts_with("upstream_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upstream_is_an_origin() {
        for good in ["http://b:3000", "http://b:3000/", "https://b", "http://[::1]:80"] {
            assert!(Upstream::new(&good.parse().unwrap()).is_ok(), "{good}");
        }
        for bad in ["http://b/base", "ftp://b", "/b", "http://u:p@b", "b:80"] {
            assert!(Upstream::new(&bad.parse().unwrap()).is_err(), "{bad}");
        }
    }
}
