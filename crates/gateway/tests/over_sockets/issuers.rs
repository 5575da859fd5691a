//! Foreign issuers: their keys are fetched sparingly, kept for a while, and nothing passes without them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gateway::{IssuerConfig, Jwks, Profile, UNKNOWN_KEY_WINDOW};
use http::Response;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jose::PrivateKey;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::world::{AUDIENCE, NOON, World, key, key_set};

/// An issuer on loopback that publishes keys and counts who asks.
struct Idp {
    address: SocketAddr,
    keys: Arc<Mutex<String>>,
    fetches: Arc<AtomicUsize>,
    down: Arc<AtomicBool>,
    discovery: Arc<Mutex<Option<String>>>,
}

impl Idp {
    async fn start(keys: &[&PrivateKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let idp = Self {
            address: listener.local_addr().unwrap(),
            keys: Arc::new(Mutex::new(key_set(keys).to_json().to_string())),
            fetches: Arc::default(),
            down: Arc::default(),
            discovery: Arc::default(),
        };
        let (keys, fetches, down) = (Arc::clone(&idp.keys), Arc::clone(&idp.fetches), Arc::clone(&idp.down));
        let (discovery, address) = (Arc::clone(&idp.discovery), idp.address);
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let (keys, fetches, down) = (Arc::clone(&keys), Arc::clone(&fetches), Arc::clone(&down));
                let discovery = Arc::clone(&discovery);
                tokio::spawn(async move {
                    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                        let own = json!({"issuer": format!("http://{address}/"), "jwks_uri": format!("http://{address}/jwks")});
                        let answer = match request.uri().path() {
                            "/.well-known/openid-configuration" => {
                                discovery.lock().unwrap().clone().unwrap_or_else(|| own.to_string())
                            }
                            "/moved" => {
                                let moved = Response::builder().status(302).header("location", "/jwks");
                                return std::future::ready(Ok::<_, Infallible>(
                                    moved.body(Full::default()).unwrap(),
                                ));
                            }
                            "/huge" => format!("{{\"keys\":[{}]}}", " ".repeat(600 * 1024)),
                            _ => {
                                fetches.fetch_add(1, Ordering::SeqCst);
                                keys.lock().unwrap().clone()
                            }
                        };
                        let status = if down.load(Ordering::SeqCst) { 500 } else { 200 };
                        let answer =
                            Response::builder().status(status).body(Full::new(Bytes::from(answer))).unwrap();
                        std::future::ready(Ok::<_, Infallible>(answer))
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        idp
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn publish(&self, keys: &[&PrivateKey]) {
        *self.keys.lock().unwrap() = key_set(keys).to_json().to_string();
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    fn config(&self, profile: Profile, jwks: Jwks) -> IssuerConfig {
        IssuerConfig {
            url: self.url(),
            audience: AUDIENCE.into(),
            profile,
            maximum_token_lifetime: 86_400,
            jwks,
            allow_http: false,
        }
    }

    fn jwks(&self, path: &str) -> Jwks {
        Jwks::Url(format!("http://{}{path}", self.address).parse().unwrap())
    }

    /// An access token as Auth0 makes it.
    fn token(&self, key: &PrivateKey, now: i64, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": self.url(), "aud": [AUDIENCE, format!("{}userinfo", self.url())], "sub": "auth0|5f7c8ec7", "azp": "spa",
            "iat": now, "exp": now + 86_400, "scope": "openid read:orders read:me",
        });
        change(&mut claims);
        jose::sign(key, "JWT", &claims).unwrap()
    }
}

async fn world(idp: &Idp, jwks: Jwks) -> World {
    let issuer = idp.config(Profile::Auth0, jwks);
    World::start_with(|plan| plan.config.issuers.push(issuer)).await
}

#[tokio::test]
async fn an_auth0_token_is_accepted_beside_our_own() {
    let key = key("k1");
    let idp = Idp::start(&[&key]).await;
    let world = world(&idp, Jwks::Discovery).await;
    let answer = world.get("/me", &idp.token(&key, NOON, |_| {})).await;
    assert_eq!(answer.status, 200);
    let told = answer.json();
    assert_eq!(told["headers"]["x-auth-subject"][0], "auth0|5f7c8ec7");
    assert_eq!(told["headers"]["x-auth-client"][0], "spa");
    assert_eq!(world.get("/orders/7", &world.user("read:orders")).await.status, 200);
    let machine = idp.token(&key, NOON, |c| {
        c["sub"] = json!("m2m@clients");
        c["gty"] = json!("client-credentials");
    });
    assert_eq!(world.get("/me", &machine).await.status, 403, "a client is no user");
    assert_eq!(idp.fetches(), 1);
}

#[tokio::test]
async fn what_is_no_access_token_of_that_issuer_is_401() {
    let (theirs, ours) = (key("k1"), key("own-1"));
    let idp = Idp::start(&[&theirs]).await;
    let world = world(&idp, idp.jwks("/jwks")).await;
    for (what, token) in [
        (
            "an ID token",
            idp.token(&theirs, NOON, |c| {
                c["aud"] = json!("spa");
                c["nonce"] = json!("n")
            }),
        ),
        (
            "an ID token for the API's name",
            idp.token(&theirs, NOON, |c| {
                c["aud"] = json!(AUDIENCE);
                c["azp"] = json!(AUDIENCE)
            }),
        ),
        ("an ID token with a nonce", idp.token(&theirs, NOON, |c| c["nonce"] = json!("n"))),
        ("another audience", idp.token(&theirs, NOON, |c| c["aud"] = json!("https://other.test"))),
        ("too long-lived", idp.token(&theirs, NOON, |c| c["exp"] = json!(NOON + 86_401))),
        ("another issuer", idp.token(&theirs, NOON, |c| c["iss"] = json!("https://other.test/"))),
        ("our issuer, their key", jose::sign(&theirs, "at+jwt", &crate::world::claims(NOON)).unwrap()),
        ("their issuer, our key", idp.token(&ours, NOON, |_| {})),
        ("their issuer, the gateway's own key", idp.token(&world.key, NOON, |_| {})),
    ] {
        assert_eq!(world.get("/orders/7", &token).await.status, 401, "{what}");
    }
}

#[tokio::test]
async fn at_06_unknown_keys_cost_one_fetch_a_window() {
    let good = key("k1");
    let idp = Arc::new(Idp::start(&[&good]).await);
    let world = Arc::new(world(&idp, idp.jwks("/jwks")).await);
    assert_eq!(world.get("/orders/7", &idp.token(&good, NOON, |_| {})).await.status, 200);
    assert_eq!(idp.fetches(), 1);
    let flood = |round: usize| {
        (0..64)
            .map(|n| {
                let (idp, world) = (Arc::clone(&idp), Arc::clone(&world));
                tokio::spawn(async move {
                    let token = idp.token(&key(&format!("random-{round}-{n}")), NOON, |_| {});
                    world.get("/orders/7", &token).await.status
                })
            })
            .collect::<Vec<_>>()
    };
    for (round, at, fetches) in [(0, 0, 2), (1, UNKNOWN_KEY_WINDOW - 1, 2), (2, UNKNOWN_KEY_WINDOW, 3)] {
        world.set_clock(NOON + at);
        for request in flood(round) {
            assert_eq!(request.await.unwrap(), 401);
        }
        assert_eq!(idp.fetches(), fetches, "round {round}");
    }
    assert_eq!(world.get("/orders/7", &idp.token(&good, NOON, |_| {})).await.status, 200);
}

#[tokio::test]
async fn at_07_keys_rotate_without_a_restart() {
    let (old, new) = (key("k1"), key("k2"));
    let idp = Idp::start(&[&old]).await;
    let world = world(&idp, idp.jwks("/jwks")).await;
    let before = idp.token(&old, NOON, |_| {});
    assert_eq!(world.get("/orders/7", &before).await.status, 200);
    idp.publish(&[&old, &new]);
    assert_eq!(world.get("/orders/7", &idp.token(&new, NOON, |_| {})).await.status, 200, "a new key at once");
    assert_eq!(world.get("/orders/7", &before).await.status, 200);
    idp.publish(&[&new]);
    // The set is asked for again after ten minutes, in the background, even when every token is remembered.
    world.set_clock(NOON + 1200);
    let mut status = 0;
    for _ in 0..200 {
        status = world.get("/orders/7", &before).await.status;
        if status == 401 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(status, 401, "a withdrawn key ends what was remembered");
}

#[tokio::test]
async fn without_keys_it_is_503_and_then_recovers() {
    let key = key("k1");
    let idp = Idp::start(&[&key]).await;
    idp.down.store(true, Ordering::SeqCst);
    let world = world(&idp, idp.jwks("/jwks")).await;
    let token = idp.token(&key, NOON, |_| {});
    for _ in 0..5 {
        let answer = world.get("/orders/7", &token).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    }
    assert_eq!(idp.fetches(), 1, "a dead issuer is not flooded");
    assert_eq!(world.gateway.issuers_without_keys(), [idp.url()]);
    assert_eq!(
        world.get("/orders/7", &world.user("read:orders")).await.status,
        200,
        "our own tokens do not suffer"
    );
    idp.down.store(false, Ordering::SeqCst);
    world.set_clock(NOON + 2);
    assert_eq!(world.get("/orders/7", &token).await.status, 200);
    assert!(world.gateway.issuers_without_keys().is_empty());
}

/// The clock moves on whenever it is read, so that each request might think that it is time for another try.
#[tokio::test]
async fn a_hanging_issuer_costs_each_request_one_fetch_at_most() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, key) = (listener.local_addr().unwrap(), key("k1"));
    let fetches = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&fetches);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            seen.fetch_add(1, Ordering::SeqCst);
            held.push(stream);
        }
    });
    let idp = Idp { address, keys: Arc::default(), fetches, down: Arc::default(), discovery: Arc::default() };
    let issuer = idp.config(Profile::Auth0, idp.jwks("/jwks"));
    let clock = AtomicI64::new(NOON);
    let world = World::start_with(|plan| {
        plan.config.issuers.push(issuer);
        plan.ports.now = Arc::new(move || clock.fetch_add(3, Ordering::SeqCst));
    });
    let world = Arc::new(world.await);
    let requests: Vec<_> = (0..64)
        .map(|_| {
            let (world, token) = (Arc::clone(&world), idp.token(&key, NOON, |_| {}));
            tokio::spawn(async move { world.get("/orders/7", &token).await.status })
        })
        .collect();
    // One fetch takes five seconds; one after another they would take minutes.
    let all = async {
        for request in requests {
            assert_eq!(request.await.unwrap(), 503);
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), all)
        .await
        .expect("nobody waits for two fetches");
    assert_eq!(idp.fetches(), 1);
}

