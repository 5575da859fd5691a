//! The auditor's own HTTP client: three seconds for an answer, no redirects, bounded bodies, and the freedom to send
//! what a well-mannered client would not (two Origins, a forged token).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::evidence::Transcript;

/// How long an answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
/// The most of a body that is read; what is longer is cut.
const MAXIMUM_BODY: usize = 1024 * 1024;
/// Probes that are under way at once: enough for a distant host, too few to be a load.
const AT_ONCE: usize = 8;
/// How many requests may go out in one go, and how many a second from then on.
const BURST: u32 = 1000;
const A_SECOND: u32 = 400;
/// Headers of an answer that stand in a transcript; none of them carries a secret.
const SHOWN: [&str; 8] = [
    "www-authenticate",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-credentials",
    "vary",
    "location",
    "content-type",
    "x-request-id",
];

/// What stands in `Authorization` or another secret header. Prints as its label.
#[derive(Clone)]
pub(crate) struct Credential {
    header: HeaderName,
    value: SecretString,
    label: String,
}

impl Credential {
    pub(crate) fn bearer(token: &SecretString, label: impl Into<String>) -> Self {
        Self {
            header: http::header::AUTHORIZATION,
            value: format!("Bearer {}", token.expose_secret()).into(),
            label: format!("Bearer ({})", label.into()),
        }
    }

    /// A secret header of another name; none when the name is no header's.
    pub(crate) fn header(name: &str, value: &SecretString, label: impl Into<String>) -> Option<Self> {
        let header = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some(Self { header, value: value.clone(), label: format!("({})", label.into()) })
    }

    pub(crate) fn basic(user: &str, password: &SecretString) -> Self {
        let pair = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
        Self {
            header: http::header::AUTHORIZATION,
            value: format!("Basic {pair}").into(),
            label: format!("Basic (client {user})"),
        }
    }
}

/// A request that the auditor sends.
#[derive(Clone)]
pub(crate) struct Probe {
    method: Method,
    url: String,
    headers: Vec<(HeaderName, String)>,
    credential: Option<Credential>,
    body: Option<(&'static str, Bytes)>,
}

impl Probe {
    pub(crate) fn new(method: &str, url: impl Into<String>) -> Self {
        let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
        Self { method, url: url.into(), headers: Vec::new(), credential: None, body: None }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Adds a header; two of one name are sent twice.
    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((HeaderName::from_static(name), value.into()));
        self
    }

    #[must_use]
    pub(crate) fn with(mut self, credential: Option<Credential>) -> Self {
        self.credential = credential;
        self
    }

    #[must_use]
    pub(crate) fn json(mut self, body: &serde_json::Value) -> Self {
        self.body = Some(("application/json", Bytes::from(body.to_string())));
        self
    }

    /// A body of any kind, as it is.
    #[must_use]
    pub(crate) fn body(mut self, kind: &'static str, body: impl Into<Bytes>) -> Self {
        self.body = Some((kind, body.into()));
        self
    }

    #[must_use]
    pub(crate) fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        self.body = Some(("application/x-www-form-urlencoded", Bytes::from(form.finish())));
        self
    }

    /// The request as it may be printed: no body, and of a credential its label.
    fn printed(&self) -> String {
        let mut text = format!("{} {}", self.method, without_query(&self.url));
        for (name, value) in &self.headers {
            text.push_str(&format!("\n{name}: {value}"));
        }
        if let Some(credential) = &self.credential {
            text.push_str(&format!("\n{}: {}", credential.header, credential.label));
        }
        text
    }
}

/// A query may hold a reset token.
fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) transcript: Transcript,
}

impl Answer {
    pub(crate) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Every value of a header, joined as if it had been one.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// RFC 6750 section 3.1: the token is good, its scopes do not suffice.
    pub(crate) fn insufficient_scope(&self) -> bool {
        self.status == 403
            && self.header("www-authenticate").is_some_and(|value| value.contains("insufficient_scope"))
    }
}

/// An answer as a test wants it.
#[cfg(test)]
pub(crate) fn answer_of(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        else {
            continue;
        };
        map.append(name, value);
    }
    let transcript = Transcript { request: String::new(), response: String::new() };
    Answer { status, headers: map, body: Bytes::copy_from_slice(body.as_bytes()), transcript }
}

/// No answer came: why in words, and at what point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreachable(pub(crate) String, pub(crate) Point);

/// At what point an exchange ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// Nothing was sent: it cannot be written as a request.
    NotSent,
    /// No connection, or none that is trusted: nobody has seen the request.
    NotConnected,
    /// The request was sent, and the other side ended the connection without an answer.
    Closed,
    /// The request was sent and no answer came in time, or one that cannot be read.
    Unanswered,
}

