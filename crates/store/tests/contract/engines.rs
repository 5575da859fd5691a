//! A fresh store on each engine, and rows to put into it.

use secrecy::{SecretSlice, SecretString};
use store::{Api, ApiScope, ClientRow, Fault, Location, NewMail, NewRefreshToken, NewUser, Session, Store};
use testkit::postgres::Postgres;

/// The present of every test.
pub const NOW: i64 = 1_800_000_000;

/// A store and what must outlive it.
pub struct World {
    pub store: Store,
    pub location: Location,
    _folder: Option<tempfile::TempDir>,
}

impl World {
    pub async fn sqlcipher() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::SqlCipher { path: folder.path().join("store.db"), key: key(1) };
        let store = Store::open(&location).await.unwrap();
        Self { store, location, _folder: Some(folder) }
    }

    pub async fn postgres() -> Self {
        let database = Postgres::shared().fresh_database();
        let location = Location::Postgres {
            url: database.url(),
            password: SecretString::from(database.password.clone()),
        };
        let store = Store::open(&location).await.unwrap();
        Self { store, location, _folder: None }
    }
}

pub fn key(byte: u8) -> SecretSlice<u8> {
    SecretSlice::from(vec![byte; 32])
}

pub fn digest(number: u8) -> Vec<u8> {
    vec![number; 32]
}

pub fn new_user(name: &str) -> NewUser {
    NewUser {
        id: format!("usr_{name}"),
        email: format!("{name}@Example.com"),
        email_canonical: format!("{name}@example.com"),
        email_verified: false,
        password_hash: Some(format!("hash of {name}")),
        created_at: NOW,
    }
}

/// A user, stored.
pub async fn user(store: &Store, name: &str) -> String {
    let user = new_user(name);
    store.insert_user(&user, &[]).await.unwrap();
    user.id
}

pub fn new_session(id: &str, user_id: &str) -> Session {
    Session {
        id: id.to_owned(),
        user_id: user_id.to_owned(),
        client_id: "session".to_owned(),
        audience: "https://api.example.com".to_owned(),
        scope: "read:orders write:orders".to_owned(),
        created_at: NOW,
        expires_at: NOW + 86_400,
        ended_at: None,
    }
}

pub fn refresh(number: u8) -> NewRefreshToken {
    NewRefreshToken { digest: digest(number), expires_at: NOW + 3_600 }
}

/// A session with the refresh token of that number, stored.
pub async fn session(store: &Store, id: &str, user_id: &str, number: u8) {
    assert!(store.create_session(&new_session(id, user_id), &refresh(number)).await.unwrap());
}

pub fn new_api(identifier: &str, scopes: &[&str]) -> Api {
    Api {
        identifier: identifier.to_owned(),
        name: format!("API {identifier}"),
        scopes: scopes
            .iter()
            .map(|value| ApiScope { value: (*value).to_owned(), description: format!("may {value}") })
            .collect(),
        signing_alg: "RS256".to_owned(),
        token_lifetime: None,
    }
}

pub fn new_client(id: &str) -> ClientRow {
    ClientRow {
        id: id.to_owned(),
        name: format!("Application {id}"),
        kind: "non_interactive".to_owned(),
        secret_digest: Some(digest(9)),
        auth_method: "client_secret_post".to_owned(),
        grants: words(&["client_credentials"]),
        callbacks: words(&["https://app.example.com/callback"]),
        logout_urls: Vec::new(),
        web_origins: words(&["https://app.example.com"]),
        disabled: false,
        created_at: NOW,
    }
}

/// How many users there are.
pub async fn count_users(store: &Store) -> u64 {
    store.users(None, 1_000_000).await.unwrap().len() as u64
}

/// A reset link, with some mail.
pub async fn reset_link(
    store: &Store,
    digest: &[u8],
    user_id: &str,
    expires_at: i64,
    now: i64,
) -> Result<(), Fault> {
    let mail = NewMail { id: format!("mail of {digest:?}"), sealed: vec![1] };
    store.insert_password_reset_with_mail(digest, user_id, expires_at, &mail, now).await
}

pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub fn permissions(audience: &str, scopes: &[&str]) -> Vec<(String, String)> {
    scopes.iter().map(|scope| (audience.to_owned(), (*scope).to_owned())).collect()
}

/// Kinds and keys of the changes after a number.
pub async fn told(store: &Store, after: i64) -> Vec<(String, String)> {
    let changes = store.changes_since(after, 0, i64::MAX).await.unwrap();
    changes.into_iter().map(|change| (change.kind, change.key)).collect()
}

pub fn change(kind: &str, key: &str) -> (String, String) {
    (kind.to_owned(), key.to_owned())
}
