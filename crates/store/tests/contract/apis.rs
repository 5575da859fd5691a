use store::{ClientGrant, Store, kind};

use crate::engines::{NOW, change, new_api, new_client, new_user, permissions, told, words};

const API: &str = "https://api.example.com";

pub async fn an_api_is_made_and_made_over(store: &Store) {
    let mut api = new_api(API, &["write:a", "read:a"]);
    store.upsert_api(&api, NOW).await.unwrap();
    assert_eq!(store.api(API).await.unwrap(), Some(api.clone()));
    api.token_lifetime = Some(600);
    api.signing_alg = "ES256".to_owned();
    store.upsert_api(&api, NOW).await.unwrap();
    assert_eq!(store.api(API).await.unwrap(), Some(api));
    assert_eq!(store.api("https://API.example.com").await.unwrap(), None);

    store.upsert_api(&new_api("A", &[]), NOW).await.unwrap();
    let all: Vec<_> = store.apis().await.unwrap().into_iter().map(|api| api.identifier).collect();
    assert_eq!(all, ["A", API]);
    assert_eq!(
        told(store, 0).await,
        [change(kind::API, API), change(kind::API, API), change(kind::API, "A")]
    );
}

pub async fn a_lost_scope_is_taken_from_roles_and_clients(store: &Store) {
    store.upsert_api(&new_api(API, &["read:a", "write:a"]), NOW).await.unwrap();
    store.upsert_role("all", "", false, &permissions(API, &["read:a", "write:a"]), NOW).await.unwrap();
    store.insert_user(&new_user("ada"), &words(&["all"])).await.unwrap();
    let granted = ClientGrant { audience: API.to_owned(), scopes: words(&["write:a", "read:a"]) };
    store.upsert_client(&new_client("c"), &[granted], NOW).await.unwrap();
    let before = store.latest_seq().await.unwrap();

    store.upsert_api(&new_api(API, &["read:a"]), NOW).await.unwrap();
    assert_eq!(store.user_permissions("usr_ada", API).await.unwrap(), ["read:a"]);
    assert_eq!(store.client("c").await.unwrap().unwrap().1[0].scopes, ["read:a"]);
    assert_eq!(told(store, before).await, [change(kind::CLIENT, "c"), change(kind::API, API)]);

    store.upsert_api(&new_api(API, &[]), NOW).await.unwrap();
    assert!(store.user_permissions("usr_ada", API).await.unwrap().is_empty());
    assert!(store.client("c").await.unwrap().unwrap().1[0].scopes.is_empty());
}

pub async fn a_deleted_api_takes_its_grants_along(store: &Store) {
    store.upsert_api(&new_api(API, &["read:a"]), NOW).await.unwrap();
    store.upsert_role("reader", "", false, &permissions(API, &["read:a"]), NOW).await.unwrap();
    let granted = ClientGrant { audience: API.to_owned(), scopes: words(&["read:a"]) };
    store.upsert_client(&new_client("c"), &[granted], NOW).await.unwrap();
    assert!(store.delete_api(API, NOW).await.unwrap());
    assert!(!store.delete_api(API, NOW).await.unwrap());
    assert!(store.role("reader").await.unwrap().unwrap().permissions.is_empty());
    assert!(store.client("c").await.unwrap().unwrap().1.is_empty());
}
