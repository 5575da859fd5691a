//! Static API keys on their way out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use gateway::{ApiKeysConfig, KeyUse, LegacyKey, LegacyKeys, LegacyKeysUnavailable, digest_of};
use http::HeaderName;
use tokio::sync::mpsc;

use crate::world::{Answer, FRONTEND, NOON, World, get};

const DEPRECATED: i64 = NOON - 1000;
const SUNSET: i64 = NOON + 1000;

#[derive(Default)]
struct Keys {
    known: HashMap<[u8; 32], LegacyKey>,
    asked: AtomicUsize,
    down: bool,
}

#[async_trait]
impl LegacyKeys for Keys {
    async fn find(&self, digest: [u8; 32]) -> Result<Option<LegacyKey>, LegacyKeysUnavailable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.down {
            return Err(LegacyKeysUnavailable("the store is down".into()));
        }
        Ok(self.known.get(&digest).cloned())
    }
}

fn our_key(letter: &str) -> String {
    let body = format!("pcl_test_{}", letter.repeat(30));
    let checksum = String::from_utf8(policy::api_key::checksum(&body).to_vec()).unwrap();
    format!("{body}_{checksum}")
}

struct Scene {
    world: World,
    keys: Arc<Keys>,
    uses: mpsc::Receiver<KeyUse>,
}

async fn scene(down: bool) -> Scene {
    let mut keys = Keys { down, ..Keys::default() };
    for (key, id, client, expires_at) in [
        (our_key("a"), "key_a", Some("partner"), None),
        ("old-static-key".to_owned(), "key_old", Some("partner"), None),
        (our_key("n"), "key_nobody", None, None),
        (our_key("x"), "key_x", Some("partner"), Some(NOON + 10)),
    ] {
        let scopes = policy::ScopeSet::parse("read:orders write:reports read:me").unwrap();
        keys.known.insert(
            digest_of(&key),
            LegacyKey { id: id.into(), client: client.map(Into::into), scopes, expires_at },
        );
    }
    let keys = Arc::new(keys);
    let (sender, uses) = mpsc::channel(2);
    let legacy = Arc::clone(&keys);
    let world = World::start_with(move |plan| {
        plan.config.api_keys = Some(ApiKeysConfig {
            header: HeaderName::from_static("api-key"),
            deprecated: Some(DEPRECATED),
            sunset: Some(SUNSET),
            link: Some("https://docs.test/keys".into()),
        });
        plan.ports.legacy_keys = Some(legacy);
        plan.ports.key_uses = Some(sender);
    })
    .await;
    Scene { world, keys, uses }
}

async fn with_key(world: &World, path: &str, key: &str) -> Answer {
    get(world.address, path, &[("api-KEY", key), ("Origin", FRONTEND)]).await
}

