use store::{ApiKey, ApiKeyUse, Fault, Store, kind};

use crate::engines::{NOW, change, digest, new_client, told, words};

fn api_key(id: &str, number: u8) -> ApiKey {
    ApiKey {
        id: id.to_owned(),
        name: format!("Key {id}"),
        digest: digest(number),
        scopes: words(&["read:orders"]),
        client_id: Some("c".to_owned()),
        created_at: NOW,
        expires_at: Some(NOW + 1_000),
        revoked_at: None,
        last_used_at: None,
        uses: 0,
    }
}

pub async fn a_key_is_found_by_digest(store: &Store) {
    let key = api_key("k1", 1);
    store.insert_api_key(&key).await.unwrap();
    assert_eq!(store.api_key_by_digest(&digest(1)).await.unwrap(), Some(key.clone()));
    assert_eq!(store.api_key("k1").await.unwrap(), Some(key));
    assert_eq!(store.api_key_by_digest(&digest(2)).await.unwrap(), None);
    assert_eq!(store.api_key_by_digest(&[]).await.unwrap(), None);
    let mut nameless = api_key("k2", 2);
    nameless.name = "A".to_owned();
    nameless.client_id = None;
    nameless.expires_at = None;
    store.insert_api_key(&nameless).await.unwrap();
    let ids: Vec<_> = store.api_keys().await.unwrap().into_iter().map(|key| key.id).collect();
    assert_eq!(ids, ["k2", "k1"]);
    assert_eq!(told(store, 0).await, [change(kind::API_KEY, "k1"), change(kind::API_KEY, "k2")]);
}

pub async fn a_key_is_stored_once(store: &Store) {
    store.insert_api_key(&api_key("k1", 1)).await.unwrap();
    assert!(matches!(store.insert_api_key(&api_key("k2", 1)).await, Err(Fault::Conflict(_))));
    assert!(matches!(store.insert_api_key(&api_key("k1", 2)).await, Err(Fault::Conflict(_))));
    assert_eq!(store.api_keys().await.unwrap().len(), 1);
}

pub async fn a_key_is_bound_to_another_client(store: &Store) {
    store.insert_api_key(&api_key("k1", 1)).await.unwrap();
    let before = store.latest_seq().await.unwrap();
    assert!(store.bind_api_key("k1", "another", NOW).await.unwrap());
    assert!(!store.bind_api_key("unknown", "another", NOW).await.unwrap());
    let bound = ApiKey { client_id: Some("another".to_owned()), ..api_key("k1", 1) };
    assert_eq!(store.api_key("k1").await.unwrap(), Some(bound));
    assert_eq!(told(store, before).await, [change(kind::API_KEY, "k1")]);
}

pub async fn revoked_once_and_deleted_once(store: &Store) {
    store.insert_api_key(&api_key("k1", 1)).await.unwrap();
    let before = store.latest_seq().await.unwrap();
    assert!(store.revoke_api_key("k1", NOW + 1).await.unwrap());
    assert!(!store.revoke_api_key("k1", NOW + 2).await.unwrap());
    assert!(!store.revoke_api_key("unknown", NOW).await.unwrap());
    // Revoked, and still there to be recognised.
    let key = store.api_key_by_digest(&digest(1)).await.unwrap().unwrap();
    assert_eq!(key.revoked_at, Some(NOW + 1));
    assert!(store.delete_api_key("k1", NOW + 3).await.unwrap());
    assert!(!store.delete_api_key("k1", NOW + 3).await.unwrap());
    assert_eq!(store.api_key("k1").await.unwrap(), None);
    assert_eq!(told(store, before).await, [change(kind::API_KEY, "k1"), change(kind::API_KEY, "k1")]);
}

pub async fn uses_add_up_and_never_go_back(store: &Store) {
    store.insert_api_key(&api_key("k1", 1)).await.unwrap();
    let seen = |id: &str, last_used_at: i64, count: i64| ApiKeyUse { id: id.to_owned(), last_used_at, count };
    store
        .record_api_key_uses(&[seen("k1", NOW + 10, 3), seen("gone", NOW, 1), seen("k1", NOW + 5, 2)])
        .await
        .unwrap();
    let key = store.api_key("k1").await.unwrap().unwrap();
    assert_eq!((key.uses, key.last_used_at), (5, Some(NOW + 10)));
    store.record_api_key_uses(&[]).await.unwrap();
}

pub async fn keys_of_a_deleted_client_are_revoked(store: &Store) {
    store.upsert_client(&new_client("c"), &[], NOW).await.unwrap();
    store.insert_api_key(&api_key("k1", 1)).await.unwrap();
    let mut other = api_key("k2", 2);
    other.client_id = Some("d".to_owned());
    store.insert_api_key(&other).await.unwrap();
    assert!(store.delete_client("c", NOW + 1).await.unwrap());
    assert_eq!(store.api_key("k1").await.unwrap().unwrap().revoked_at, Some(NOW + 1));
    assert_eq!(store.api_key("k2").await.unwrap().unwrap().revoked_at, None);
}
