use store::{Fault, Permission, Store, kind};

use crate::engines::{NOW, change, new_api, new_user, permissions, told, user, words};

const API: &str = "https://api.example.com";

pub async fn a_role_is_made_and_made_over(store: &Store) {
    store.upsert_api(&new_api(API, &["read:a", "write:a"]), NOW).await.unwrap();
    let before = store.latest_seq().await.unwrap();
    store
        .upsert_role("editor", "edits", true, &permissions(API, &["write:a", "read:a", "read:a"]), NOW)
        .await
        .unwrap();
    let role = store.role("editor").await.unwrap().unwrap();
    assert_eq!((role.description.as_str(), role.is_default), ("edits", true));
    let scopes: Vec<_> = role.permissions.iter().map(|permission| permission.scope.as_str()).collect();
    assert_eq!(scopes, ["read:a", "write:a"]);

    store.upsert_role("editor", "looks", false, &permissions(API, &["read:a"]), NOW).await.unwrap();
    let role = store.role("editor").await.unwrap().unwrap();
    assert_eq!((role.description.as_str(), role.is_default), ("looks", false));
    let read = Permission { audience: API.to_owned(), scope: "read:a".to_owned() };
    assert_eq!(role.permissions, [read]);
    assert_eq!(told(store, before).await, [change(kind::ROLE, "editor"), change(kind::ROLE, "editor")]);
    assert_eq!(store.role("nobody").await.unwrap(), None);
}

pub async fn an_unknown_api_is_named(store: &Store) {
    let refused = store.upsert_role("editor", "", false, &permissions("urn:nowhere", &["read:a"]), NOW).await;
    assert!(
        matches!(&refused, Err(Fault::Conflict(reason)) if reason.contains("urn:nowhere")),
        "{refused:?}"
    );
    assert_eq!(store.role("editor").await.unwrap(), None);
}

pub async fn default_roles_are_sorted(store: &Store) {
    for (name, is_default) in [("b", true), ("a", true), ("c", false), ("B", true)] {
        store.upsert_role(name, "", is_default, &[], NOW).await.unwrap();
    }
    assert_eq!(store.default_roles().await.unwrap(), ["B", "a", "b"]);
    let all: Vec<_> = store.roles().await.unwrap().into_iter().map(|role| role.name).collect();
    assert_eq!(all, ["B", "a", "b", "c"]);
}

pub async fn permissions_of_several_roles_are_merged(store: &Store) {
    store.upsert_api(&new_api(API, &["read:a", "write:a", "read:b"]), NOW).await.unwrap();
    store.upsert_api(&new_api("urn:other", &["read:o"]), NOW).await.unwrap();
    let mut both = permissions(API, &["read:a", "read:b"]);
    both.extend(permissions("urn:other", &["read:o"]));
    store.upsert_role("reader", "", false, &both, NOW).await.unwrap();
    store.upsert_role("writer", "", false, &permissions(API, &["write:a", "read:a"]), NOW).await.unwrap();
    let ada = new_user("ada");
    store.insert_user(&ada, &words(&["writer", "reader"])).await.unwrap();

    assert_eq!(store.user_roles(&ada.id).await.unwrap(), ["reader", "writer"]);
    assert_eq!(store.user_permissions(&ada.id, API).await.unwrap(), ["read:a", "read:b", "write:a"]);
    assert_eq!(store.user_permissions(&ada.id, "urn:other").await.unwrap(), ["read:o"]);
    assert!(store.user_permissions(&ada.id, "urn:nowhere").await.unwrap().is_empty());
    assert!(store.user_permissions("usr_nobody", API).await.unwrap().is_empty());
}

pub async fn a_deleted_role_is_nobodys(store: &Store) {
    store.upsert_role("reader", "", false, &[], NOW).await.unwrap();
    store.insert_user(&new_user("ada"), &words(&["reader"])).await.unwrap();
    assert!(store.delete_role("reader", NOW).await.unwrap());
    assert!(!store.delete_role("reader", NOW).await.unwrap());
    assert!(store.user_roles("usr_ada").await.unwrap().is_empty());
}

pub async fn roles_of_a_user_are_replaced_or_left(store: &Store) {
    for name in ["a", "b"] {
        store.upsert_role(name, "", false, &[], NOW).await.unwrap();
    }
    let id = user(store, "ada").await;
    assert!(store.set_user_roles(&id, &words(&["a", "a"]), NOW).await.unwrap());
    assert_eq!(store.user_roles(&id).await.unwrap(), ["a"]);
    assert!(matches!(
        store.set_user_roles(&id, &words(&["b", "unknown"]), NOW).await,
        Err(Fault::Conflict(_))
    ));
    assert_eq!(store.user_roles(&id).await.unwrap(), ["a"]);
    assert!(store.set_user_roles(&id, &words(&["b"]), NOW).await.unwrap());
    assert_eq!(store.user_roles(&id).await.unwrap(), ["b"]);
    assert!(store.set_user_roles(&id, &[], NOW).await.unwrap());
    assert!(store.user_roles(&id).await.unwrap().is_empty());
    assert!(!store.set_user_roles("usr_nobody", &[], NOW).await.unwrap());
}