fn announces(answer: &Answer) {
    assert_eq!(answer.header("deprecation"), Some(format!("@{DEPRECATED}").as_str()));
    assert_eq!(answer.header("sunset"), Some("Fri, 15 Jan 2027 08:16:40 GMT"));
    assert_eq!(answer.all("link").len(), 2);
    assert!(answer.header("access-control-expose-headers").unwrap().contains("Deprecation"));
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say() {
    let mut scene = scene(false).await;
    for key in [our_key("a"), "old-static-key".to_owned()] {
        let answer = with_key(&scene.world, "/orders/7", &key).await;
        assert_eq!(answer.status, 200);
        announces(&answer);
        let told = answer.json();
        assert!(told["headers"]["api-key"].is_null(), "never forwarded");
        assert_eq!(told["headers"]["x-auth-client"][0], "partner");
        assert_eq!(told["headers"]["x-auth-scopes"][0], "read:me read:orders write:reports");
        assert!(told["headers"]["x-auth-subject"].is_null());
    }
    assert_eq!(scene.uses.recv().await.unwrap(), KeyUse { id: "key_a".into(), at: NOON });
    assert_eq!(scene.uses.recv().await.unwrap().id, "key_old");
    for (path, status) in [("/admin", 403), ("/me", 403), ("/nowhere", 403)] {
        let answer = with_key(&scene.world, path, &our_key("a")).await;
        assert_eq!(answer.status, status, "{path}");
        announces(&answer);
    }
}

#[tokio::test]
async fn a_key_of_no_client_names_none() {
    let scene = scene(false).await;
    let claimed = [("api-key", our_key("n")), ("X-Auth-Client", "partner".to_owned())];
    let claimed = claimed.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = get(scene.world.address, "/orders/7", &claimed).await;
    assert_eq!(answer.status, 200);
    let told = answer.json();
    assert!(told["headers"]["x-auth-client"].is_null(), "{told}");
    assert!(told["headers"]["x-auth-subject"].is_null(), "{told}");
    assert_eq!(told["headers"]["x-auth-scopes"][0], "read:me read:orders write:reports");
}

#[tokio::test]
async fn the_sunset_is_kept_to_the_second() {
    let scene = scene(false).await;
    for (now, status) in [(SUNSET - 1, 200), (SUNSET, 401), (SUNSET + 1, 401), (SUNSET - 1, 200)] {
        scene.world.set_clock(now);
        let answer = with_key(&scene.world, "/orders/7", &our_key("a")).await;
        assert_eq!(answer.status, status, "{now}");
        announces(&answer);
        if status == 401 {
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        }
    }
}

#[tokio::test]
async fn unknown_expired_and_mistyped_keys_are_401() {
    let scene = scene(false).await;
    let mut mistyped = our_key("a");
    mistyped.replace_range(12..13, "b");
    for key in ["", mistyped.as_str(), "pcl_test_short", "pcl_"] {
        let answer = with_key(&scene.world, "/orders/7", key).await;
        assert_eq!(answer.status, 401, "{key}");
        announces(&answer);
    }
    assert_eq!(scene.keys.asked.load(Ordering::SeqCst), 0, "no look-up without a checksum that fits");
    assert_eq!(with_key(&scene.world, "/orders/7", &our_key("z")).await.status, 401);
    assert_eq!(with_key(&scene.world, "/orders/7", "unknown").await.status, 401);
    for (now, status) in [(NOON + 9, 200), (NOON + 10, 401)] {
        scene.world.set_clock(now);
        assert_eq!(with_key(&scene.world, "/orders/7", &our_key("x")).await.status, status, "{now}");
    }
}

#[tokio::test]
async fn a_key_beside_a_token_or_another_key_is_400() {
    let scene = scene(false).await;
    let (key, token) = (our_key("a"), format!("Bearer {}", scene.world.user("read:orders")));
    let both = get(scene.world.address, "/orders/7", &[("API-Key", &key), ("Authorization", &token)]).await;
    assert_eq!(both.status, 400);
    let two = get(scene.world.address, "/orders/7", &[("API-Key", &key), ("API-Key", &key)]).await;
    assert_eq!(two.status, 400);
    let query = get(scene.world.address, &format!("/orders/7?api-key={key}"), &[]).await;
    assert_eq!(query.status, 401);
    let token_alone = get(scene.world.address, "/orders/7", &[("Authorization", &token)]).await;
    assert_eq!(token_alone.status, 200);
    assert_eq!(token_alone.header("deprecation"), None, "a token is not deprecated");
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_503() {
    let scene = scene(true).await;
    let answer = with_key(&scene.world, "/orders/7", &our_key("a")).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    announces(&answer);
}

#[tokio::test]
async fn a_full_queue_of_uses_turns_nobody_away() {
    let scene = scene(false).await;
    for _ in 0..5 {
        assert_eq!(with_key(&scene.world, "/orders/7", &our_key("a")).await.status, 200);
    }
    let metrics = scene.world.gateway.metrics();
    assert!(metrics.contains("portcullis_gateway_api_key_uses_total 5"), "{metrics}");
    assert!(metrics.contains("portcullis_gateway_api_key_uses_unrecorded_total 3"), "{metrics}");
}

#[tokio::test]
async fn without_keys_configured_the_header_means_nothing() {
    let world = World::start().await;
    assert_eq!(get(world.address, "/orders/7", &[("API-Key", "old-static-key")]).await.status, 401);
}
