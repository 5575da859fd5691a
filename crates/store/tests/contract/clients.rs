use store::{ClientGrant, Fault, Store, kind};

use crate::engines::{NOW, change, digest, new_api, new_client, new_session, refresh, told, user, words};

const API: &str = "https://api.example.com";

fn grant(scopes: &[&str]) -> ClientGrant {
    ClientGrant { audience: API.to_owned(), scopes: words(scopes) }
}

pub async fn a_client_is_made_and_made_over(store: &Store) {
    store.upsert_api(&new_api(API, &["read:a", "write:a"]), NOW).await.unwrap();
    let mut client = new_client("c");
    store.upsert_client(&client, &[grant(&["write:a", "read:a"])], NOW).await.unwrap();
    let stored = store.client("c").await.unwrap().unwrap();
    assert_eq!(stored, (client.clone(), vec![grant(&["write:a", "read:a"])]));

    client.secret_digest = None;
    client.auth_method = "none".to_owned();
    client.name = "Another".to_owned();
    client.created_at = NOW + 100;
    store.upsert_client(&client, &[], NOW).await.unwrap();
    let (row, grants) = store.client("c").await.unwrap().unwrap();
    assert_eq!((row.secret_digest, row.name.as_str(), row.created_at), (None, "Another", NOW));
    assert!(grants.is_empty());
    assert_eq!(store.client_by_name("Another").await.unwrap().unwrap().0.id, "c");
    assert_eq!(store.client_by_name("Application c").await.unwrap(), None);
    assert_eq!(store.client("d").await.unwrap(), None);
}

pub async fn a_taken_name_is_refused(store: &Store) {
    store.upsert_client(&new_client("c"), &[], NOW).await.unwrap();
    let mut other = new_client("d");
    other.name = "Application c".to_owned();
    assert!(matches!(store.upsert_client(&other, &[], NOW).await, Err(Fault::Conflict(_))));
    assert_eq!(store.client("d").await.unwrap(), None);
}

pub async fn an_unknown_api_leaves_no_client_behind(store: &Store) {
    let refused = store.upsert_client(&new_client("c"), &[grant(&["read:a"])], NOW).await;
    assert!(matches!(&refused, Err(Fault::Conflict(reason)) if reason.contains(API)), "{refused:?}");
    assert_eq!(store.client("c").await.unwrap(), None);
}

pub async fn clients_come_by_name(store: &Store) {
    store.upsert_api(&new_api(API, &["read:a"]), NOW).await.unwrap();
    for id in ["b", "a", "c"] {
        store.upsert_client(&new_client(id), &[grant(&["read:a"])], NOW).await.unwrap();
    }
    let clients = store.clients().await.unwrap();
    let ids: Vec<_> = clients.iter().map(|(client, _)| client.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert!(clients.iter().all(|(_, grants)| grants.len() == 1));
}

pub async fn a_new_secret_replaces_the_old(store: &Store) {
    store.upsert_client(&new_client("c"), &[], NOW).await.unwrap();
    let before = store.latest_seq().await.unwrap();
    assert!(store.set_client_secret("c", &digest(5), NOW).await.unwrap());
    assert_eq!(store.client("c").await.unwrap().unwrap().0.secret_digest, Some(digest(5)));
    assert_eq!(told(store, before).await, [change(kind::CLIENT, "c")]);
    assert!(!store.set_client_secret("d", &digest(5), NOW).await.unwrap());
}

pub async fn a_change_without_a_secret_keeps_the_stored_one(store: &Store) {
    let mut client = new_client("c");
    store.upsert_client(&client, &[], NOW).await.unwrap();
    // Somebody reads, another rotates, and the first writes what it changed.
    store.set_client_secret("c", &digest(5), NOW).await.unwrap();
    client.secret_digest = None;
    client.name = "renamed".to_owned();
    store.upsert_client(&client, &[], NOW).await.unwrap();
    let (row, _) = store.client("c").await.unwrap().unwrap();
    assert_eq!((row.name.as_str(), row.secret_digest), ("renamed", Some(digest(5))));
    client.secret_digest = Some(digest(6));
    store.upsert_client(&client, &[], NOW).await.unwrap();
    assert_eq!(store.client("c").await.unwrap().unwrap().0.secret_digest, Some(digest(6)));
    // What authenticates no more keeps no secret.
    client.secret_digest = None;
    client.auth_method = "none".to_owned();
    store.upsert_client(&client, &[], NOW).await.unwrap();
    assert_eq!(store.client("c").await.unwrap().unwrap().0.secret_digest, None);
}

pub async fn disabling_and_deleting_end_sessions(store: &Store) {
    let id = user(store, "ada").await;
    let mut client = new_client("c");
    for (number, disable) in [(1, true), (2, false)] {
        client.disabled = false;
        store.upsert_client(&client, &[], NOW).await.unwrap();
        let name = format!("s{number}");
        let mut session = new_session(&name, &id);
        session.client_id = "c".to_owned();
        assert!(store.create_session(&session, &refresh(number)).await.unwrap());
        let before = store.latest_seq().await.unwrap();
        if disable {
            client.disabled = true;
            store.upsert_client(&client, &[], NOW + 1).await.unwrap();
        } else {
            assert!(store.delete_client("c", NOW + 2).await.unwrap());
            assert!(!store.delete_client("c", NOW + 3).await.unwrap());
        }
        assert!(store.session(&name).await.unwrap().unwrap().ended_at.is_some());
        assert_eq!(told(store, before).await, [change(kind::SESSION, &name), change(kind::CLIENT, "c")]);
    }
    assert_eq!(store.client("c").await.unwrap(), None);
    let revocations = store.revocations_since(NOW).await.unwrap();
    assert_eq!(revocations.clients, [("c".to_owned(), NOW + 2)]);
}
