//! API keys on a real store.

use crate::world::{NOW, World};
use admin::Error;
use admin::api_keys::{self, Environment, Form, Fresh, KeyView, NewKey, State, form};
use admin::apis::{self, NewApi, NewScope};
use admin::applications::{self, NewApplication};
use oauth::client::ClientType;
use oauth::one_time_secret::Digest;
use secrecy::ExposeSecret;

const LEGACY: &str = "legacy-key-of-partner-a-0123456789";

async fn world() -> World {
    let world = World::new().await;
    let scopes = vec![NewScope { name: "read:orders".into(), description: String::new() }];
    let api = NewApi { identifier: "https://api.example.com".into(), scopes, ..NewApi::default() };
    assert!(apis::create(&world.store, &api, NOW).await.is_ok());
    world
}

fn key(name: &str) -> NewKey {
    NewKey {
        name: name.into(),
        scopes: vec!["read:orders".into()],
        client_id: None,
        expires_at: None,
        environment: Environment::Production,
    }
}

fn fresh(n: u8) -> Fresh {
    Fresh { id: [n; 8], key: [n; 32] }
}

#[tokio::test]
async fn a_key_is_shown_once_and_stored_as_a_digest() {
    let world = world().await;
    let made =
        api_keys::create(&world.store, &NewKey { expires_at: Some(NOW + 9), ..key("a") }, NOW, fresh(1))
            .await
            .unwrap();
    let plain = made.key.expose_secret();
    assert_eq!(form(plain), Form::Ours);
    assert_eq!(serde_json::to_value(&made).unwrap()["key"], plain);
    let stored = world.store.api_key_by_digest(Digest::of(plain).as_bytes()).await.unwrap().unwrap();
    assert_eq!((stored.id.as_str(), stored.expires_at), (made.view.id.as_str(), Some(NOW + 9)));
    let listed = serde_json::to_string(&api_keys::list(&world.store).await.unwrap()).unwrap();
    assert!(!listed.contains(plain) && !listed.contains("digest"));
    assert!(!format!("{made:?}").contains(plain));
}

