//! A running issuer with one API, one role, two clients and a clock that stands still.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;

use async_trait::async_trait;
use identity::{
    Clock, Config, DeliveryError, Fresh, Identity, Letter, Mode, Postman, SessionCaller, SessionConfig,
};
use secrecy::SecretSlice;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use store::{Api, ApiScope, ClientGrant, ClientRow, Location, Store};
use tempfile::TempDir;
use testkit::clock::FixedClock;
use testkit::http::{Client, Reply, Request};

pub const ISSUER: &str = "https://id.example/";
pub const AUDIENCE: &str = "https://api.example";
pub const OTHER_AUDIENCE: &str = "https://other.example";
pub const FRONTEND: &str = "https://app.example";
pub const SECRET: &str = "an-application's secret: 100% + é";
pub const PASSWORD: &str = "seven llamas waltz quietly";
pub const NEW_PASSWORD: &str = "nine otters juggle loudly";
pub const STORE_KEY: [u8; 32] = [9; 32];
pub const KEY_ENCRYPTION_KEY: [u8; 32] = [7; 32];

/// Letters that were delivered.
#[derive(Default)]
pub struct Postbox(Mutex<Vec<Letter>>);

#[async_trait]
impl Postman for Postbox {
    async fn deliver(&self, letter: &Letter) -> Result<(), DeliveryError> {
        self.0.lock().unwrap().push(letter.clone());
        Ok(())
    }
}

pub struct World {
    _folder: TempDir,
    pub file: PathBuf,
    pub store: Store,
    pub identity: Identity,
    pub clock: FixedClock,
    pub base: String,
    pub address: SocketAddr,
    pub http: Client,
    pub postbox: Postbox,
}

pub fn config() -> Config {
    Config {
        issuer: ISSUER.to_owned(),
        access_token_lifetime: 900,
        session: SessionConfig {
            prefix: "/users".to_owned(),
            audience: AUDIENCE.to_owned(),
            caller: SessionCaller::Client,
            refresh_idle: 3_600,
            refresh_absolute: 86_400,
        },
        passwords: accounts::password::Policy::default(),
        mode: Mode::Own,
        mail: None,
        trusted_proxies: Vec::new(),
        frontend_origins: policy::Origins::parse(&[FRONTEND.to_owned()], false).unwrap(),
        hashing_threads: 2,
        hashing_queue: 64,
        service_name: "Example".to_owned(),
    }
}

pub fn location(file: &std::path::Path) -> Location {
    Location::SqlCipher { path: file.to_owned(), key: SecretSlice::from(STORE_KEY.to_vec()) }
}

pub fn key_encryption_key() -> SecretSlice<u8> {
    SecretSlice::from(KEY_ENCRYPTION_KEY.to_vec())
}

pub fn clock_of(clock: &FixedClock) -> Clock {
    let clock = clock.clone();
    Clock::new(move || clock.now())
}

async fn declare(store: &Store, now: i64) {
    for (identifier, scopes) in
        [(AUDIENCE, &["session", "read:orders", "write:orders"][..]), (OTHER_AUDIENCE, &["read:other"][..])]
    {
        let scopes =
            scopes.iter().map(|value| ApiScope { value: (*value).to_owned(), description: String::new() });
        let api = Api {
            identifier: identifier.to_owned(),
            name: identifier.to_owned(),
            scopes: scopes.collect(),
            signing_alg: "RS256".to_owned(),
            token_lifetime: (identifier == OTHER_AUDIENCE).then_some(300),
        };
        store.upsert_api(&api, now).await.unwrap();
    }
    let permissions = [(AUDIENCE, "read:orders"), (OTHER_AUDIENCE, "read:other")]
        .map(|(a, s)| (a.to_owned(), s.to_owned()));
    store.upsert_role("user", "", true, &permissions, now).await.unwrap();
    client(store, "machine", &["session", "read:orders"], now).await;
    client(store, "without-session", &["read:orders"], now).await;
}

pub async fn client(store: &Store, id: &str, scopes: &[&str], now: i64) {
    let row = ClientRow {
        id: id.to_owned(),
        name: id.to_owned(),
        kind: "non_interactive".to_owned(),
        secret_digest: Some(oauth::one_time_secret::Digest::of(SECRET).as_bytes().to_vec()),
        auth_method: "client_secret_post".to_owned(),
        grants: vec!["client_credentials".to_owned()],
        callbacks: Vec::new(),
        logout_urls: Vec::new(),
        web_origins: Vec::new(),
        disabled: false,
        created_at: now,
    };
    let grant = ClientGrant {
        audience: AUDIENCE.to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
    };
    store.upsert_client(&row, &[grant], now).await.unwrap();
}