#[tokio::test]
async fn stale_keys_serve_for_a_day_and_no_longer() {
    let key = key("k1");
    let idp = Idp::start(&[&key]).await;
    let world = world(&idp, idp.jwks("/jwks")).await;
    world.gateway.warm_up().await;
    idp.down.store(true, Ordering::SeqCst);
    for (at, status) in [(3600, 200), (86_399, 200), (86_400, 503), (100_000, 503)] {
        world.set_clock(NOON + at);
        let token = idp.token(&key, NOON + at, |_| {});
        assert_eq!(world.get("/orders/7", &token).await.status, status, "{at}");
    }
    idp.down.store(false, Ordering::SeqCst);
    world.set_clock(NOON + 100_010);
    assert_eq!(world.get("/orders/7", &idp.token(&key, NOON + 100_010, |_| {})).await.status, 200);
}

#[tokio::test]
async fn redirects_huge_answers_and_foreign_metadata_give_no_keys() {
    let key = key("k1");
    let idp = Idp::start(&[&key]).await;
    let token = idp.token(&key, NOON, |_| {});
    for jwks in [idp.jwks("/moved"), idp.jwks("/huge")] {
        assert_eq!(world(&idp, jwks).await.get("/orders/7", &token).await.status, 503);
    }
    let jwks = format!("http://{}/jwks", idp.address);
    for metadata in [
        json!({"issuer": "https://other.test/", "jwks_uri": jwks}),
        json!({"issuer": idp.url(), "jwks_uri": "http://idp.example/jwks"}),
        json!({"issuer": idp.url()}),
    ] {
        *idp.discovery.lock().unwrap() = Some(metadata.to_string());
        assert_eq!(
            world(&idp, Jwks::Discovery).await.get("/orders/7", &token).await.status,
            503,
            "{metadata}"
        );
    }
    assert_eq!(idp.fetches(), 0);
}