#[tokio::test]
async fn a_key_that_breaks_a_rule_is_refused() {
    let world = world().await;
    for (key, why) in [
        (NewKey { name: String::new(), ..key("a") }, "must not be empty"),
        (NewKey { scopes: Vec::new(), ..key("a") }, "opens nothing"),
        (
            NewKey { scopes: vec!["write:orders".into()], ..key("a") },
            "no api has write:orders; there are: read:orders",
        ),
        (NewKey { expires_at: Some(NOW), ..key("a") }, "is in the past"),
        (NewKey { client_id: Some("nobody".into()), ..key("a") }, "there is no application nobody"),
    ] {
        let error = api_keys::create(&world.store, &key, NOW, fresh(1)).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(api_keys::list(&world.store).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_key_is_revoked_by_name_or_identifier_and_told_apart_from_its_namesake() {
    let world = world().await;
    let first = api_keys::create(&world.store, &key("a"), NOW, fresh(1)).await.unwrap().view;
    assert_eq!(api_keys::revoke(&world.store, "a", NOW + 1).await.unwrap().revoked_at, Some(NOW + 1));
    assert_eq!(api_keys::revoke(&world.store, &first.id, NOW + 2).await.unwrap().revoked_at, Some(NOW + 1));
    api_keys::create(&world.store, &key("a"), NOW, fresh(2)).await.unwrap();
    let error = api_keys::revoke(&world.store, "a", NOW).await.unwrap_err().to_string();
    assert!(error.contains("say which: ") && error.contains(&first.id), "{error}");
    api_keys::delete(&world.store, &first.id, NOW).await.unwrap();
    assert!(matches!(api_keys::show(&world.store, "b").await, Err(Error::Unknown { kind: "key", .. })));
    assert!(api_keys::show(&world.store, "a").await.is_ok());
}

#[tokio::test]
async fn a_key_is_bound_to_an_application_that_exists() {
    let mut world = world().await;
    let made = api_keys::create(&world.store, &key("a"), NOW, fresh(1)).await.unwrap();
    let bytes = admin::applications::Fresh { id: world.draw(), secret: world.draw() };
    let partner = NewApplication::new("partner", ClientType::NonInteractive);
    let client =
        applications::create(&world.store, &partner, NOW, bytes).await.unwrap().application.client_id;
    // By identifier alone: a name may be given to another application tomorrow.
    let error = api_keys::bind(&world.store, "a", "partner", NOW).await.unwrap_err().to_string();
    assert!(error.contains("there is no application partner") && error.contains(&client), "{error}");
    assert_eq!(api_keys::show(&world.store, "a").await.unwrap().client_id, None);
    let bound = api_keys::bind(&world.store, "a", &client, NOW).await.unwrap();
    assert_eq!(bound, KeyView { client_id: Some(client), ..made.view });
}

#[tokio::test]
async fn foreign_keys_are_imported_as_digests_and_twice_changes_nothing() {
    let mut world = world().await;
    let bytes = admin::applications::Fresh { id: world.draw(), secret: world.draw() };
    let partner = NewApplication::new("partner", ClientType::NonInteractive);
    let client =
        applications::create(&world.store, &partner, NOW, bytes).await.unwrap().application.client_id;
    let text = format!(
        "keys:\n  - name: partner-a\n    key: {LEGACY}\n    scopes: [read:orders]\n    client: {client}\n    expires: 90d\n  - name: partner-b\n    key: \"another key: with a colon\"\n    scopes: [read:orders]\n"
    );
    let imports = api_keys::read_imports(&text, "keys.yaml").unwrap();
    assert!(!format!("{imports:?}").contains(LEGACY));
    let mut n = 0;
    let mut draw = move || {
        n += 1;
        [n; 8]
    };
    let done = api_keys::import(&world.store, &imports, NOW, &mut draw).await.unwrap();
    assert_eq!(done.iter().map(|key| key.already_there).collect::<Vec<_>>(), [false, false]);
    assert_eq!(done[0].view.expires_at, Some(NOW + 90 * 86_400));
    let again = api_keys::import(&world.store, &imports, NOW + 5, &mut draw).await.unwrap();
    assert!(again.iter().all(|key| key.already_there));
    assert_eq!(again[0].view, done[0].view);
    let stored = world.store.api_key_by_digest(Digest::of(LEGACY).as_bytes()).await.unwrap().unwrap();
    assert_eq!((stored.name.as_str(), stored.client_id), ("partner-a", Some(client)));
}

#[tokio::test]
async fn a_bad_import_says_where_and_stores_nothing() {
    let world = world().await;
    let good = format!("  - {{ name: a, key: {LEGACY}, scopes: [read:orders] }}\n");
    for (line, why) in [
        ("  - { name: b, key: short, scopes: [read:orders] }", "keys.yaml:3:13: key b: is shorter than 16"),
        (
            "  - { name: b, key: pcl_prod_000000000000000000000000000000_000000, scopes: [read:orders] }",
            "its checksum is wrong",
        ),
        (
            "  - { name: b, key: legacy-key-of-partner-a-0123456789, scopes: [read:orders] }",
            "is the same key as a",
        ),
        (
            "  - { name: a, key: 0123456789abcdefg, scopes: [read:orders] }",
            "keys.yaml:3:13: key a: is the name of the key in line 2, too",
        ),
        (
            "  - { name: b, key: 0123456789abcdefg, scopes: [nothing] }",
            "keys.yaml:3:13: scope of key b: no api has nothing",
        ),
        (
            "  - { name: b, key: 0123456789abcdefg, scopes: [read:orders], client: x }",
            "there is no application x",
        ),
        ("  - { name: b, key: 0123456789abcdefg, scopes: [read:orders], note: x }", "keys.yaml:3:"),
        ("  - { name: b, key: 0123456789abcdefg, scopes: [read:orders], expires: soon }", "is no duration"),
    ] {
        let text = format!("keys:\n{good}{line}\n");
        let result = match api_keys::read_imports(&text, "keys.yaml") {
            Ok(imports) => api_keys::import(&world.store, &imports, NOW, &mut || [1; 8]).await.map(|_| ()),
            Err(error) => Err(error),
        };
        let error = result.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(!error.contains("0123456789"), "{error}");
    }
    assert!(api_keys::list(&world.store).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_name_of_a_living_key_is_not_imported_for_another() {
    let world = world().await;
    let first = api_keys::create(&world.store, &key("a"), NOW, fresh(1)).await.unwrap().view;
    let text = format!("keys:\n  - {{ name: a, key: {LEGACY}, scopes: [read:orders] }}\n");
    let imports = api_keys::read_imports(&text, "keys.yaml").unwrap();
    let refused =
        api_keys::import(&world.store, &imports, NOW, &mut || [2; 8]).await.unwrap_err().to_string();
    assert!(refused.starts_with("keys.yaml:2:13: key a: another key has this name"), "{refused}");
    assert!(refused.contains(&first.id), "{refused}");
    assert_eq!(api_keys::list(&world.store).await.unwrap().len(), 1);
    api_keys::revoke(&world.store, &first.id, NOW).await.unwrap();
    let done = api_keys::import(&world.store, &imports, NOW, &mut || [2; 8]).await.unwrap();
    assert!(!done[0].already_there, "what is over keeps no name");
}

#[tokio::test]
async fn the_report_says_who_still_uses_a_key() {
    let world = world().await;
    let made = api_keys::create(&world.store, &key("a"), NOW, fresh(1)).await.unwrap().view;
    api_keys::create(&world.store, &key("b"), NOW, fresh(2)).await.unwrap();
    let used = store::ApiKeyUse { id: made.id.clone(), last_used_at: NOW + 60, count: 3 };
    world.store.record_api_key_uses(&[used]).await.unwrap();
    let report = api_keys::report(&world.store, NOW + 31 * 86_400 - 3_600).await.unwrap();
    assert_eq!((report.in_use, report.unused, report.without_application), (0, 2, 2));
    let report = api_keys::report(&world.store, NOW + 86_400).await.unwrap();
    assert_eq!((report.in_use, report.keys[0].key.uses, report.keys[0].state), (1, 3, State::InUse));
    assert_eq!(report.keys[1].state, State::New);
}
