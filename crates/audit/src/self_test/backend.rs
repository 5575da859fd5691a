//! A backend with an issuer before it, on loopback, that lacks one defence, or none.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::Defect;
use super::NOW;
use crate::world::random_hex;

pub(super) const AUDIENCE: &str = "https://api.example.com";
pub(super) const CLIENT: (&str, &str) = ("audit", "the auditor's own secret");
pub(super) const USER: (&str, &str) = ("audit@example.com", "the auditor's own password");
pub(super) const LIFETIME: i64 = 900;
const LARGEST: usize = 64 * 1024;
/// Method, path, scope, whose token.
const RULES: [(&str, &str, &str, &str); 7] = [
    ("GET", "/orders", "read:orders", "user"),
    ("DELETE", "/orders", "write:orders", "user"),
    ("GET", "/reports", "read:reports", "client"),
    ("POST", "/reports", "run:reports", "client"),
    ("GET", "/users/me", "read:current_user", "user"),
    ("PATCH", "/users/me", "update:current_user", "user"),
    ("DELETE", "/users/me", "delete:current_user", "user"),
];
/// What every login may do.
const OWN: &str = "read:current_user update:current_user delete:current_user";
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

struct Shared {
    lacks: Option<Defect>,
    serves: Serves,
    key: hmac::Key,
}

/// What stands there.
enum Serves {
    /// A page, and nothing else.
    Page,
    /// The backend, for the pages of this origin.
    Api { frontend: String },
}

struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

struct Reply {
    status: u16,
    challenge: Option<&'static str>,
    body: String,
}

fn reply(status: u16) -> Reply {
    Reply { status, challenge: None, body: String::new() }
}

fn refused(challenge: &'static str) -> Reply {
    Reply {
        status: if challenge.contains("scope") { 403 } else { 401 },
        challenge: Some(challenge),
        body: String::new(),
    }
}

fn answered(body: &Value) -> Reply {
    Reply { status: 200, challenge: None, body: body.to_string() }
}

impl Backend {
    /// The frontend, which browsers load.
    pub(super) async fn page() -> std::io::Result<Self> {
        Self::start(None, Serves::Page).await
    }

    /// The backend and its issuer, for pages of a frontend.
    pub(super) async fn api(lacks: Option<Defect>, frontend: &str) -> std::io::Result<Self> {
        Self::start(lacks, Serves::Api { frontend: frontend.to_owned() }).await
    }

    async fn start(lacks: Option<Defect>, serves: Serves) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://localhost:{}", listener.local_addr()?.port());
        let secret = random_hex::<32>();
        let shared =
            Arc::new(Shared { lacks, serves, key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()) });
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let _ended = exchange(stream, &shared).await;
                });
            }
        });
        Ok(Self { url, task })
    }
}

