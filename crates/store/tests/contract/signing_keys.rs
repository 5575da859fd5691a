use store::{Fault, SigningKey, Store, kind};

use crate::engines::{NOW, change, told};

pub fn key(kid: &str, created_at: i64) -> SigningKey {
    SigningKey {
        kid: kid.to_owned(),
        algorithm: "RS256".to_owned(),
        public_jwk: r#"{"kty":"RSA"}"#.to_owned(),
        private_sealed: vec![0, 159, 146, 150],
        created_at,
        signs_from: created_at + 60,
        retires_at: None,
    }
}

pub async fn keys_come_oldest_first(store: &Store) {
    assert!(store.signing_keys().await.unwrap().is_empty());
    store.insert_signing_key(&key("young", NOW)).await.unwrap();
    store.insert_signing_key(&key("old", NOW - 10)).await.unwrap();
    assert_eq!(store.signing_keys().await.unwrap(), [key("old", NOW - 10), key("young", NOW)]);
    assert_eq!(told(store, 0).await, [change(kind::SIGNING_KEY, "young"), change(kind::SIGNING_KEY, "old")]);
}

pub async fn a_taken_kid_is_refused(store: &Store) {
    store.insert_signing_key(&key("k", NOW)).await.unwrap();
    assert!(matches!(store.insert_signing_key(&key("k", NOW + 1)).await, Err(Fault::Conflict(_))));
    assert_eq!(store.signing_keys().await.unwrap(), [key("k", NOW)]);
}

pub async fn the_first_key_of_an_algorithm_is_made_once(store: &Store) {
    assert!(store.insert_first_signing_key(&key("one", NOW)).await.unwrap());
    assert!(!store.insert_first_signing_key(&key("two", NOW)).await.unwrap());
    let mut elliptic = key("ec", NOW);
    elliptic.algorithm = "ES256".to_owned();
    assert!(store.insert_first_signing_key(&elliptic).await.unwrap());
    let kids: Vec<_> = store.signing_keys().await.unwrap().into_iter().map(|key| key.kid).collect();
    assert_eq!(kids, ["ec", "one"]);
}

pub async fn keys_retire_and_go(store: &Store) {
    store.insert_signing_key(&key("k", NOW)).await.unwrap();
    assert!(store.retire_signing_key("k", NOW + 900, NOW).await.unwrap());
    assert_eq!(store.signing_keys().await.unwrap()[0].retires_at, Some(NOW + 900));
    assert!(!store.retire_signing_key("unknown", NOW, NOW).await.unwrap());
    let before = store.latest_seq().await.unwrap();
    assert!(store.delete_signing_key("k", NOW).await.unwrap());
    assert!(!store.delete_signing_key("k", NOW).await.unwrap());
    assert!(store.signing_keys().await.unwrap().is_empty());
    assert_eq!(told(store, before).await, [change(kind::SIGNING_KEY, "k")]);
}

pub async fn the_first_seal_check_stays(store: &Store) {
    assert_eq!(store.seal_check().await.unwrap(), None);
    assert_eq!(store.set_seal_check(&[1]).await.unwrap(), [1]);
    assert_eq!(store.set_seal_check(&[2]).await.unwrap(), [1]);
    assert_eq!(store.seal_check().await.unwrap(), Some(vec![1]));
}
