//! A world for one test: keys, a clock that stands still, a backend that tells what it got, a gateway on a real socket.

pub mod backend;
pub mod client;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use gateway::{Config, Gateway, IssuerConfig, Jwks, OwnKeys, Ports, Profile, Revocations};
use jose::{Algorithm, KeySet, PrivateKey};
use policy::{CallerKind, RouteConfig, Table};
use serde_json::{Value, json};
use tokio::sync::oneshot;

pub use backend::Backend;
pub use client::{Answer, get, send};

/// Where the clock stands at first.
pub const NOON: i64 = 1_800_000_000;
/// Our own issuer.
pub const ISSUER: &str = "https://auth.test/";
/// What tokens are for.
pub const AUDIENCE: &str = "https://api.test";
/// The frontend.
pub const FRONTEND: &str = "https://app.test";
/// The longest lifetime of our own tokens.
pub const LIFETIME: i64 = 900;

/// A signing key.
pub fn key(kid: &str) -> PrivateKey {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    PrivateKey::from_pkcs8(Algorithm::EdDsa, kid, pkcs8.as_ref()).unwrap()
}

/// The public halves.
pub fn key_set(keys: &[&PrivateKey]) -> KeySet {
    KeySet::new(keys.iter().map(|key| key.public()).collect()).unwrap()
}

/// The routes of the backend in these tests.
pub fn routes() -> Vec<RouteConfig> {
    let route = |endpoint: &str, scopes: &[&str], caller| RouteConfig {
        match_: endpoint.into(),
        scopes: Some(scopes.iter().map(|scope| (*scope).to_owned()).collect()),
        caller: Some(caller),
        ..RouteConfig::default()
    };
    let public = |endpoint: &str| RouteConfig {
        match_: endpoint.into(),
        public: Some("for tests".into()),
        ..RouteConfig::default()
    };
    vec![
        route("GET /orders/{id}", &["read:orders"], CallerKind::Any),
        route("POST /orders", &["write:orders"], CallerKind::User),
        route("DELETE /orders/{id}", &["write:orders"], CallerKind::User),
        route("GET /me", &["read:me"], CallerKind::User),
        route("POST /reports", &["write:reports"], CallerKind::Client),
        route("GET /admin", &["admin"], CallerKind::Any),
        route("OPTIONS /orders/{id}", &["read:orders"], CallerKind::Any),
        route("GET /files/{rest...}", &["read:files"], CallerKind::Any),
        public("GET /public"),
        public("POST /public"),
        public("OPTIONS /public"),
        public("GET /socket"),
        public("GET /drip"),
        public("POST /drip"),
    ]
}

/// Everything that runs.
pub struct World {
    pub backend: Backend,
    pub gateway: Gateway,
    pub address: SocketAddr,
    pub config: Config,
    pub key: PrivateKey,
    pub own_keys: Arc<OwnKeys>,
    pub revocations: Arc<Revocations>,
    pub clock: Arc<AtomicI64>,
    stop: Option<oneshot::Sender<()>>,
    pub served: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
}

/// What a test changes before the start.
pub struct Plan {
    pub config: Config,
    pub ports: Ports,
}

impl World {
    /// A gateway as shipped.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A gateway that `change` has changed.
    pub async fn start_with(change: impl FnOnce(&mut Plan)) -> Self {
        let backend = Backend::start().await;
        Self::start_before(backend, change).await
    }

    /// A gateway before this backend.
    pub async fn start_before(backend: Backend, change: impl FnOnce(&mut Plan)) -> Self {
        let key = key("own-1");
        let own_keys = Arc::new(OwnKeys::new(key_set(&[&key])));
        let revocations = Arc::new(Revocations::new(LIFETIME));
        let clock = Arc::new(AtomicI64::new(NOON));
        let counter = AtomicU64::new(0);
        let table = Table::build(None, &routes()).unwrap();
        let upstream = format!("http://{}", backend.address).parse().unwrap();
        let mut config = Config::new(upstream, Arc::new(table));
        config.origins = policy::Origins::parse(&[FRONTEND.to_owned()], false).unwrap();
        config.issuers = vec![own_issuer()];
        let now = Arc::clone(&clock);
        let ports = Ports {
            own_keys: Arc::clone(&own_keys),
            revocations: Arc::clone(&revocations),
            legacy_keys: None,
            key_uses: None,
            session_api: None,
            now: Arc::new(move || now.load(Ordering::SeqCst)),
            fresh: Arc::new(move || u128::from(counter.fetch_add(1, Ordering::SeqCst)).to_be_bytes()),
        };
        let mut plan = Plan { config, ports };
        change(&mut plan);
        let gateway = Gateway::new(plan.config.clone(), plan.ports).unwrap();
        let listener = gateway::listen("127.0.0.1:0".parse().unwrap(), false).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = gateway.clone();
        let served = tokio::spawn(async move {
            serving
                .serve(listener, async move {
                    let _ = stopped.await;
                })
                .await
        });
        Self {
            backend,
            gateway,
            address,
            config: plan.config,
            key,
            own_keys,
            revocations,
            clock,
            stop: Some(stop),
            served: Some(served),
        }
    }

    /// Begins to stop the gateway.
    pub fn stop(&mut self) {
        let _ = self.stop.take().expect("stopped already").send(());
    }

    pub fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub fn set_clock(&self, now: i64) {
        self.clock.store(now, Ordering::SeqCst);
    }

    /// A user's token with these scopes.
    pub fn user(&self, scope: &str) -> String {
        self.token(|claims| claims["scope"] = json!(scope))
    }

    /// A client's token with these scopes.
    pub fn client(&self, scope: &str) -> String {
        self.token(|claims| {
            claims["scope"] = json!(scope);
            claims["sub"] = json!("machine@clients");
            claims["client_id"] = json!("machine");
            claims["gty"] = json!("client-credentials");
            claims.as_object_mut().unwrap().remove("sid");
        })
    }

    /// A user's token, changed.
    pub fn token(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = claims(self.now());
        change(&mut claims);
        jose::sign(&self.key, "at+jwt", &claims).unwrap()
    }

    /// GET with a bearer token.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        get(self.address, path, &[("Authorization", &format!("Bearer {token}"))]).await
    }
}

/// Our own issuer.
pub fn own_issuer() -> IssuerConfig {
    IssuerConfig {
        url: ISSUER.into(),
        audience: AUDIENCE.into(),
        profile: Profile::Rfc9068,
        maximum_token_lifetime: LIFETIME,
        jwks: Jwks::Own,
        allow_http: false,
    }
}

/// A user's good claims.
pub fn claims(now: i64) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "usr_1", "client_id": "app", "iat": now, "exp": now + LIFETIME,
        "jti": "j1", "sid": "ses_1", "scope": "read:orders",
    })
}
