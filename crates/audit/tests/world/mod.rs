//! A small sound world to audit: issuer, session API, gateway and backend in one server, an SQLCipher store, a mailbox.
//! `lacks` names the defence that it goes without. Its tokens are signed with HMAC under a secret that nobody has.
#![expect(clippy::unwrap_used, reason = "a test's world fails by panicking")]

mod beyond;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use audit::config::{ClientCredentials, Lifetime, Location, Session, UserCredentials};
use audit::{Config, Document, MeasureId, Report, Verdict};

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use crate::ask::{claim, measure};

pub const FRONTEND: &str = "https://app.example.com";
pub const KEY: [u8; 32] = [7; 32];
const SECRET: &[u8] = b"the issuer's secret, which no auditor has";
const OPENAPI: &str = "
openapi: 3.0.3
paths:
  /orders/{id}:
    get: {security: [{users: ['read:orders']}], parameters: [{name: id, in: path, schema: {type: integer}}]}
    delete: {security: [{users: ['write:orders']}]}
  /reports:
    get: {security: [{machines: ['read:reports']}]}
    post: {security: [{machines: ['run:reports']}]}
  /always-500:
    get: {security: [{users: ['read:orders']}]}
components:
  securitySchemes:
    users: {type: oauth2, flows: {authorizationCode: {scopes: {}}}}
    machines: {type: oauth2, flows: {clientCredentials: {scopes: {}}}}
";
/// Method, path, scope, whose token.
const RULES: [(&str, &str, &str, &str); 9] = [
    ("GET", "/orders/7", "read:orders", "user"),
    // Another user's.
    ("GET", "/orders/8", "read:orders", "user"),
    ("DELETE", "/orders/7", "write:orders", "user"),
    ("GET", "/reports", "read:reports", "client"),
    ("POST", "/reports", "run:reports", "client"),
    ("GET", "/always-500", "read:orders", "user"),
    ("GET", "/users/me", "read:current_user", "user"),
    ("PATCH", "/users/me", "update:current_user", "user"),
    ("DELETE", "/users/me", "delete:current_user", "user"),
];

#[derive(Clone)]
struct User {
    salt: String,
    hash: String,
    /// Sessions that began at or before this count are over.
    generation: u64,
}

pub struct World {
    pub url: String,
    pub folder: tempfile::TempDir,
    pub now: Arc<AtomicI64>,
    lacks: BTreeSet<&'static str>,
    users: Mutex<BTreeMap<String, User>>,
    /// Whose each is, and when it was asked for.
    resets: Mutex<BTreeMap<String, (String, i64)>>,
    mails: Mutex<Vec<Value>>,
    /// What was sent with an unsafe method and let through: must stay empty but for the session API.
    pub acted: Mutex<Vec<String>>,
    fresh: AtomicU64,
    beyond: Mutex<beyond::Remembered>,
}

