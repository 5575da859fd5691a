//! A client for tests: one that follows nothing and hides nothing, and one that sends bytes as they are.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer may take before the test fails: generous, since other tests share the machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An HTTP/1.1 client with a connection pool. No redirects, no cookies, no decompression.
#[derive(Clone, Debug)]
pub struct Client {
    inner: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
}

impl Client {
    /// A client with an empty pool.
    pub fn new() -> Self {
        Self { inner: hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http() }
    }

    /// A request of any method.
    pub fn request(&self, method: &str, url: &str) -> Request {
        Request {
            client: self.clone(),
            method: Method::from_bytes(method.as_bytes()).expect("a method is a token"),
            url: url.parse().unwrap_or_else(|error| panic!("{url} is no URL: {error}")),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// A GET request.
    pub fn get(&self, url: &str) -> Request {
        self.request("GET", url)
    }

    /// A POST request.
    pub fn post(&self, url: &str) -> Request {
        self.request("POST", url)
    }

    /// A PUT request.
    pub fn put(&self, url: &str) -> Request {
        self.request("PUT", url)
    }

    /// A PATCH request.
    pub fn patch(&self, url: &str) -> Request {
        self.request("PATCH", url)
    }

    /// A DELETE request.
    pub fn delete(&self, url: &str) -> Request {
        self.request("DELETE", url)
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

/// A request that is being put together.
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    client: Client,
    method: Method,
    url: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    /// Adds a header; twice the same name sends it twice.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name is a token");
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header value has no line breaks");
        self.headers.append(name, value);
        self
    }

    /// `Authorization: Bearer TOKEN`.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// `Authorization: Basic …`, of bytes that are already what RFC 6749 section 2.3.1 wants.
    pub fn basic(self, user: &str, password: &str) -> Self {
        let credentials = base64(format!("{user}:{password}").as_bytes());
        self.header("authorization", &format!("Basic {credentials}"))
    }

    /// A body without a content type.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// A JSON body.
    pub fn json(self, body: &serde_json::Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// A form body; names and values are encoded here.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let pairs = fields.iter().map(|(name, value)| format!("{}={}", form_text(name), form_text(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        self.header("content-type", "application/x-www-form-urlencoded").body(body)
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn send(self) -> Reply {
        let (method, url) = (self.method.clone(), self.url.clone());
        self.try_send().await.unwrap_or_else(|error| panic!("{method} {url}: {error}"))
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Errors
    /// What went wrong, in words: refused, closed, or no answer within [`PATIENCE`].
    pub async fn try_send(self) -> Result<Reply, String> {
        let mut request = http::Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.url;
        *request.headers_mut() = self.headers;
        let answer = async {
            let response = self.client.inner.request(request).await.map_err(|error| describe(&error))?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| describe(&error))?.to_bytes();
            Ok(Reply { status: head.status, headers: head.headers, body })
        };
        tokio::time::timeout(PATIENCE, answer).await.map_err(|_| "no answer in a minute".to_owned())?
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// Every header, in the order of arrival.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The status as a number.
    pub fn code(&self) -> u16 {
        self.status.as_u16()
    }

    /// The first header of that name, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Every header of that name.
    pub fn header_values(&self, name: &str) -> Vec<String> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{} with a body that is no JSON ({error}): {}", self.status, self.text())
        })
    }

    /// Fails unless the status is this one, and shows the answer then.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.code(), status, "{:?}\n{}", self.headers, self.text());
        self
    }
}

/// Sends bytes as they are and returns every byte that came before the other side closed, or stayed silent for two
/// seconds, so that a connection kept open does not hold the test up.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    raw_for(address, bytes, Duration::from_secs(2)).await.0
}

/// Like [`raw`] with a silence of one's own; says also whether the other side closed the connection.
pub async fn raw_for(address: SocketAddr, bytes: &[u8], silence: Duration) -> (Vec<u8>, bool) {
    let mut stream = TcpStream::connect(address).await.unwrap_or_else(|error| panic!("{address}: {error}"));
    // A server that refuses early closes while this is still writing: its answer is worth more than the write's error.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        // The first byte may take a while on a busy machine; after it, silence means that the answer is complete.
        let limit = if answer.is_empty() { silence.max(Duration::from_secs(10)) } else { silence };
        match tokio::time::timeout(limit, stream.read(&mut buffer)).await {
            Err(_) => return (answer, false),
            Ok(Ok(0) | Err(_)) => return (answer, true),
            Ok(Ok(count)) => answer.extend_from_slice(&buffer[..count]),
        }
    }
}

/// The status of each answer in raw bytes, by their status lines.
pub fn raw_statuses(answer: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answer);
    text.split("\r\n")
        .flat_map(|line| line.rfind("HTTP/1.1 ").map(|at| &line[at + 9..]))
        .filter_map(|rest| rest.get(..3)?.parse().ok())
        .collect()
}

fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// Form encoding (WHATWG URL, application/x-www-form-urlencoded), every byte that is not plain.
fn form_text(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                encoded.push(char::from(byte))
            }
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Standard base64 with padding (RFC 4648 section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = (group >> (18 - 6 * place)) & 63;
            text.push(if place <= chunk.len() { char::from(ALPHABET[index as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Server;

    #[test]
    fn base64_is_rfc_4648_section_10() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn form_text_keeps_nothing_special() {
        assert_eq!(form_text("a b&c=ü%"), "a+b%26c%3D%C3%BC%25");
    }

    #[tokio::test]
    async fn headers_and_body_arrive_as_they_were_given() {
        let server = Server::echo().await;
        let reply = Client::new()
            .post(&format!("{}some/path?q=1", server.url()))
            .header("x-twice", "one")
            .header("x-twice", "two")
            .form(&[("a", "1 2")])
            .send()
            .await
            .expect(200);
        let seen = reply.json();
        assert_eq!(seen["method"], "POST");
        assert_eq!(seen["target"], "/some/path?q=1");
        assert_eq!(seen["body"], "a=1+2");
        assert_eq!(seen["headers"]["x-twice"], serde_json::json!(["one", "two"]));
    }

    #[tokio::test]
    async fn raw_bytes_are_sent_untouched() {
        let server = Server::echo().await;
        let sent = b"GET /a/../b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let (answer, closed) = raw_for(server.address(), sent, Duration::from_secs(2)).await;
        assert!(closed);
        assert_eq!(raw_statuses(&answer), [200]);
        assert!(String::from_utf8_lossy(&answer).contains("/a/../b"));
    }

    #[tokio::test]
    async fn a_refused_connection_is_an_error_with_words() {
        let url = format!("http://{}/", crate::ports::refusing());
        let error = Client::new().get(&url).try_send().await.expect_err("nobody listens");
        assert!(error.contains("refused"), "{error}");
    }
}
