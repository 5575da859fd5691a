//! Swagger's Petstore, as its authors publish it (npm `@readme/oas-examples`), in front of httpbin (PyPI): 7 operations
//! with OAuth scopes, 2 with an API key alone, 11 with nothing; every path under `/v2`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use testkit::backend::Httpbin;
use testkit::ecosystem;
use testkit::http::Reply;

use crate::world::World;

/// What the Petstore leaves open, said in `portcullis.toml`: method, path, scopes, who may call.
const ADDED: [(&str, &str, &[&str], &str); 12] = [
    ("GET", "/v2/pet/{petId}", &["read:pets"], "user"),
    ("GET", "/v2/store/inventory", &["read:inventory"], "client"),
    ("POST", "/v2/store/order", &["write:orders"], "user"),
    ("GET", "/v2/store/order/{orderId}", &["read:orders"], "user"),
    ("DELETE", "/v2/store/order/{orderId}", &["write:orders", "delete:orders"], "user"),
    ("POST", "/v2/user", &["write:users"], "client"),
    ("POST", "/v2/user/createWithArray", &["write:users"], "client"),
    ("POST", "/v2/user/createWithList", &["write:users"], "client"),
    ("GET", "/v2/user/logout", &["end:login"], "user"),
    ("GET", "/v2/user/{username}", &["read:users"], "client"),
    ("PUT", "/v2/user/{username}", &["write:users"], "client"),
    ("DELETE", "/v2/user/{username}", &["write:users", "delete:users"], "client"),
];

/// And one that needs nobody.
const PUBLIC: (&str, &str) = ("GET", "/v2/user/login");

struct Operation {
    method: String,
    path: String,
    scopes: Vec<String>,
}

impl Operation {
    /// The path with something in place of its parameters.
    fn example(&self) -> String {
        let segments =
            self.path.split('/').map(|segment| if segment.starts_with('{') { "7" } else { segment });
        segments.collect::<Vec<_>>().join("/")
    }

    fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == path
    }
}

fn document() -> PathBuf {
    ecosystem::package_file("@readme/oas-examples", "3.0/json/petstore.json")
}

/// The operations, read by the test itself and not by the code under test.
fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_slice(&std::fs::read(document()).unwrap()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let scopes = operation["security"][0]["petstore_auth"].as_array().into_iter().flatten();
            operations.push(Operation {
                method: method.to_uppercase(),
                path: format!("/v2{path}"),
                scopes: scopes.map(|scope| scope.as_str().unwrap().to_owned()).collect(),
            });
        }
    }
    operations
}

fn routes() -> String {
    let mut text = format!(
        "[[gateway.route]]\nmatch = \"{} {}\"\npublic = \"nobody has a token before a login\"\n",
        PUBLIC.0, PUBLIC.1
    );
    for (method, path, scopes, caller) in ADDED {
        text.push_str(&format!(
            "[[gateway.route]]\nmatch = \"{method} {path}\"\nscopes = {scopes:?}\ncaller = \"{caller}\"\n"
        ));
    }
    text
}

async fn world(backend: &Httpbin, configuration: &str) -> World {
    let document = document();
    let url = backend.url();
    World::dev(&["--upstream", &url, "--openapi", document.to_str().unwrap()], configuration).await
}

async fn call(world: &World, operation: &Operation, token: Option<&str>) -> Reply {
    let mut request = world.http.request(&operation.method, &world.gateway(&operation.example()));
    if let Some(token) = token {
        request = request.bearer(token);
    }
    if operation.method != "GET" {
        request = request.header("content-type", "application/json").body("{\"name\":\"rex\"}");
    }
    request.send().await
}

#[track_caller]
fn is_let_through(operation: &Operation, reply: &Reply, what: &str) -> Value {
    let name = format!("{} {} with {what}", operation.method, operation.path);
    assert_eq!(reply.code(), 200, "{name}: {}", reply.text());
    let seen = reply.json();
    assert_eq!(seen["method"], operation.method.as_str(), "{name}");
    assert!(seen["url"].as_str().unwrap().ends_with(&operation.example()), "{name}: {}", seen["url"]);
    if operation.method != "GET" {
        assert_eq!(seen["json"]["name"], "rex", "{name}");
    }
    seen
}

#[track_caller]
fn is_refused(operation: &Operation, reply: &Reply, status: u16, what: &str) {
    let name = format!("{} {} with {what}", operation.method, operation.path);
    assert_eq!(reply.code(), status, "{name}: {}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{name}");
    assert_eq!(reply.json()["status"], status, "{name}");
    let challenge = reply.header("www-authenticate").unwrap_or_default();
    match status {
        401 => {
            assert!(challenge.starts_with("Bearer") && !challenge.contains("error"), "{name}: {challenge}")
        }
        _ => assert!(!challenge.contains("invalid_token"), "{name}: {challenge}"),
    }
}