impl World {
    pub async fn start(lacks: &[&'static str]) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let world = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            folder: tempfile::tempdir().unwrap(),
            now: Arc::new(AtomicI64::new(1_800_000_000)),
            lacks: lacks.iter().copied().collect(),
            users: Mutex::default(),
            resets: Mutex::default(),
            mails: Mutex::default(),
            acted: Mutex::default(),
            fresh: AtomicU64::new(0),
            beyond: Mutex::default(),
        });
        world.make_store().await;
        std::fs::write(world.folder.path().join("openapi.yaml"), OPENAPI).unwrap();
        world.sign_up("audit@example.com", "the auditor's own password").await;
        let serving = Arc::clone(&world);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let world = Arc::clone(&serving);
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let world = Arc::clone(&world);
                        async move { Ok::<_, Infallible>(world.answer(request).await) }
                    });
                    let _ended = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        world
    }

    /// What the audit is told of a whole world.
    pub fn config(&self) -> Config {
        let now = Arc::clone(&self.now);
        let issuer = format!("{}/", self.url);
        let mut config = Config::new(
            &self.url,
            &issuer,
            "https://api.example.com",
            Arc::new(move || now.load(Ordering::SeqCst)),
        );
        config.other_audience = Some("https://other.example.com".into());
        // Nobody listens there.
        config.backend = Some("http://127.0.0.1:9".into());
        config.access_token_lifetime =
            Some(Lifetime { seconds: 900, source: "access_token_lifetime".into() });
        config.session = Some(Session { prefix: "/users".into(), on_gateway: true, public: None });
        config.openapi = Some(self.folder.path().join("openapi.yaml"));
        config.frontend_origins = vec![FRONTEND.into()];
        config.store = Some(self.location());
        config.client = Some(ClientCredentials { id: "audit".into(), secret: "s".into() });
        config.user = Some(UserCredentials {
            email: "audit@example.com".into(),
            password: "the auditor's own password".into(),
        });
        config.api_key = Some("an-old-key".into());
        config.mailbox = Some(format!("{}/mailbox", self.url));
        config.exercise = true;
        config.failing = Some("GET /always-500".into());
        config.examples = BTreeMap::from([("id".into(), "7".into())]);
        config.state = Some(self.folder.path().join("state"));
        config
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    pub fn location(&self) -> Location {
        Location::SqlCipher { path: self.path(), key: self.key().to_vec().into() }
    }

    fn key(&self) -> &'static [u8] {
        if self.lacks("key length") { &KEY[..16] } else { &KEY }
    }

    fn lacks(&self, what: &str) -> bool {
        self.lacks.contains(what)
    }

    fn fresh(&self, seed: &str) -> String {
        let count = self.fresh.fetch_add(1, Ordering::SeqCst);
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, format!("{seed}{count}").as_bytes()))
    }

    /// The addresses that have an account.
    pub fn users(&self) -> Vec<String> {
        self.users.lock().unwrap().keys().cloned().collect()
    }

    // --- the store

    pub async fn database(&self) -> SqliteConnection {
        let hex: String = self.key().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut options = SqliteConnectOptions::new().filename(self.path()).create_if_missing(true);
        if !self.lacks("encryption") {
            options = options.pragma("key", format!("\"x'{hex}'\""));
        }
        options.connect().await.unwrap()
    }

    async fn execute(&self, sql: &'static str, values: &[&str]) {
        let mut connection = self.database().await;
        let mut query = sqlx::query(sql);
        for value in values {
            query = query.bind((*value).to_owned());
        }
        query.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn make_store(&self) {
        self.execute("CREATE TABLE users (email TEXT, password_hash TEXT)", &[]).await;
        self.execute("CREATE TABLE password_resets (digest TEXT, body TEXT)", &[]).await;
        self.execute("CREATE TABLE sessions (id TEXT, expires_at INTEGER)", &[]).await;
        use std::os::unix::fs::PermissionsExt as _;
        let mode = if self.lacks("file mode") { 0o644 } else { 0o600 };
        std::fs::set_permissions(self.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    async fn sign_up(&self, email: &str, password: &str) {
        let salt = if self.lacks("own salt") { "A".repeat(22) } else { self.fresh("salt")[..22].to_owned() };
        let hash = hash(&salt, password);
        let parameters = if self.lacks("strong hash") { "m=4096,t=1,p=1" } else { "m=19456,t=2,p=1" };
        let stored = match self.lacks("hash") {
            true => password.to_owned(),
            false => format!("$argon2id$v=19${parameters}${salt}${hash}"),
        };
        self.execute("INSERT INTO users VALUES (?, ?)", &[email, &stored]).await;
        if self.lacks("clean log") {
            let body = json!({"email": email, "password": password}).to_string();
            self.execute("INSERT INTO password_resets VALUES ('', ?)", &[&body]).await;
        }
        self.users.lock().unwrap().insert(email.to_owned(), User { salt, hash, generation: 0 });
    }

    // --- tokens

    fn mint(&self, whose: &str, sub: &str, audience: &str, scope: &str, generation: u64) -> String {
        self.mint_with(whose, sub, audience, scope, generation, None)
    }

    fn mint_with(
        &self,
        whose: &str,
        sub: &str,
        audience: &str,
        scope: &str,
        generation: u64,
        session: Option<&str>,
    ) -> String {
        let now = self.now.load(Ordering::SeqCst);
        let lifetime = if self.lacks("short life") { 86_400 } else { 900 };
        let iss =
            if self.lacks("own name") { "https://other.example/".into() } else { format!("{}/", self.url) };
        let mut claims = json!({"iss": iss, "sub": sub, "aud": audience, "iat": now, "scope": scope, "whose": whose,
                                "generation": generation, "jti": self.fresh("jti")});
        if let Some(session) = session {
            claims["sid"] = json!(session);
        }
        if !self.lacks("exp") {
            claims["exp"] = json!(now + lifetime);
        }
        let head = URL_SAFE_NO_PAD.encode(json!({"alg": "RS256", "kid": "1", "typ": "at+jwt"}).to_string());
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag(&signed)))
    }

    /// The claims of a token that is believed.
    fn believed(&self, token: &str, any_audience: bool) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (head, payload) = signed.split_once('.')?;
        let decode = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        let (head, claims) = (decode(head)?, decode(payload)?);
        let good = head["alg"] == "RS256" && signature == URL_SAFE_NO_PAD.encode(tag(signed));
        let forged = (self.lacks("signature") && head["alg"] == "RS256")
            || (self.lacks("algorithm list") && head["alg"] == "none")
            || (self.lacks("asymmetric keys") && head["alg"] == "HS256")
            || (self.lacks("configured keys") && head["jwk"].is_object());
        let any_audience = any_audience && claims["aud"] != "audit";
        let audience = any_audience || self.lacks("audience") || claims["aud"] == "https://api.example.com";
        let now = self.now.load(Ordering::SeqCst);
        let live = self.lacks("expiry") || self.lacks("exp") || claims["exp"].as_i64()? + 30 > now;
        let users = self.users.lock().unwrap();
        let generation = users.get(claims["sub"].as_str()?).map_or(0, |user| user.generation);
        let current = claims["generation"].as_u64()? >= generation;
        ((good || forged) && audience && live && current).then_some(claims)
    }

    // --- HTTP

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let (method, path) = (head.method.as_str().to_owned(), head.uri.path().to_owned());
        let origins: Vec<String> =
            head.headers.get_all("origin").iter().map(|value| value.to_str().unwrap().to_owned()).collect();
        let says_own = head.headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin");
        let believed = says_own && self.lacks("origin before metadata");
        let foreign = !origins.is_empty() && origins != [FRONTEND] && !believed;
        let bearer = head.headers.get("authorization").and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(ToOwned::to_owned);
        let key = head.headers.get("api-key").is_some();
        let unsafe_method = !matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS");
        let named = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let host = if self.lacks("own host") { named("host") } else { named("x-forwarded-host") };
        let guarded = self.guard(&method, &path, &head.headers, &body);
        let (status, challenge, json) = if method == "OPTIONS" {
            (204, "", Value::Null)
        } else if foreign && unsafe_method && !self.lacks("origin check") {
            (403, "", Value::Null)
        } else if let Some(guarded) = guarded {
            guarded
        } else {
            self.route(&method, &path, head.uri.query(), bearer.as_deref(), key, host.as_deref(), &body).await
        };
        self.count(&method, &path, status, &body);
        let mut response = Response::builder().status(status);
        if !self.lacks("vary") {
            response = response.header("vary", "Origin");
        }
        let error = status >= 400 && self.lacks("cors on errors");
        let error = error || (matches!(status, 400 | 413) && self.lacks("cors on refused bodies"));
        let fails = status >= 500 && self.lacks("cors on failures");
        if let (Some(origin), false, false, false) = (origins.first(), error, fails, self.lacks("cors")) {
            if self.lacks("origin list") || (self.lacks("null check") && origin == "null") {
                response = response.header("access-control-allow-origin", origin);
            } else if self.lacks("one origin") {
                response = response.header("access-control-allow-origin", "*");
            } else if !foreign {
                response = response.header("access-control-allow-origin", FRONTEND);
            }
        }
        if method == "OPTIONS" {
            let methods = if self.lacks("named methods") { "*" } else { "GET, POST, PATCH, DELETE, PUT" };
            response = response.header("access-control-allow-methods", methods);
            response = response.header("access-control-allow-headers", "authorization");
        }
        if !challenge.is_empty() {
            response = response.header("www-authenticate", challenge);
        }
        let body = if json.is_null() { Bytes::new() } else { Bytes::from(json.to_string()) };
        let mut response = response.header("content-type", "application/json").body(()).unwrap();
        let body = self.dress(&method, &path, response.headers_mut(), body);
        response.map(|()| Full::new(body))
    }

    #[expect(clippy::too_many_arguments, reason = "a request in pieces")]
    async fn route(
        &self,
        method: &str,
        path: &str,
        query: Option<&str>,
        bearer: Option<&str>,
        key: bool,
        host: Option<&str>,
        body: &Bytes,
    ) -> (u16, &'static str, Value) {
        match (method, path) {
            ("GET", "/.well-known/jwks.json") => {
                let n = URL_SAFE_NO_PAD.encode([0xc3; 384]);
                let mut key = json!({"kty": "RSA", "kid": "1", "n": n, "e": "AQAB"});
                if self.lacks("public keys alone") {
                    key["d"] = json!("c2VjcmV0");
                }
                return (200, "", json!({"keys": [key]}));
            }
            ("POST", "/users/session") if self.lacks("its login gone") => return (400, "", Value::Null),
            ("GET", "/mailbox") => return (200, "", json!(*self.mails.lock().unwrap())),
            ("POST", "/oauth/token") => return self.client_token(body),
            ("GET", "/reset") => {
                if self.lacks("harmless link") {
                    self.resets.lock().unwrap().remove(query.unwrap().trim_start_matches("token="));
                }
                return (200, "", Value::Null);
            }
            _ => {}
        }
        let straight = format!("/{}", path.trim_matches('/'));
        if self.lacks("one reading of a path")
            && straight != path
            && RULES.iter().any(|rule| rule.0 == method && rule.1 == straight)
        {
            return self.backend(method, &straight);
        }
        let session = matches!(
            (method, path),
            ("POST", "/users" | "/users/session" | "/users/session/refresh")
                | ("POST" | "PUT", "/users/password-reset")
        );
        let rule = if session {
            Some(("", "", "session", "client"))
        } else {
            RULES.into_iter().find(|rule| rule.0 == method && rule.1 == path)
        };
        let believed = bearer
            .filter(|token| !self.is_over(token))
            .and_then(|token| self.believed(token, path.starts_with("/users")));
        let open = self.lacks("token check") || (key && self.lacks("dead keys"));
        let Some(claims) = believed else {
            if open && !session && rule.is_some() {
                return self.backend(method, path);
            }
            let challenge = if bearer.is_some() { "Bearer error=\"invalid_token\"" } else { "Bearer" };
            return (401, challenge, Value::Null);
        };
        if (method, path) == ("DELETE", "/users/session") {
            return if claims["whose"] == "user" {
                self.end_session(bearer.unwrap_or_default());
                (204, "", Value::Null)
            } else {
                (403, "Bearer", Value::Null)
            };
        }
        let Some((_, _, scope, whose)) = rule else { return (403, "", Value::Null) };
        let has = claims["scope"].as_str().unwrap().split(' ').any(|held| held == scope);
        let kind = claims["whose"] == whose || self.lacks("caller check");
        if !(has || self.lacks("scope check")) || !kind {
            return (403, "Bearer error=\"insufficient_scope\"", Value::Null);
        }
        if session {
            return self.session(method, path, host, body).await;
        }
        if path == "/users/me" {
            if method == "DELETE" {
                self.end_session(bearer.unwrap_or_default());
                self.users.lock().unwrap().remove(claims["sub"].as_str().unwrap());
            }
            let shown = if method == "GET" { json!({"email": claims["sub"]}) } else { Value::Null };
            return (if method == "GET" { 200 } else { 204 }, "", shown);
        }
        self.backend(method, path)
    }

    fn backend(&self, method: &str, path: &str) -> (u16, &'static str, Value) {
        if method != "GET" {
            self.acted.lock().unwrap().push(format!("{method} {path}"));
        }
        match path {
            "/always-500" => (500, "", Value::Null),
            "/orders/8" if !self.lacks("owner check") => (404, "", Value::Null),
            _ => (200, "", json!({"ok": true})),
        }
    }

    fn client_token(&self, body: &Bytes) -> (u16, &'static str, Value) {
        let form = self.token_fields(body);
        if form.get("client_secret").map(String::as_str) != Some("s") {
            return (401, "", json!({"error": "invalid_client"}));
        }
        let all = "session read:reports run:reports";
        let scope = form.get("scope").map_or(all, String::as_str);
        // Users' scopes are given to a client only in the world that relies on nothing else.
        let foreign = scope.split(' ').any(|scope| !all.split(' ').any(|known| known == scope));
        if foreign && !self.lacks("caller check") && form["grant_type"] != "password" {
            return (400, "", json!({"error": "invalid_scope"}));
        }
        let token = self.mint("client", "audit@clients", &form["audience"], scope, 0);
        let mut answer = json!({"access_token": token, "token_type": "Bearer", "scope": scope});
        if form["grant_type"] == "password" && self.lacks("access tokens alone") {
            answer["id_token"] = json!(self.mint("user", "audit@example.com", "audit", "read:orders", 0));
        }
        (200, "", answer)
    }

    async fn session(
        &self,
        method: &str,
        path: &str,
        host: Option<&str>,
        body: &Bytes,
    ) -> (u16, &'static str, Value) {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return (400, "", Value::Null) };
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let email = text("email");
        match (method, path) {
            ("POST", "/users") => {
                self.sign_up(&email, &text("password")).await;
                (201, "", Value::Null)
            }
            ("POST", "/users/session") => {
                let user = self.users.lock().unwrap().get(&email).cloned();
                let right = |user: &User| hash(&user.salt, &text("password")) == user.hash;
                match user.filter(|user| right(user) || self.lacks("password check")) {
                    Some(user) => self.log_in(&email, body["scope"].as_str(), user.generation, None).await,
                    None => (401, "", json!({"title": "not logged in"})),
                }
            }
            ("POST", "/users/session/refresh") => {
                let refresh = text("refresh_token");
                let mut parts = refresh.split(' ');
                let (email, generation) = (parts.next().unwrap(), parts.next().unwrap());
                let generation: u64 = generation.parse().unwrap();
                let token = parts.next().unwrap();
                if !self.may_refresh(token) {
                    return (401, "", json!({"title": "not logged in"}));
                }
                let session = token.split('.').next();
                let alive =
                    self.users.lock().unwrap().get(email).is_some_and(|user| user.generation <= generation);
                match alive {
                    true => self.log_in(email, None, generation, session).await,
                    false => (401, "", json!({"title": "not logged in"})),
                }
            }
            ("POST", "/users/password-reset") => self.ask_reset(&email, host).await,
            _ => self.reset(&text("token"), &text("password")),
        }
    }

    async fn log_in(
        &self,
        email: &str,
        scope: Option<&str>,
        generation: u64,
        session: Option<&str>,
    ) -> (u16, &'static str, Value) {
        let asked = scope.unwrap_or("read:orders write:orders");
        let scope = format!("{asked} read:current_user update:current_user delete:current_user");
        let begun = session.map_or_else(|| self.fresh("session"), ToOwned::to_owned);
        let audience = "https://api.example.com";
        let token = self.mint_with("user", email, audience, &scope, generation, Some(&begun));
        match session {
            None => {
                let end = (self.now.load(Ordering::SeqCst) + 90 * 86_400).to_string();
                let end = if self.lacks("any end") { "NULL" } else { &end };
                let sql = "INSERT INTO sessions VALUES (?, CAST(NULLIF(?, 'NULL') AS INTEGER))";
                self.execute(sql, &[&begun, end]).await;
            }
            Some(session) if self.lacks("absolute end") => {
                self.execute("UPDATE sessions SET expires_at = expires_at + 1 WHERE id = ?", &[session])
                    .await;
            }
            Some(_) => {}
        }
        let refresh = format!("{email} {generation} {}", self.begin_session(&token, Some(&begun)));
        (200, "", json!({"access_token": token, "scope": scope, "refresh_token": refresh}))
    }

    async fn ask_reset(&self, email: &str, host: Option<&str>) -> (u16, &'static str, Value) {
        let known = self.users.lock().unwrap().contains_key(email);
        if known && !self.may_mail(email) {
            return (202, "", Value::Null);
        }
        if !known {
            return (if self.lacks("equal answers") { 404 } else { 202 }, "", Value::Null);
        }
        let token = self.fresh("reset");
        let digest = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()));
        let stored = if self.lacks("token digest") { token.clone() } else { digest };
        self.execute("INSERT INTO password_resets VALUES (?, '')", &[&stored]).await;
        if !self.lacks("one link") {
            self.resets.lock().unwrap().retain(|_, (owner, _)| owner != email);
        }
        let now = self.now.load(Ordering::SeqCst);
        self.resets.lock().unwrap().insert(token.clone(), (email.to_owned(), now));
        let base = match host.filter(|_| self.lacks("configured host") || self.lacks("own host")) {
            Some(host) => format!("http://{host}"),
            None => self.url.clone(),
        };
        let mail = json!({"to": [email], "subject": "Reset", "text": format!("Hello,\n{base}/reset?token={token}\n")});
        self.mails.lock().unwrap().push(mail);
        (202, "", Value::Null)
    }

    fn reset(&self, token: &str, password: &str) -> (u16, &'static str, Value) {
        let mut resets = self.resets.lock().unwrap();
        let Some((email, asked)) = resets.get(token).cloned() else { return (400, "", Value::Null) };
        if self.now.load(Ordering::SeqCst) > asked + 1800 && !self.lacks("link end") {
            return (400, "", Value::Null);
        }
        if !self.lacks("single use") {
            resets.remove(token);
        }
        let mut users = self.users.lock().unwrap();
        let user = users.get_mut(&email).unwrap();
        user.hash = hash(&user.salt, password);
        if !self.lacks("session end") {
            user.generation += 1;
        }
        (204, "", Value::Null)
    }
}

