//! Tokens of an issuer that nobody here wrote (npm `oauth2-mock-server`, looking like an Auth0 tenant) at the gateway.

use serde_json::{Value, json};
use testkit::http::Reply;
use testkit::node::MockIssuer;
use testkit::ports;
use testkit::server::Server;

use crate::world::{Caller, World, openapi};

const AUDIENCE: &str = "https://api.example.com";

struct Delegating {
    world: World,
    issuer: MockIssuer,
    unreachable: String,
    _backend: Server,
    _folder: tempfile::TempDir,
}

impl Delegating {
    async fn start() -> Self {
        let issuer = MockIssuer::start().await;
        let backend = Server::echo().await;
        let folder = tempfile::tempdir().unwrap();
        let notes_and_report =
            openapi(&[("/notes", Caller::User, "read:notes"), ("/report", Caller::Client, "read:report")]);
        let openapi = folder.path().join("openapi.json");
        std::fs::write(&openapi, notes_and_report).unwrap();
        let unreachable = format!("http://{}/", ports::refusing());
        let configuration = format!(
            r#"
[[gateway.issuer]]
url = "{}"
audience = "{AUDIENCE}"
profile = "auth0"
maximum_token_lifetime = "2h"
[[gateway.issuer]]
url = "{unreachable}"
audience = "{AUDIENCE}"
profile = "auth0"
maximum_token_lifetime = "2h"
"#,
            issuer.url()
        );
        let upstream = backend.url();
        let upstream = upstream.trim_end_matches('/');
        let arguments = ["--upstream", upstream, "--openapi", openapi.to_str().unwrap()];
        let world = World::dev(&arguments, &configuration).await;
        Self { world, issuer, unreachable, _backend: backend, _folder: folder }
    }

    async fn get(&self, path: &str, token: &str) -> Reply {
        self.world.http.get(&self.world.gateway(path)).bearer(token).send().await
    }

    async fn signed(&self, payload: Value) -> String {
        self.issuer.token(&json!({ "payload": payload })).await
    }
}

/// What an Auth0 tenant puts into a user's access token.
fn user() -> Value {
    json!({
        "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
        "aud": [AUDIENCE, "https://tenant.example.com/userinfo"],
        "azp": "my_client_id",
        "scope": "openid profile read:notes",
    })
}

/// And into a machine's.
fn machine() -> Value {
    json!({
        "sub": "machine_id@clients",
        "aud": AUDIENCE,
        "azp": "machine_id",
        "gty": "client-credentials",
        "scope": "read:report",
    })
}

fn with(mut payload: Value, more: Value) -> Value {
    let (Value::Object(payload_members), Value::Object(more)) = (&mut payload, more) else {
        panic!("not objects")
    };
    payload_members.extend(more);
    payload
}

#[track_caller]
fn is_invalid(reply: &Reply, what: &str) {
    assert_eq!(reply.code(), 401, "{what}: {}", reply.text());
    let challenge = reply.header("www-authenticate").unwrap_or_default();
    assert!(challenge.contains("invalid_token"), "{what}: {challenge}");
}

#[tokio::test]
async fn its_access_tokens_are_accepted_for_what_they_are() {
    let here = Delegating::start().await;
    let seen = here.get("/notes", &here.signed(user()).await).await.expect(200).json();
    assert_eq!(seen["headers"]["x-auth-subject"], json!(["auth0|5f7c8ec7c33c6c004bbafe82"]));
    let seen = here.get("/report", &here.signed(machine()).await).await.expect(200).json();
    assert_eq!(seen["headers"]["x-auth-subject"], json!(["machine_id@clients"]));

    here.get("/notes", &here.signed(machine()).await).await.expect(403);
    here.get("/report", &here.signed(user()).await).await.expect(403);
    let none = with(user(), json!({"scope": "openid"}));
    here.get("/notes", &here.signed(none).await).await.expect(403);
}

#[tokio::test]
async fn its_id_tokens_and_other_strangers_are_refused() {
    let here = Delegating::start().await;
    here.get("/notes", &here.signed(user()).await).await.expect(200);
    let id_token =
        json!({"sub": "auth0|1", "aud": "my_client_id", "nonce": "n", "auth_time": 1, "scope": "read:notes"});
    for (what, payload) in [
        ("an ID token", id_token),
        ("an ID token whose audience looks right", with(user(), json!({"nonce": "n", "at_hash": "x"}))),
        ("another audience", with(user(), json!({"aud": "https://other.example.com"}))),
        ("another issuer's name", with(user(), json!({"iss": "https://other.example.com/"}))),
        (
            "its own name without the slash",
            with(user(), json!({"iss": here.issuer.url().trim_end_matches('/')})),
        ),
        ("an expired one", with(user(), json!({"iat": 1_700_000_000, "exp": 1_700_003_600}))),
        ("one that lives too long", with(user(), json!({"exp": 4_000_000_000_u32}))),
        ("one bound to a key", with(user(), json!({"cnf": {"jkt": "x"}}))),
    ] {
        is_invalid(&here.get("/notes", &here.signed(payload).await).await, what);
    }
}

#[tokio::test]
async fn an_unknown_key_is_looked_up_once_in_a_window() {
    let here = Delegating::start().await;
    here.get("/notes", &here.signed(user()).await).await.expect(200);
    let before = here.issuer.key_set_fetches().await;

    let rotated = here.issuer.token(&json!({"new_key": true, "payload": user()})).await;
    here.get("/notes", &rotated).await.expect(200);
    assert_eq!(
        here.issuer.key_set_fetches().await,
        before + 1,
        "a new key is fetched when its first token comes"
    );

    for _ in 0..10 {
        let hidden = here.issuer.token(&json!({"hidden_key": true, "payload": user()})).await;
        is_invalid(&here.get("/notes", &hidden).await, "a key that is never published");
    }
    assert_eq!(here.issuer.key_set_fetches().await, before + 1, "strangers' keys cause no more fetches");
    here.get("/notes", &rotated).await.expect(200);
}

#[tokio::test]
async fn an_issuer_whose_keys_cannot_be_had_lets_nobody_in() {
    let here = Delegating::start().await;
    let token = here.signed(with(user(), json!({"iss": here.unreachable}))).await;
    here.get("/notes", &token).await.expect(503);
    here.get("/notes", &here.signed(user()).await).await.expect(200);
}
