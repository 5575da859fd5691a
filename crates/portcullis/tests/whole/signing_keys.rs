//! The succession of signing keys beside a running server: list, rotate, revoke.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::served::Served;
use crate::world::{PASSWORD, access_token};

async fn command(here: &Served, arguments: &[&str]) -> Value {
    let mut all = vec!["signing-keys"];
    all.extend(arguments);
    all.push("--json");
    let output = here.laid.run(&all).await.expect(0);
    if output.stdout.trim().is_empty() { Value::Null } else { output.json() }
}

fn kids(list: &Value) -> Vec<String> {
    let mut kids: Vec<String> =
        list.as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
    kids.sort();
    kids
}

async fn published(here: &Served) -> Vec<String> {
    let url = here.issuer(".well-known/jwks.json");
    kids(&here.http.get(&url).send().await.expect(200).json()["keys"])
}

/// Asks until it is so; a second is promised, a busy machine may take longer.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let asked = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.unwrap_or_else(|_| panic!("not yet: {what}"));
}

async fn login(here: &Served) -> String {
    access_token(&here.log_in("ada@example.com", PASSWORD).await.expect(200))
}

/// Which key has signed it.
fn signer(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_next_key_is_published_before_it_signs() {
    let here = Served::start("").await;
    here.sign_up("ada@example.com").await;
    let first = kids(&command(&here, &["list"]).await);
    assert_eq!(first.len(), 1);
    let old = first[0].clone();
    let token = login(&here).await;
    assert_eq!(signer(&token), old);
    assert_eq!(here.notes(&token).await, 200);

    let rotation = command(&here, &["rotate"]).await;
    let next = rotation["kid"].as_str().unwrap().to_owned();
    assert_ne!(next, old);
    assert_eq!(rotation["retiring"][0]["kid"], old.as_str(), "{rotation}");
    let listed = command(&here, &["list"]).await;
    let of = |kid: &str| listed.as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap().clone();
    let (signs_from, created) = (of(&next)["signs_from_at"].as_i64(), of(&next)["created_at"].as_i64());
    assert!(signs_from > created, "it is published before it signs: {listed}");
    assert!(of(&old)["retires_at"].as_i64() > signs_from, "the old one outlives its tokens: {listed}");

    until("both keys are published", async || {
        let mut both = vec![old.clone(), next.clone()];
        both.sort();
        published(&here).await == both
    })
    .await;
    assert_eq!(signer(&login(&here).await), old, "the next key signs when every cache knows it");
    // A second rotation while one waits is the same one.
    assert_eq!(command(&here, &["rotate"]).await["kid"], next.as_str());
    // The old one is stolen while its successor waits: the successor begins early, and nobody's login fails.
    command(&here, &["revoke", &old]).await;
    until("the revoked key's tokens are refused", async || here.notes(&token).await == 401).await;
    let early = login(&here).await;
    assert_eq!(signer(&early), next);
    until("what it signs passes", async || here.notes(&early).await == 200).await;
    here.stop().await;
}

#[tokio::test]
async fn a_revoked_keys_tokens_end_at_the_gateway_and_another_key_signs_at_once() {
    let here = Served::start("").await;
    here.sign_up("ada@example.com").await;
    let token = login(&here).await;
    let old = signer(&token);
    assert_eq!(here.notes(&token).await, 200);

    command(&here, &["revoke", &old]).await;
    until("the revoked key's tokens are refused", async || here.notes(&token).await == 401).await;
    until("it is no longer published", async || !published(&here).await.contains(&old)).await;
    let fresh = login(&here).await;
    assert_ne!(signer(&fresh), old);
    until("what another key signs passes", async || here.notes(&fresh).await == 200).await;

    let unknown = here.laid.run(&["signing-keys", "revoke", "no-such-key"]).await.expect(2);
    assert!(unknown.stderr.contains("no-such-key") && unknown.stderr.contains("list"), "{}", unknown.stderr);
    // What was revoked stays revoked after a start.
    let here = here.stop().await.start().await;
    assert_eq!(here.notes(&token).await, 401);
    assert_eq!(here.notes(&fresh).await, 200);
    here.stop().await;
}
