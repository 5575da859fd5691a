//! Administration as people see it: what it prints without `--json`, what it refuses, and what `dev` leaves as it was.

use serde_json::{Value, json};
use testkit::process::{self, Output, Program};
use testkit::server::Server;

use crate::world::{Caller, PASSWORD, World, openapi, portcullis};

/// A command on this installation, to its end, as a person calls it.
async fn typed(world: &World, arguments: &[&str], code: i32) -> Output {
    let mut command = portcullis(arguments);
    command.arg("--dir").arg(world.state());
    process::run(command).await.expect(code)
}

/// The first word of each line.
fn names(output: &Output) -> Vec<&str> {
    output.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect()
}

#[tokio::test]
async fn an_api_key_is_bound_to_the_client_that_takes_its_place() {
    let configuration = "[gateway.api_keys]\nheader = \"API-Key\"\nsunset = 2999-01-01\n";
    let backend = Server::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("openapi.json");
    std::fs::write(&document, openapi(&[("/report", Caller::Client, "read:report")])).unwrap();
    let upstream = backend.url();
    let arguments = ["--upstream", upstream.trim_end_matches('/'), "--openapi", document.to_str().unwrap()];
    let world = World::dev(&arguments, configuration).await;
    let made =
        world.administer(&["key", "create", "--name", "partner", "--scope", "read:report"]).await.json();
    let key = made["key"].as_str().unwrap().to_owned();
    let client = async || {
        let request = world.http.get(&world.gateway("/report")).header("API-Key", &key);
        request.send().await.expect(200).json()["headers"]["x-auth-client"].clone()
    };
    assert_eq!(client().await, Value::Null, "a key of no client names none");

    let id = world.says("client_id");
    let bound = world.administer(&["key", "update", "partner", "--client", id]).await.json();
    assert_eq!((&bound["client_id"], &bound["revoked_at"]), (&json!(id), &Value::Null));
    assert_eq!(client().await, json!([id]));

    let nobody = typed(&world, &["key", "update", "partner", "--client", "nobody"], 2).await;
    assert!(nobody.stderr.contains("there is no application nobody"), "{}", nobody.stderr);
    typed(&world, &["key", "update", "partner"], 2).await;
    let both = ["key", "update", "partner", "--client", id, "--revoke"];
    assert!(world.administer(&both).await.json()["revoked_at"].is_i64());
}