impl Unreachable {
    /// Whether the server took the connection and ended it over what was sent: a refusal, where a control shows that it
    /// answers otherwise.
    pub(crate) fn is_closed(&self) -> bool {
        self.1 == Point::Closed
    }
}

impl std::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) type Sent = Result<Answer, Unreachable>;

/// The client.
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    agent: String,
    pace: Pace,
    sent: AtomicUsize,
    patience: Duration,
    maximum_body: usize,
}

#[expect(clippy::disallowed_methods, reason = "a pace is kept by the machine's own clock")]
fn now() -> Instant {
    Instant::now()
}

/// A bucket that fills at a steady rate: the auditor is no load for what it audits.
struct Pace {
    /// When the bucket will be full again.
    full_at: Mutex<Instant>,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { full_at: Mutex::new(now) }
    }

    /// How long the next request must wait.
    fn take(&self, now: Instant) -> Duration {
        let each = Duration::from_secs(1) / A_SECOND;
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        *full_at = (*full_at).max(now) + each;
        full_at.saturating_duration_since(now).saturating_sub(each * BURST)
    }
}

impl Http {
    /// `authority`: PEM certificates to trust instead of the system's.
    pub(crate) fn new(agent: String, authority: Option<&[u8]>) -> Self {
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls(authority))
            .https_or_http()
            .enable_http1()
            .build();
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            agent,
            pace: Pace::new(now()),
            sent: AtomicUsize::new(0),
            patience: PATIENCE,
            maximum_body: MAXIMUM_BODY,
        }
    }

    /// For a registry: it may take longer, and its answers are long.
    pub(crate) fn of_registry(agent: String) -> Self {
        Self { patience: Duration::from_secs(20), maximum_body: 32 * MAXIMUM_BODY, ..Self::new(agent, None) }
    }

    /// For a frontend: its scripts are longer than answers of an API.
    pub(crate) fn of_frontend(agent: String, authority: Option<&[u8]>) -> Self {
        Self {
            patience: Duration::from_secs(20),
            maximum_body: 32 * MAXIMUM_BODY,
            ..Self::new(agent, authority)
        }
    }

    /// How many requests this run has sent.
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    pub(crate) async fn send(&self, probe: Probe) -> Sent {
        let wait = self.pace.take(now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        self.sent.fetch_add(1, Ordering::Relaxed);
        // A connection that is kept may end just when it is used again: what only reads is sent a second time (RFC 9112
        // section 9.5). Who refuses by ending the connection does so twice.
        let again = probe.body.is_none() && probe.method.is_safe();
        let exchanges = async {
            match self.exchange(&probe).await {
                Err(ended) if again && ended.is_closed() => self.exchange(&probe).await,
                sent => sent,
            }
        };
        match tokio::time::timeout(self.patience, exchanges).await {
            Ok(sent) => sent,
            Err(_) => {
                let why = format!("no answer within {} s", self.patience.as_secs());
                Err(Unreachable(why, Point::Unanswered))
            }
        }
    }

    /// Sends all of them, a few at once; the answers keep the order.
    pub(crate) async fn send_all(&self, probes: Vec<Probe>) -> Vec<Sent> {
        futures_util::stream::iter(probes.into_iter().map(|probe| self.send(probe)))
            .buffered(AT_ONCE)
            .collect()
            .await
    }

    async fn exchange(&self, probe: &Probe) -> Sent {
        let printed = probe.printed();
        let unsent = |what: &str| Unreachable(format!("{what} cannot be sent"), Point::NotSent);
        let cannot = |_| unsent(without_query(&probe.url));
        let (content_type, body) =
            probe.body.clone().map_or((None, Bytes::new()), |(kind, body)| (Some(kind), body));
        let mut request = Request::builder()
            .method(probe.method.clone())
            .uri(&probe.url)
            .body(Full::new(body))
            .map_err(cannot)?;
        let headers = request.headers_mut();
        if let Ok(agent) = HeaderValue::from_str(&self.agent) {
            headers.insert(http::header::USER_AGENT, agent);
        }
        // A cache in between must not answer a stranger with what it keeps for a friend.
        headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
        if let Some(kind) = content_type {
            headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        for (name, value) in &probe.headers {
            let value = HeaderValue::from_str(value).map_err(|_| unsent(&format!("header {name}")))?;
            // A second User-Agent would be another finding than the one that is looked for.
            if *name == http::header::USER_AGENT {
                headers.insert(name, value);
            } else {
                headers.append(name, value);
            }
        }
        if let Some(credential) = &probe.credential {
            let mut value = HeaderValue::from_str(credential.value.expose_secret())
                .map_err(|_| unsent(&format!("header {}", credential.header)))?;
            value.set_sensitive(true);
            headers.append(&credential.header, value);
        }
        let response = self.client.request(request).await.map_err(|error| {
            let point = if error.is_connect() { Point::NotConnected } else { point(&error) };
            Unreachable(reason(&error), point)
        })?;
        let (head, body) = response.into_parts();
        // A body that is too long or breaks off is as good as none: the status has arrived.
        let body = Limited::new(body, self.maximum_body)
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default();
        let mut shown = head.status.as_u16().to_string();
        for name in SHOWN {
            for value in head.headers.get_all(name) {
                shown.push_str(&format!(
                    "\n{name}: {}",
                    without_query(&String::from_utf8_lossy(value.as_bytes()))
                ));
            }
        }
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            transcript: Transcript { request: printed, response: shown },
        })
    }
}

