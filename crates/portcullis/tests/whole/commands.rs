//! The commands beside a running server: what they print, what they change, and that the server hears of it.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::Reply;
use testkit::process::{self, Program};

use crate::world::{World, access_token, portcullis};

/// Asks again until the answer has this status; a revocation promises a second, a busy machine may take longer.
async fn until(status: u16, ask: impl AsyncFn() -> Reply) -> Reply {
    let mut last = ask().await;
    for _ in 0..100 {
        if last.code() == status {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        last = ask().await;
    }
    panic!("still {} after ten seconds, not {status}: {}", last.code(), last.text());
}

#[tokio::test]
async fn check_lists_every_endpoint_with_its_rule_and_its_caller() {
    let world = World::dev(&[], "").await;
    let found = world.administer(&["check"]).await.json();
    let endpoint = |method: &str, path: &str| {
        let all = found["endpoints"].as_array().unwrap();
        all.iter().find(|one| one["method"] == method && one["path"] == path).cloned().unwrap_or_default()
    };
    for (method, path, caller) in [
        ("GET", "/catalogue", "client"),
        ("GET", "/notes", "user"),
        ("GET", "/catalogue/{id}", "any"),
        ("GET", "/health", "anybody"),
        ("POST", "/users/session", "anybody"),
        ("GET", "/users/me", "user"),
    ] {
        assert_eq!(endpoint(method, path)["caller"], caller, "{method} {path}");
    }
    assert_eq!(found["problems"], json!([]));
}

#[tokio::test]
async fn explain_decides_as_the_gateway_does() {
    let world = World::dev(&[], "").await;
    let token = world.machine_token().await;
    for (method, path, arguments, status) in [
        ("GET", "/notes", vec!["--scopes", "read:notes"], 200),
        ("GET", "/notes", vec!["--scopes", "read:notes", "--caller", "client"], 403),
        ("GET", "/notes", vec!["--scopes", "write:notes"], 403),
        ("GET", "/notes", vec![], 401),
        ("GET", "/nowhere", vec!["--scopes", "read:notes"], 403),
        ("GET", "/notes/../health", vec![], 400),
        ("GET", "/health", vec![], 200),
        ("GET", "/catalogue", vec!["--token", token.as_str()], 200),
        ("GET", "/notes", vec!["--token", token.as_str()], 403),
    ] {
        let mut command = vec!["explain", method, path];
        command.extend(&arguments);
        let told = world.administer(&command).await.json();
        assert_eq!(told["status"], status, "{method} {path} {arguments:?}: {told}");
        if arguments.first() == Some(&"--token") {
            let asked = world.http.request(method, &world.gateway(path)).bearer(&token).send().await;
            assert_eq!(asked.code(), status, "the gateway itself on {method} {path}");
        }
    }
    let stranger = world.administer(&["explain", "cors", "https://evil.example"]).await.json();
    assert_eq!(stranger["allowed"], false);
    let frontend = world.administer(&["explain", "cors", "http://localhost:3000"]).await.json();
    assert_eq!(frontend["allowed"], true);

    let refused = world.http.get(&world.gateway("/notes")).bearer(&token).send().await.expect(403);
    let id = refused.header("x-request-id").unwrap().to_owned();
    let past = world.administer(&["explain", "--request", &id]).await.json();
    assert_eq!(past["status"], 403);
    assert_eq!(past["path"], "/notes");
}

#[tokio::test]
async fn tokens_of_the_command_line_are_real_ones() {
    let world = World::dev(&[], "").await;
    world.sign_up("ada@example.com").await;
    let token = async |arguments: &[&str]| {
        let mut command = vec!["token"];
        command.extend(arguments);
        world.administer(&command).await.json()["access_token"].as_str().unwrap().to_owned()
    };
    let of_program = token(&[]).await;
    world.http.get(&world.gateway("/catalogue")).bearer(&of_program).send().await.expect(200);
    let of_user = token(&["--user", "ada@example.com", "--scope", "read:notes"]).await;
    world.http.get(&world.gateway("/notes")).bearer(&of_user).send().await.expect(200);
    let post = world.http.post(&world.gateway("/notes")).json(&json!({ "text": "x" }));
    post.bearer(&of_user).send().await.expect(403);
}

#[tokio::test]
async fn what_administration_ends_the_gateway_refuses() {
    let world = World::dev(&[], "").await;
    let created = world
        .administer(&[
            "app",
            "create",
            "--name",
            "billing",
            "--type",
            "non_interactive",
            "--api",
            world.says("audience"),
            "--scope",
            "read:catalogue",
        ])
        .await
        .json();
    let (id, secret) = (created["client_id"].as_str().unwrap(), created["client_secret"].as_str().unwrap());
    let token = world.client_token(id, secret, None).await;
    let catalogue = async || world.http.get(&world.gateway("/catalogue")).bearer(&token).send().await;
    catalogue().await.expect(200);
    world.administer(&["app", "update", "billing", "--disabled", "true"]).await;
    until(401, catalogue).await;
    let asked = json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": secret });
    until(401, async || world.http.post(&world.issuer("oauth/token")).json(&asked).send().await).await;

    world.sign_up("ada@example.com").await;
    let token = world.user_token("ada@example.com", None).await;
    let notes = async || world.http.get(&world.gateway("/notes")).bearer(&token).send().await;
    notes().await.expect(200);
    world.administer(&["user", "update", "ada@example.com", "--blocked", "true"]).await;
    until(401, notes).await;

    world.sign_up("bob@example.com").await;
    let token = world.user_token("bob@example.com", None).await;
    let notes = async || world.http.get(&world.gateway("/notes")).bearer(&token).send().await;
    notes().await.expect(200);
    world.http.delete(&world.gateway("/users/session")).bearer(&token).send().await.expect(204);
    until(401, notes).await;
}

#[tokio::test]
async fn an_api_key_works_is_announced_is_counted_and_ends() {
    let configuration =
        "[gateway.api_keys]\nheader = \"API-Key\"\ndeprecated = 2020-01-01\nsunset = 2999-01-01\n";
    let world = World::dev(&[], configuration).await;
    let created =
        world.administer(&["key", "create", "--name", "partner", "--scope", "read:catalogue"]).await.json();
    let key = created["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("pcl_dev_"), "{key}");
    let with = async |path: &str| world.http.get(&world.gateway(path)).header("API-Key", &key).send().await;
    let answer = with("/catalogue").await.expect(200);
    assert_eq!(answer.header("deprecation"), Some("@1577836800"), "RFC 9745");
    assert_eq!(answer.header("sunset"), Some("Tue, 01 Jan 2999 00:00:00 GMT"), "RFC 8594");
    with("/notes").await.expect(403);
    let token = world.machine_token().await;
    let both =
        world.http.get(&world.gateway("/catalogue")).header("API-Key", &key).bearer(&token).send().await;
    both.expect(400);

    let mut uses = Value::Null;
    for _ in 0..100 {
        uses = world.administer(&["key", "show", "partner"]).await.json();
        if uses["uses"].as_i64() >= Some(1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(uses["last_used_at"].as_i64().is_some(), "the last use is recorded: {uses}");
    world.administer(&["key", "update", "partner", "--revoke"]).await;
    until(401, async || with("/catalogue").await).await;
}

#[tokio::test]
async fn applying_a_declaration_twice_changes_nothing_the_second_time() {
    let world = World::dev(&[], "").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("declared.yaml");
    let text = r"
apis:
  - identifier: https://orders.example.com
    scopes: [read:orders]
roles:
  - name: clerk
    permissions:
      - api: https://orders.example.com
        scopes: [read:orders]
";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let tried = world.administer(&["apply", file, "--dry-run"]).await.json();
    assert_eq!(tried["changes"].as_array().unwrap().len(), 2, "{tried}");
    let first = world.administer(&["apply", file]).await.json();
    assert_eq!(first["changes"].as_array().unwrap().len(), 2, "a dry run changes nothing: {first}");
    let second = world.administer(&["apply", file]).await.json();
    assert_eq!(second["changes"], json!([]));
}

#[tokio::test]
async fn a_second_start_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let port = testkit::ports::free_ports(3).to_string();
    let start = || {
        let mut command = portcullis(&["dev", "--json", "--port", &port, "--dir"]);
        command.arg(&dir);
        Program::ready(command)
    };
    let http = testkit::http::Client::new();
    let (program, first) = start().await;
    let text = |ready: &Value, name: &str| ready[name].as_str().unwrap().to_owned();
    let person = json!({ "email": "ada@example.com", "password": crate::world::PASSWORD });
    http.post(&format!("{}users", text(&first, "issuer"))).json(&person).send().await.expect(201);
    let login = format!("{}users/session", text(&first, "issuer"));
    let token = access_token(&http.post(&login).json(&person).send().await.expect(200));
    assert!(program.terminate().await.success());

    let (_program, second) = start().await;
    for name in ["issuer", "gateway", "client_id", "client_secret", "audience"] {
        assert_eq!(first[name], second[name], "{name}");
    }
    // The user, the signing key, the session.
    http.get(&format!("{}/notes", text(&second, "gateway"))).bearer(&token).send().await.expect(200);
    http.post(&login).json(&person).send().await.expect(200);
}

#[tokio::test]
async fn an_installation_that_is_not_there_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = portcullis(&["check"]);
    command.current_dir(folder.path());
    let output = process::run(command).await.expect(2);
    for part in ["--config", "--dir", "portcullis dev"] {
        assert!(output.stderr.contains(part), "{part} is missing from {}", output.stderr);
    }
}