#[test]
fn the_document_is_what_its_authors_publish() {
    let operations = operations();
    let with_scopes = operations.iter().filter(|operation| !operation.scopes.is_empty()).count();
    assert_eq!((operations.len(), with_scopes, ADDED.len() + 1), (20, 7, 13));
}

#[tokio::test]
async fn without_rules_thirteen_operations_are_denied_and_seven_are_not() {
    let backend = Httpbin::showing("/v2").await;
    let world = world(&backend, "").await;
    world.sign_up("ada@example.com").await;
    let user = world.user_token("ada@example.com", None).await;
    let machine = world.machine_token().await;
    for operation in operations() {
        is_refused(&operation, &call(&world, &operation, None).await, 401, "no token");
        if operation.scopes.is_empty() {
            is_refused(&operation, &call(&world, &operation, Some(&user)).await, 403, "a user's token");
            is_refused(&operation, &call(&world, &operation, Some(&machine)).await, 403, "a client's token");
        } else {
            is_let_through(&operation, &call(&world, &operation, Some(&user)).await, "a user's token");
        }
    }
}

#[tokio::test]
async fn with_rules_each_operation_takes_the_right_token_alone() {
    let backend = Httpbin::showing("/v2").await;
    let world = world(&backend, &routes()).await;
    let operations = operations();
    let rule = |operation: &Operation| {
        let added = ADDED.iter().find(|(method, path, ..)| operation.is(method, path));
        added.map_or_else(
            || (operation.scopes.clone(), "user"),
            |(_, _, scopes, caller)| (scopes.iter().map(|scope| (*scope).to_owned()).collect(), *caller),
        )
    };

    // Everybody is given every scope, so that a refusal is for the scope or the kind of caller that was meant.
    let all: BTreeSet<String> = operations.iter().flat_map(|operation| rule(operation).0).collect();
    let audience = world.says("audience");
    let scopes = all.iter().flat_map(|scope| ["--scope", scope]).collect::<Vec<_>>();
    let permissions =
        all.iter().map(|scope| format!("--add-permission={audience}={scope}")).collect::<Vec<_>>();
    let permissions = permissions.iter().map(String::as_str).collect::<Vec<_>>();
    world.administer(&[&["role", "update", "user"][..], &permissions].concat()).await;
    let create = ["app", "create", "--name", "petstore", "--type", "non_interactive", "--api", audience];
    let application = world.administer(&[&create[..], &scopes].concat()).await.json();
    let (id, secret) =
        (application["client_id"].as_str().unwrap(), application["client_secret"].as_str().unwrap());
    world.sign_up("ada@example.com").await;

    for operation in &operations {
        let (needed, caller) = rule(operation);
        if operation.is(PUBLIC.0, PUBLIC.1) {
            let seen = is_let_through(operation, &call(&world, operation, None).await, "no token");
            assert!(seen["headers"]["X-Auth-Subject"].is_null(), "{seen}");
            continue;
        }
        let everything = needed.join(" ");
        let lacking = &needed[needed.len() - 1];
        let without = all.iter().filter(|scope| *scope != lacking).cloned().collect::<Vec<_>>().join(" ");
        let user = async |scope: &str| world.user_token("ada@example.com", Some(scope)).await;
        let client = async |scope: &str| world.client_token(id, secret, Some(scope)).await;
        let (right, narrow, other) = match caller {
            "user" => (user(&everything).await, user(&without).await, client(&everything).await),
            _ => (client(&everything).await, client(&without).await, user(&everything).await),
        };

        let seen = is_let_through(operation, &call(&world, operation, Some(&right)).await, "the right token");
        let subject = seen["headers"]["X-Auth-Subject"].as_str().unwrap_or_default();
        assert_eq!(subject.ends_with("@clients"), caller == "client", "{subject}");
        assert!(seen["headers"]["Authorization"].is_null(), "the token stays at the gateway: {seen}");

        let refused = call(&world, operation, Some(&narrow)).await;
        is_refused(operation, &refused, 403, "a scope missing");
        let challenge = refused.header("www-authenticate").unwrap_or_default();
        assert!(
            challenge.contains("insufficient_scope") && challenge.contains(lacking.as_str()),
            "{challenge}"
        );
        is_refused(operation, &call(&world, operation, Some(&other)).await, 403, "the wrong kind of caller");
        is_refused(operation, &call(&world, operation, None).await, 401, "no token");
    }
}