impl World {
    pub async fn new() -> Self {
        Self::with(config()).await
    }

    pub async fn public() -> Self {
        let mut config = config();
        config.session.caller = SessionCaller::Public { reason: "a test".to_owned() };
        Self::with(config).await
    }

    pub async fn with(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("portcullis.db");
        let store = Store::open(&location(&file)).await.unwrap();
        let clock = FixedClock::default();
        declare(&store, clock.now()).await;
        let identity =
            Identity::start(config, store.clone(), key_encryption_key(), clock_of(&clock), Fresh::system())
                .await
                .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = identity.router().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self {
            _folder: folder,
            file,
            store,
            identity,
            clock,
            base: format!("http://{address}"),
            address,
            http: Client::new(),
            postbox: Postbox::default(),
        }
    }

    /// How many users there are.
    pub async fn users(&self) -> u64 {
        self.count("SELECT count(*) FROM users").await
    }

    /// How many mails wait, claimed or not.
    pub async fn mail_waiting(&self) -> u64 {
        self.count("SELECT count(*) FROM outbox").await
    }

    async fn count(&self, sql: &'static str) -> u64 {
        let key: String = STORE_KEY.iter().map(|byte| format!("{byte:02x}")).collect();
        let options = SqliteConnectOptions::new().filename(&self.file).pragma("key", format!("\"x'{key}'\""));
        let mut connection = options.connect().await.unwrap();
        let count = sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        count.try_into().unwrap()
    }

    pub fn request(&self, method: &str, path: &str) -> Request {
        self.http.request(method, &format!("{}{path}", self.base))
    }

    /// A client's token with scope `session`.
    pub async fn client_token(&self) -> String {
        self.client_credentials(&[]).await.expect(200).json()["access_token"].as_str().unwrap().to_owned()
    }

    pub async fn client_credentials(&self, more: &[(&str, &str)]) -> Reply {
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", "machine"),
            ("client_secret", SECRET),
            ("audience", AUDIENCE),
        ];
        form.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        form.extend(more);
        form.retain(|(_, value)| !value.is_empty());
        self.request("POST", "/oauth/token").form(&form).send().await
    }

    /// JSON to the session API, in the name of the client.
    pub async fn call(&self, method: &str, path: &str, body: &Value) -> Reply {
        let token = self.client_token().await;
        self.request(method, path).bearer(&token).json(body).send().await
    }

    pub async fn sign_up(&self, email: &str) {
        self.call("POST", "/users", &json!({ "email": email, "password": PASSWORD })).await.expect(201);
    }

    pub async fn log_in(&self, email: &str, password: &str) -> Reply {
        self.call("POST", "/users/session", &json!({ "email": email, "password": password })).await
    }

    /// A fresh session of a user who signs up first: access and refresh token.
    pub async fn session(&self, email: &str) -> (String, String) {
        self.sign_up(email).await;
        self.session_again(email, PASSWORD).await
    }

    pub async fn session_again(&self, email: &str, password: &str) -> (String, String) {
        let body = self.log_in(email, password).await.expect(200).json();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        (text("access_token"), text("refresh_token"))
    }

    pub async fn me(&self, token: &str) -> Reply {
        self.request("GET", "/users/me").bearer(token).send().await
    }

    /// Everything in the outbox is delivered; what came since the last call.
    pub async fn letters(&self) -> Vec<Letter> {
        while self.identity.deliver_due(&self.postbox).await.unwrap() > 0 {}
        std::mem::take(&mut *self.postbox.0.lock().unwrap())
    }

    /// The token in the reset link that was mailed to this address last.
    pub async fn reset_token(&self, email: &str) -> String {
        self.call("POST", "/users/password-reset", &json!({ "email": email })).await.expect(202);
        self.mailed_token(email).await
    }

    pub async fn mailed_token(&self, email: &str) -> String {
        let letters = self.letters().await;
        let letter =
            letters.iter().rev().find(|letter| letter.to == email && letter.text.contains("/reset?"));
        let letter = letter.unwrap_or_else(|| panic!("no reset link for {email}"));
        let rest = letter.text.split("reset?token=").nth(1).unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    }

    pub async fn user(&self, email: &str) -> store::User {
        self.store.user_by_email(email).await.unwrap().unwrap()
    }
}

/// The payload of a token, unverified.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a token, unverified.
pub fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