/// The innermost cause: "connection refused" says more than "client error".
fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string().to_lowercase()
}

/// At what point an exchange on a connection ended.
fn point(error: &(dyn std::error::Error + 'static)) -> Point {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let mut cause = Some(error);
    while let Some(error) = cause {
        let broken = error.downcast_ref::<std::io::Error>().is_some_and(|error| {
            matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
        });
        // hyper's own error of an answer that never began; its type cannot be named from here.
        if broken || error.to_string() == "connection closed before message completed" {
            return Point::Closed;
        }
        cause = error.source();
    }
    Point::Unanswered
}

pub(crate) fn tls(authority: Option<&[u8]>) -> rustls::ClientConfig {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = || {
        rustls::ClientConfig::builder_with_provider(std::sync::Arc::clone(&provider))
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)
            .ok()
    };
    let mut roots = rustls::RootCertStore::empty();
    match authority {
        Some(pem) => {
            let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
            roots.add_parsable_certificates(certificates);
        }
        None => {
            if let Some(Ok(native)) = builder().map(|builder| builder.with_native_roots()) {
                return native.with_no_client_auth();
            }
        }
    }
    // A machine without certificates can still audit over http; over https nothing will be trusted.
    match builder() {
        Some(builder) => builder.with_root_certificates(roots).with_no_client_auth(),
        None => rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_out_at_once_and_then_a_steady_stream() {
        let now = super::now();
        let pace = Pace::new(now);
        for _ in 0..BURST {
            assert_eq!(pace.take(now), Duration::ZERO);
        }
        assert_eq!(pace.take(now), Duration::from_secs(1) / A_SECOND);
        assert_eq!(pace.take(now + Duration::from_secs(60)), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_closed_connection_is_told_from_none() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let http = Http::new("test".into(), None);
        let ask = || http.send(Probe::new("GET", format!("http://{address}/")));
        let server = async {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            // Ended twice: the first time it might have been a kept connection at its end.
            for answer in [&b""[..], b"", b"what?\r\n\r\n"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _read = stream.read(&mut [0; 4096]).await.unwrap();
                stream.write_all(answer).await.unwrap();
            }
        };
        let client = async { (ask().await.unwrap_err(), ask().await.unwrap_err()) };
        let ((closed, odd), ()) = tokio::join!(client, server);
        assert!(closed.is_closed(), "{closed:?}");
        assert_eq!(odd.1, Point::Unanswered, "{odd:?}");
        drop(listener);
        assert_eq!(ask().await.unwrap_err().1, Point::NotConnected);
        let unsent = http.send(Probe::new("GET", "http://a b/")).await.unwrap_err();
        assert_eq!(unsent.1, Point::NotSent);
    }

    #[tokio::test]
    async fn a_kept_connection_that_ends_is_no_answer() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let http = Http::new("test".into(), None);
        let ask = || http.send(Probe::new("GET", format!("http://{address}/")));
        let server = async {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _read = stream.read(&mut [0; 4096]).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                // The next request on this connection gets nothing.
                let _read = stream.read(&mut [0; 4096]).await.unwrap();
            }
        };
        let client = async {
            assert_eq!(ask().await.unwrap().status, 200);
            assert_eq!(ask().await.unwrap().status, 200);
            drop(http.send(Probe::new("POST", format!("http://{address}/"))).await.unwrap_err());
        };
        tokio::join!(client, server);
    }

    #[test]
    fn a_transcript_shows_no_secret() {
        let secret = SecretString::from("eyJ0b3A.secret.value");
        let probe = Probe::new("GET", "https://api.example.com/reset?token=hidden")
            .header("origin", "https://evil.example")
            .with(Some(Credential::bearer(&secret, "the right token")))
            .form(&[("client_secret", "hidden")]);
        let printed = probe.printed();
        assert_eq!(
            printed,
            "GET https://api.example.com/reset\norigin: https://evil.example\nauthorization: Bearer (the right token)"
        );
        let key = Credential::header("API-Key", &secret, "an old API key").unwrap();
        assert!(!Probe::new("GET", "http://x/").with(Some(key)).printed().contains("secret"));
        let basic = Credential::basic("audit", &secret);
        assert!(Probe::new("GET", "http://x/").with(Some(basic)).printed().ends_with("Basic (client audit)"));
    }
}