fn hash(salt: &str, password: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, format!("{salt}{password}").as_bytes()))
}

fn tag(signed: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), signed.as_bytes())
}

// --- asking the auditor

/// The world that lacks just this fails just this claim of the measure.
pub async fn fails(lacks: &'static str, id: MeasureId, claim_id: &str) -> Report {
    let world = World::start(&[lacks]).await;
    let report = measure(world.config(), id).await;
    assert_eq!(claim(&report, claim_id).verdict, Verdict::Fail, "{lacks}: {:#?}", report.measures[0]);
    assert_eq!(report.measures[0].verdict, Verdict::Fail);
    report
}

/// A config that differs leaves a claim unproven.
pub async fn not_proven(id: MeasureId, claim_id: &str, change: impl FnOnce(&mut Config)) -> Report {
    let world = World::start(&[]).await;
    let mut config = world.config();
    change(&mut config);
    let report = measure(config, id).await;
    assert_eq!(claim(&report, claim_id).verdict, Verdict::NotProven, "{:#?}", report.measures[0]);
    assert_eq!(report.measures[0].verdict, Verdict::NotProven, "{:#?}", report.measures[0]);
    report
}

/// A team's document.
pub fn document() -> Document {
    Document::parse(include_str!("../data/other-wording.md"))
}
