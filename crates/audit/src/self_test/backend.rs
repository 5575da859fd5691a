//! A backend with an issuer before it, on loopback, that lacks one defence, or none: its sockets, and what every answer carries.

use std::sync::Arc;

use aws_lc_rs::hmac;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Defect;
use super::accounts::Accounts;
use super::certificate::Certificate;
use crate::world::random_hex;

pub(super) const AUDIENCE: &str = "https://api.example.com";
pub(super) const CLIENT: (&str, &str) = ("audit", "the auditor's own secret");
pub(super) const USER: (&str, &str) = ("audit@example.com", "the auditor's own password");
pub(super) const LIFETIME: i64 = 900;
const LARGEST: usize = 256 * 1024;
/// What the backend says of itself.
pub(super) const OPENAPI: &str = "
openapi: 3.0.3
paths:
  /orders:
    get: {security: [{users: ['read:orders']}]}
    delete: {security: [{users: ['write:orders']}]}
  /reports:
    get: {security: [{machines: ['read:reports']}]}
    post: {security: [{machines: ['run:reports']}]}
components:
  securitySchemes:
    users: {type: oauth2, flows: {authorizationCode: {scopes: {}}}}
    machines: {type: oauth2, flows: {clientCredentials: {scopes: {}}}}
";
/// One operation more, which names no scope.
pub(super) const UNSCOPED: &str = "  /notes:\n    get: {summary: nobody thought of it}\n";

/// It ends when this is dropped.
pub(super) struct Backend {
    pub(super) url: String,
    task: JoinHandle<()>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) struct Shared {
    lacks: Option<Defect>,
    pub(super) serves: Serves,
    pub(super) key: hmac::Key,
    pub(super) url: String,
    pub(super) accounts: Accounts,
    secure: bool,
}

/// What stands there.
pub(super) enum Serves {
    /// A page, and nothing else.
    Page,
    /// The backend, for the pages of this origin.
    Api { frontend: String },
}

pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) challenge: Option<&'static str>,
    pub(super) body: String,
}

pub(super) fn reply(status: u16) -> Reply {
    Reply { status, challenge: None, body: String::new() }
}

pub(super) fn refused(challenge: &'static str) -> Reply {
    Reply { challenge: Some(challenge), ..reply(if challenge.contains("scope") { 403 } else { 401 }) }
}

pub(super) fn answered(body: &Value) -> Reply {
    Reply { body: body.to_string(), ..reply(200) }
}

impl Backend {
    /// The frontend, which browsers load.
    pub(super) async fn page() -> std::io::Result<Self> {
        Self::start(None, Serves::Page, None).await
    }

    /// The backend and its issuer, for pages of a frontend.
    pub(super) async fn api(lacks: Option<Defect>, frontend: &str) -> std::io::Result<Self> {
        Self::start(lacks, Serves::Api { frontend: frontend.to_owned() }, None).await
    }

    /// The same by https.
    pub(super) async fn secure(lacks: Option<Defect>, certificate: &Certificate) -> std::io::Result<Self> {
        Self::start(lacks, Serves::Api { frontend: String::new() }, Some(certificate)).await
    }

    async fn start(
        lacks: Option<Defect>,
        serves: Serves,
        certificate: Option<&Certificate>,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let scheme = if certificate.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}", listener.local_addr()?.port());
        let secret = random_hex::<32>();
        let shared = Arc::new(Shared {
            lacks,
            serves,
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
            url: url.clone(),
            accounts: Accounts::new(),
            secure: certificate.is_some(),
        });
        let acceptor = certificate.map(Certificate::acceptor);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (shared, acceptor) = (Arc::clone(&shared), acceptor.clone());
                tokio::spawn(async move {
                    let _ended = match acceptor {
                        None => exchange(stream, &shared).await,
                        Some(_)
                            if shared.lacks(Defect::OldTls) && super::certificate::is_old(&stream).await =>
                        {
                            stream.write_all(&super::certificate::TAKEN).await
                        }
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => exchange(stream, &shared).await,
                            Err(error) => Err(error),
                        },
                    };
                });
            }
        });
        Ok(Self { url, task })
    }
}

/// One request and its answer; then the connection ends.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, shared: &Shared) -> std::io::Result<()> {
    let Some(request) = read(&mut stream).await? else { return Ok(()) };
    let reply = shared.answer(&request);
    let mut head = format!("HTTP/1.1 {} -\r\nConnection: close\r\n", reply.status);
    head.push_str(&shared.carried(&request));
    if let Some(challenge) = reply.challenge {
        head.push_str(&format!("WWW-Authenticate: {challenge}\r\n"));
    }
    let length = reply.body.len();
    head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"));
    stream.write_all(head.as_bytes()).await?;
    if request.method != "HEAD" {
        stream.write_all(reply.body.as_bytes()).await?;
    }
    stream.shutdown().await
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if bytes.len() > LARGEST || stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse::<usize>().ok()).unwrap_or(0).min(LARGEST);
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await? == 0 {
            break;
        }
    }
    let path = target.split('?').next().unwrap_or_default().to_owned();
    Ok(Some(Request { method: method.to_owned(), path, headers, body: bytes[end..].to_vec() }))
}

impl Shared {
    pub(super) fn lacks(&self, defect: Defect) -> bool {
        self.lacks == Some(defect)
    }

    pub(super) fn is_frontend(&self, origin: &str) -> bool {
        matches!(&self.serves, Serves::Api { frontend } if frontend == origin)
    }

    /// The headers of every answer.
    fn carried(&self, request: &Request) -> String {
        let mut head = String::from("Vary: Origin\r\n");
        if let Some(origin) = request.header("origin")
            && (self.is_frontend(origin) || self.lacks(Defect::ReflectedOrigin))
        {
            head.push_str(&format!("Access-Control-Allow-Origin: {origin}\r\n"));
        }
        if !self.lacks(Defect::GuessedTypes) {
            head.push_str("X-Content-Type-Options: nosniff\r\n");
        }
        if self.secure && !self.lacks(Defect::NoHsts) {
            head.push_str("Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n");
        }
        if matches!(self.serves, Serves::Api { .. }) {
            let flag = if self.lacks(Defect::ReadableCookie) { "" } else { "; HttpOnly" };
            head.push_str(&format!("Set-Cookie: __Host-seen=1; Path=/; Secure; SameSite=Lax{flag}\r\n"));
        }
        head
    }
}