#[tokio::test]
async fn keys_after_their_sunset_come_with_a_word_on_what_to_do() {
    let world = World::dev(&[], "[gateway.api_keys]\nheader = \"API-Key\"\nsunset = 2020-01-01\n").await;
    for arguments in [
        &["key", "create", "--name", "late", "--scope", "read:catalogue"][..],
        &["key", "report"],
        &["check"],
    ] {
        let output = typed(&world, arguments, 0).await;
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(said.contains("2020-01-01") && said.contains("remove the section"), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn what_is_copied_comes_first_and_lifetimes_read_as_they_are_written() {
    let world = World::dev(&[], "").await;
    let api =
        ["--identifier", "https://orders.example.com", "--scope", "read:orders", "--token-lifetime", "15m"];
    let made = typed(&world, &[&["api", "create"][..], &api].concat(), 0).await;
    let shown = typed(&world, &["api", "show", "https://orders.example.com"], 0).await;
    for output in [&made, &shown] {
        let line = output.stdout.lines().find(|line| line.starts_with("token_lifetime ")).unwrap();
        assert!(line.ends_with(" 15m"), "{line}");
    }
    let shown = world.administer(&["api", "show", "https://orders.example.com"]).await.json();
    assert_eq!(shown["token_lifetime"], 900, "programs get seconds");

    let app = ["app", "create", "--name", "billing", "--type", "non_interactive"];
    let may = ["--api", "https://orders.example.com", "--scope", "read:orders"];
    let made = typed(&world, &[&app[..], &may].concat(), 0).await;
    assert_eq!(names(&made)[..2], ["client_id", "client_secret"], "{}", made.stdout);
    assert!(names(&made).contains(&"apis") && names(&made).contains(&"name"), "{}", made.stdout);
}

#[tokio::test]
async fn a_scope_that_is_not_granted_is_said_once() {
    let world = World::dev(&[], "").await;
    world.sign_up("ada@example.com").await;
    for who in [&[][..], &["--user", "ada@example.com"]] {
        let output = typed(&world, &[&["token", "--scope", "write:nothing"][..], who].concat(), 2).await;
        assert!(output.stderr.contains("scope: not granted: write:nothing"), "{}", output.stderr);
        assert_eq!(output.stderr.matches("not granted").count(), 1, "{}", output.stderr);
    }
}

#[tokio::test]
async fn a_refused_password_leaves_the_rest_of_the_change_undone() {
    let world = World::dev(&[], "").await;
    world.sign_up("ada@example.com").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let update = async |password: &str, code: i32| {
        std::fs::write(&file, password).unwrap();
        let change = ["user", "update", "ada@example.com", "--blocked", "true", "--no-roles"];
        let arguments = [&change[..], &["--password-file", file.to_str().unwrap()]].concat();
        typed(&world, &arguments, code).await;
        world.administer(&["user", "show", "ada@example.com"]).await.json()
    };
    let unchanged = update("short", 2).await;
    assert_eq!((&unchanged["blocked"], &unchanged["roles"]), (&json!(false), &json!(["user"])));
    world.log_in("ada@example.com", PASSWORD, None).await.expect(200);
    let changed = update("nine blue herons fishing", 0).await;
    assert_eq!((&changed["blocked"], &changed["roles"]), (&json!(true), &json!([])));
}

#[tokio::test]
async fn explain_says_where_to_ask_for_a_refusal_that_happened() {
    let world = World::dev(&[], "").await;
    let refused = typed(&world, &["explain", "GET", "/notes"], 0).await;
    assert!(refused.stdout.contains("--request ID"), "{}", refused.stdout);
    let allowed = typed(&world, &["explain", "GET", "/notes", "--scopes", "read:notes"], 0).await;
    assert!(!allowed.stdout.contains("--request"), "{}", allowed.stdout);
}

#[tokio::test]
async fn a_second_start_adds_what_is_new_and_leaves_away_what_was_taken_away() {
    let backend = Server::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let (dir, document) = (folder.path().join("state"), folder.path().join("openapi.json"));
    let port = testkit::ports::free_ports(3).to_string();
    let start = || {
        let mut command = portcullis(&["dev", "--json", "--port", &port, "--upstream"]);
        command
            .arg(backend.url().trim_end_matches('/'))
            .arg("--openapi")
            .arg(&document)
            .arg("--dir")
            .arg(&dir);
        Program::ready(command)
    };
    let administer = async |arguments: &[&str]| {
        let mut command = portcullis(arguments);
        command.args(["--json", "--dir"]).arg(&dir);
        process::run(command).await.expect(0)
    };
    let endpoints = [
        ("/notes", Caller::User, "read:notes"),
        ("/diary", Caller::User, "read:diary"),
        ("/report", Caller::Client, "read:report"),
        ("/stock", Caller::Client, "read:stock"),
        ("/letters", Caller::User, "read:letters"),
    ];
    std::fs::write(&document, openapi(&endpoints[..4])).unwrap();
    let (program, ready) = start().await;
    let audience = ready["audience"].as_str().unwrap().to_owned();
    assert!(program.terminate().await.success());
    let diary = format!("{audience}=read:diary");
    administer(&["role", "update", "user", "--remove-permission", &diary]).await;
    administer(&["app", "update", "dev", "--api", &audience, "--scope", "read:stock"]).await;

    std::fs::write(&document, openapi(&endpoints)).unwrap();
    for what in ["the second start", "the third"] {
        let (program, _) = start().await;
        assert!(program.terminate().await.success());
        let scopes = |of: &Value, list: &str| -> Vec<String> {
            let all = of[list].as_array().unwrap();
            let here = all.iter().find(|one| one["api"] == audience.as_str());
            let scopes = here.unwrap_or_else(|| panic!("{what}: {of}"))["scopes"].as_array().unwrap();
            scopes.iter().map(|scope| scope.as_str().unwrap().to_owned()).collect()
        };
        let role = administer(&["role", "show", "user"]).await.json();
        assert_eq!(scopes(&role, "permissions"), ["read:letters", "read:notes"], "{what}");
        let application = administer(&["app", "show", "dev"]).await.json();
        assert_eq!(scopes(&application, "apis"), ["read:stock"], "{what}");
    }
    administer(&["role", "delete", "user"]).await;
    let (program, _) = start().await;
    assert!(program.terminate().await.success());
    let role = administer(&["role", "show", "user"]).await.json();
    assert!(role["permissions"].to_string().contains("read:diary"), "what is missing is made whole: {role}");
}