/// One request and its answer; then the connection ends.
async fn exchange(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let Some(request) = read(&mut stream).await? else { return Ok(()) };
    let reply = shared.answer(&request);
    let mut head = format!("HTTP/1.1 {} -\r\nConnection: close\r\nVary: Origin\r\n", reply.status);
    let foreign = request.header("origin").is_some_and(|origin| !shared.is_frontend(origin));
    match request.header("origin") {
        Some(origin) if !foreign || shared.lacks(Defect::ReflectedOrigin) => {
            head.push_str(&format!("Access-Control-Allow-Origin: {origin}\r\n"));
        }
        _ => {}
    }
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

async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Request>> {
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
    fn lacks(&self, defect: Defect) -> bool {
        self.lacks == Some(defect)
    }

    fn is_frontend(&self, origin: &str) -> bool {
        matches!(&self.serves, Serves::Api { frontend } if frontend == origin)
    }

    fn answer(&self, request: &Request) -> Reply {
        if let Serves::Page = self.serves {
            let home = request.path == "/" && matches!(request.method.as_str(), "GET" | "HEAD");
            return if home { answered(&json!({"page": true})) } else { reply(404) };
        }
        let unsafe_method = !matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        let foreign = request.header("origin").is_some_and(|origin| !self.is_frontend(origin));
        match (request.method.as_str(), request.path.as_str()) {
            ("OPTIONS", _) => return reply(204),
            _ if foreign && unsafe_method => return reply(403),
            ("GET", "/.well-known/jwks.json") => {
                let modulus = URL_SAFE_NO_PAD.encode([0xc3; 384]);
                let mut key = json!({"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", "n": modulus, "e": "AQAB"});
                if self.lacks(Defect::PublishedPrivateKey) {
                    key["d"] = json!(modulus);
                }
                return answered(&json!({ "keys": [key] }));
            }
            ("GET", "/.git/HEAD") if self.lacks(Defect::ServedHistory) => {
                return Reply { status: 200, challenge: None, body: "ref: refs/heads/main\n".into() };
            }
            ("POST", "/oauth/token") => return self.client_token(&request.body),
            _ => {}
        }
        self.guarded(request)
    }

    fn guarded(&self, request: &Request) -> Reply {
        let asked = (request.method.as_str(), request.path.as_str());
        let session = matches!(
            asked,
            ("POST", "/users" | "/users/session" | "/users/session/refresh")
                | ("POST" | "PUT", "/users/password-reset")
        );
        let rule = RULES.into_iter().find(|rule| rule.0 == request.method && rule.1 == request.path);
        let rule = if session { Some(("", "", "session", "client")) } else { rule };
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let open = self.lacks(Defect::NoAuthentication)
            || (request.header("api-key").is_some() && self.lacks(Defect::LiveApiKey));
        let Some(claims) = token.and_then(|token| self.believed(token)) else {
            if open && rule.is_some() && !session {
                return answered(&json!({"ok": true}));
            }
            return refused(if token.is_some() { "Bearer error=\"invalid_token\"" } else { "Bearer" });
        };
        if asked == ("DELETE", "/users/session") {
            return if claims["whose"] == "user" {
                reply(204)
            } else {
                refused("Bearer error=\"insufficient_scope\"")
            };
        }
        let Some((_, _, scope, whose)) = rule else { return reply(403) };
        let held = claims["scope"].as_str().unwrap_or_default().split(' ').any(|held| held == scope);
        let right = claims["whose"] == whose || self.lacks(Defect::AnyCaller);
        if !right || !(held || self.lacks(Defect::AnyScope)) {
            return refused("Bearer error=\"insufficient_scope\"");
        }
        match asked {
            ("POST", "/users/session") => self.log_in(&request.body),
            _ if session => reply(400),
            _ => answered(&json!({"ok": true})),
        }
    }

    /// The claims of a token that is believed.
    fn believed(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (head, payload) = signed.split_once('.')?;
        let decode = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        let (head, claims) = (decode(head)?, decode(payload)?);
        let tag = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        let signed =
            hmac::verify(&self.key, signed.as_bytes(), &tag).is_ok() || self.lacks(Defect::AnySignature);
        let right = head["alg"] == "RS256" && claims["aud"] == AUDIENCE && claims["exp"].as_i64()? > NOW;
        (signed && right).then_some(claims)
    }

    fn mint(&self, whose: &str, sub: &str, audience: &str, scope: &str) -> String {
        let lifetime = if self.lacks(Defect::LongLife) { 30 * 86_400 } else { LIFETIME };
        let claims = json!({"iss": "self-test", "sub": sub, "aud": audience, "iat": NOW, "exp": NOW + lifetime,
                            "scope": scope, "whose": whose, "jti": random_hex::<8>()});
        let head = URL_SAFE_NO_PAD.encode(json!({"alg": "RS256", "kid": "1", "typ": "at+jwt"}).to_string());
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, signed.as_bytes())))
    }

    fn client_token(&self, body: &[u8]) -> Reply {
        let form: BTreeMap<_, _> = url::form_urlencoded::parse(body).into_owned().collect();
        let text = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if text("client_secret") != CLIENT.1 || text("grant_type") != "client_credentials" {
            return Reply {
                status: 401,
                challenge: None,
                body: json!({"error": "invalid_client"}).to_string(),
            };
        }
        let mut all = vec!["session", "read:reports", "run:reports"];
        if self.lacks(Defect::AnyCaller) {
            // Such a world relies on nothing but scopes, and gives users' scopes to clients too.
            all.extend(["read:orders", "write:orders"]);
            all.extend(OWN.split(' '));
        }
        let scope = if text("scope").is_empty() { all.join(" ") } else { text("scope").to_owned() };
        if !scope.split(' ').all(|scope| all.contains(&scope)) {
            return Reply {
                status: 400,
                challenge: None,
                body: json!({"error": "invalid_scope"}).to_string(),
            };
        }
        let token = self.mint("client", "audit@clients", text("audience"), &scope);
        answered(&json!({"access_token": token, "token_type": "Bearer", "scope": scope}))
    }

    fn log_in(&self, body: &[u8]) -> Reply {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        if body["email"] != USER.0 || body["password"] != USER.1 {
            return reply(401);
        }
        let scope = format!("{} {OWN}", body["scope"].as_str().unwrap_or("read:orders write:orders"));
        let token = self.mint("user", USER.0, AUDIENCE, &scope);
        answered(&json!({"access_token": token, "token_type": "Bearer", "scope": scope}))
    }
}
