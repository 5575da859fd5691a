//! What is remembered never says more than a fresh verification would.

use serde_json::json;

use crate::world::{AUDIENCE, ISSUER, LIFETIME, NOON, World, key, key_set};

fn counter(world: &World, name: &str) -> u64 {
    let text = world.gateway.metrics();
    let line = text.lines().find(|line| line.starts_with(name) && !line.starts_with('#')).unwrap().to_owned();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_token_is_verified_once() {
    let world = World::start().await;
    let token = world.user("read:orders");
    for _ in 0..5 {
        assert_eq!(world.get("/orders/7", &token).await.status, 200);
    }
    assert_eq!(counter(&world, "portcullis_gateway_remembered_hits_total"), 4);
    assert_eq!(counter(&world, "portcullis_gateway_remembered_misses_total"), 1);
    // What is remembered is who came, not what was allowed.
    assert_eq!(world.get("/admin", &token).await.status, 403);
}

#[tokio::test]
async fn failures_are_not_remembered() {
    let world = World::start().await;
    let token = world.token(|claims| claims["nbf"] = json!(NOON + 60));
    assert_eq!(world.get("/orders/7", &token).await.status, 401);
    world.set_clock(NOON + 60);
    assert_eq!(world.get("/orders/7", &token).await.status, 200);
}

#[tokio::test]
async fn it_never_outlives_exp() {
    let world = World::start().await;
    let token = world.user("read:orders");
    assert_eq!(world.get("/orders/7", &token).await.status, 200);
    for (at, status) in [(LIFETIME - 1, 200), (LIFETIME, 200), (LIFETIME + 29, 200), (LIFETIME + 30, 401)] {
        world.set_clock(NOON + at);
        assert_eq!(world.get("/orders/7", &token).await.status, status, "{at}");
    }
    assert_eq!(
        counter(&world, "portcullis_gateway_remembered_hits_total"),
        1,
        "within the leeway it is verified afresh"
    );
}

#[tokio::test]
async fn it_never_outlives_its_key() {
    let world = World::start().await;
    let token = world.user("read:orders");
    assert_eq!(world.get("/orders/7", &token).await.status, 200);
    let next = key("own-2");
    world.own_keys.replace(key_set(&[&world.key, &next]));
    assert_eq!(world.get("/orders/7", &token).await.status, 200, "its key is still published");
    world.own_keys.replace(key_set(&[&next]));
    assert_eq!(world.get("/orders/7", &token).await.status, 401);
    let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "usr_1", "iat": NOON, "exp": NOON + 60, "scope": "read:orders"});
    assert_eq!(world.get("/orders/7", &jose::sign(&next, "at+jwt", &claims).unwrap()).await.status, 200);
}

#[tokio::test]
async fn zero_verifies_every_time() {
    let world = World::start_with(|plan| plan.config.remembered_tokens = 0).await;
    let token = world.user("read:orders");
    for _ in 0..3 {
        assert_eq!(world.get("/orders/7", &token).await.status, 200);
    }
    assert_eq!(counter(&world, "portcullis_gateway_remembered_hits_total"), 0);
    assert_eq!(counter(&world, "portcullis_gateway_remembered_tokens"), 0);
}

#[tokio::test]
async fn it_stays_bounded() {
    let world = World::start_with(|plan| plan.config.remembered_tokens = 3).await;
    for n in 0..20 {
        let token = world.token(|claims| claims["jti"] = json!(n.to_string()));
        assert_eq!(world.get("/orders/7", &token).await.status, 200);
    }
    assert_eq!(counter(&world, "portcullis_gateway_remembered_tokens"), 3);
}
