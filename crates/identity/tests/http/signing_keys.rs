//! Signing keys: at rest, over restarts, in rotation.

use identity::{Fault, Fresh, Identity, PUBLISHED_BEFORE};
use secrecy::SecretSlice;

use crate::world::{World, clock_of, config, header, key_encryption_key};

async fn kid(world: &World) -> String {
    header(&world.client_token().await)["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_key_outlives_a_restart_and_lies_sealed() {
    let world = World::new().await;
    let before = world.client_token().await;
    let again = Identity::start(
        config(),
        world.store.clone(),
        key_encryption_key(),
        clock_of(&world.clock),
        Fresh::system(),
    )
    .await
    .unwrap();
    jose::verify_claims(&before, &again.key_set()).unwrap();
    let rows = world.store.signing_keys().await.unwrap();
    assert_eq!(rows.len(), 1);
    // An unsealed PKCS#8 key of this size would begin so, and name rsaEncryption.
    let oid = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    assert!(!rows[0].private_sealed.windows(oid.len()).any(|window| window == oid));
}

#[tokio::test]
async fn a_key_encryption_key_that_does_not_fit_is_a_clear_fault_at_start() {
    let world = World::new().await;
    let wrong = Identity::start(
        config(),
        world.store.clone(),
        SecretSlice::from(vec![8; 32]),
        clock_of(&world.clock),
        Fresh::system(),
    )
    .await;
    assert!(matches!(wrong, Err(Fault::KeyEncryptionKeyDoesNotFit)));
    let short = Identity::start(
        config(),
        world.store.clone(),
        SecretSlice::from(vec![7; 16]),
        clock_of(&world.clock),
        Fresh::system(),
    )
    .await;
    assert!(matches!(short, Err(Fault::KeyEncryptionKeyLength(16))));
}

#[tokio::test]
async fn the_next_key_is_published_before_it_signs_and_the_old_one_leaves_after_its_last_token() {
    let world = World::new().await;
    let first = kid(&world).await;
    let rotation = world.identity.rotate_signing_key().await.unwrap();
    assert_eq!(rotation.signs_from, world.clock.now() + PUBLISHED_BEFORE);
    assert_eq!(rotation, world.identity.rotate_signing_key().await.unwrap(), "a second call changes nothing");
    assert!(world.identity.key_set().contains(&rotation.kid));
    assert_eq!(kid(&world).await, first);

    world.clock.advance(PUBLISHED_BEFORE - 1);
    let last = world.client_token().await;
    assert_eq!(header(&last)["kid"], first.as_str());
    world.clock.advance(1);
    assert_eq!(kid(&world).await, rotation.kid);

    world.clock.advance(900);
    jose::verify_claims(&last, &world.identity.key_set()).unwrap();
    world.clock.advance(600);
    assert!(!world.identity.key_set().contains(&first));
    assert!(world.identity.key_set().contains(&rotation.kid));
}

#[tokio::test]
async fn another_node_signs_with_the_same_key_after_the_feed_told_it() {
    let world = World::new().await;
    let other = Identity::start(
        config(),
        world.store.clone(),
        key_encryption_key(),
        clock_of(&world.clock),
        Fresh::system(),
    )
    .await
    .unwrap();
    let seq = world.store.latest_seq().await.unwrap();
    let rotation = world.identity.rotate_signing_key().await.unwrap();
    assert!(!other.key_set().contains(&rotation.kid));
    for change in world.store.changes_since(seq, 0, i64::MAX).await.unwrap() {
        other.apply_change(&change.kind, &change.key).await.unwrap();
    }
    assert!(other.key_set().contains(&rotation.kid));
}

#[tokio::test]
async fn a_stolen_key_is_out_at_once_and_another_signs() {
    let world = World::new().await;
    let first = kid(&world).await;
    assert!(!world.identity.revoke_signing_key("unknown").await.unwrap());
    assert!(world.identity.revoke_signing_key(&first).await.unwrap());
    assert!(!world.identity.key_set().contains(&first));
    assert_ne!(kid(&world).await, first);
}

#[tokio::test]
async fn a_next_key_that_is_revoked_has_a_successor_before_the_old_one_ends() {
    let world = World::new().await;
    let first = kid(&world).await;
    let rotation = world.identity.rotate_signing_key().await.unwrap();
    world.clock.advance(60);
    assert!(world.identity.revoke_signing_key(&rotation.kid).await.unwrap());
    assert_eq!(kid(&world).await, first, "the old one signs until the successor is known");
    let (_, retires_at) = rotation.retiring[0];
    world.clock.advance(PUBLISHED_BEFORE - 61);
    let last = world.client_token().await;
    assert_eq!(header(&last)["kid"], first.as_str());
    world.clock.advance(1);
    let successor = kid(&world).await;
    assert!(successor != first && successor != rotation.kid);
    jose::verify_claims(&last, &world.identity.key_set()).unwrap();
    world.clock.advance(retires_at - world.clock.now() + 1);
    assert_eq!(kid(&world).await, successor);
}

#[tokio::test]
async fn a_store_whose_keys_all_end_gets_another_when_it_is_read() {
    let world = World::new().await;
    let first = kid(&world).await;
    let rotation = world.identity.rotate_signing_key().await.unwrap();
    // As an earlier version, or a restored backup, may have left it.
    world.store.delete_signing_key(&rotation.kid, world.clock.now()).await.unwrap();
    let (_, retires_at) = rotation.retiring[0];
    world.clock.advance(retires_at - world.clock.now());
    world.identity.reload_keys().await.unwrap();
    assert_ne!(kid(&world).await, first);
    assert_eq!(world.identity.key_set().to_json()["keys"].as_array().unwrap().len(), 1);
}