#[tokio::test]
async fn keys_may_stand_in_a_file() {
    let key = key("k1");
    let idp = Idp::start(&[&key]).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), key_set(&[&key]).to_json().to_string()).unwrap();
    let world = world(&idp, Jwks::File(file.path().to_owned())).await;
    assert_eq!(world.get("/orders/7", &idp.token(&key, NOON, |_| {})).await.status, 200);
    assert_eq!(idp.fetches(), 0);
}

#[tokio::test]
async fn what_cannot_work_is_said_at_the_start() {
    let world = World::start().await;
    let refused = |change: &dyn Fn(&mut gateway::Config)| {
        let mut config = world.config.clone();
        change(&mut config);
        world.gateway.reload(config).unwrap_err().to_string()
    };
    let issuer =
        |jwks| IssuerConfig { url: "https://idp.example/".into(), jwks, ..crate::world::own_issuer() };
    for (change, wanted) in [
        (
            &(|c: &mut gateway::Config| c.upstream = "http://b/base".parse().unwrap())
                as &dyn Fn(&mut gateway::Config),
            "upstream",
        ),
        (&|c| c.issuers.push(crate::world::own_issuer()), "twice"),
        (&|c| c.issuers.push(issuer(Jwks::Url("http://idp.example/jwks".parse().unwrap()))), "plain http"),
        (&|c| c.issuers.push(issuer(Jwks::Url("ftp://idp.example/jwks".parse().unwrap()))), "https URL"),
    ] {
        let text = refused(change);
        assert!(text.contains(wanted), "{text}");
    }
    assert_eq!(
        world.get("/orders/7", &world.user("read:orders")).await.status,
        200,
        "the last good one stays in force"
    );
}
