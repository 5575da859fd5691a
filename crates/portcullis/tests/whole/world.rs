//! A running Portcullis in a folder of its own, and the people and programs that talk to it.

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::http::{Client, Reply};
use testkit::process::{self, Output, Program};
use tokio::process::Command;

/// Long enough for the rule, and in no list of common passwords.
pub const PASSWORD: &str = "kestrel-lantern-quarry-71"; // portcullis:allow of these tests

/// The binary under test.
pub fn portcullis(arguments: &[&str]) -> Command {
    let mut command = process::command(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).env("PORTCULLIS_LOG", "warn");
    command
}

/// `portcullis dev`, ready.
pub struct World {
    pub http: Client,
    ready: Value,
    folder: TempDir,
    _program: Program,
}

impl World {
    /// Starts `portcullis dev` on free ports, with these arguments more and this `portcullis.toml` in its folder.
    pub async fn dev(arguments: &[&str], configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("state");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("portcullis.toml"), configuration).unwrap();
        let dir = dir.to_str().unwrap();
        let mut command = portcullis(&["dev", "--json", "--port", "0", "--dir", dir]);
        command.args(arguments);
        let (program, ready) = Program::ready(command).await;
        Self { http: Client::new(), ready, folder, _program: program }
    }

    /// What the ready line says of `name`.
    pub fn says(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_else(|| panic!("the ready line has no {name}: {}", self.ready))
    }

    /// The folder of its state.
    pub fn state(&self) -> std::path::PathBuf {
        self.folder.path().join("state")
    }

    /// A URL on the issuer's origin.
    pub fn issuer(&self, path: &str) -> String {
        format!("{}{path}", self.says("issuer"))
    }

    /// A URL on the gateway.
    pub fn gateway(&self, path: &str) -> String {
        format!("{}{path}", self.says("gateway").trim_end_matches('/'))
    }

    /// Runs a command on this installation, to its end, with `--json`.
    pub async fn administer(&self, arguments: &[&str]) -> Output {
        let mut command = portcullis(arguments);
        command.args(["--json", "--dir"]).arg(self.state());
        process::run(command).await.expect(0)
    }

    /// A token of `dev`'s machine application.
    pub async fn machine_token(&self) -> String {
        self.client_token(self.says("client_id"), self.says("client_secret"), None).await
    }

    /// A client's token for the gateway's audience.
    pub async fn client_token(&self, id: &str, secret: &str, scope: Option<&str>) -> String {
        let mut wanted = json!({
            "grant_type": "client_credentials",
            "client_id": id,
            "client_secret": secret,
            "audience": self.says("audience"),
        });
        if let Some(scope) = scope {
            wanted["scope"] = scope.into();
        }
        access_token(&self.http.post(&self.issuer("oauth/token")).json(&wanted).send().await.expect(200))
    }

    /// A new user with [`PASSWORD`].
    pub async fn sign_up(&self, email: &str) {
        let body = json!({"email": email, "password": PASSWORD});
        self.http.post(&self.issuer("users")).json(&body).send().await.expect(201);
    }

    /// A login, whatever comes of it.
    pub async fn log_in(&self, email: &str, password: &str, scope: Option<&str>) -> Reply {
        let mut body = json!({"email": email, "password": password});
        if let Some(scope) = scope {
            body["scope"] = scope.into();
        }
        self.http.post(&self.issuer("users/session")).json(&body).send().await
    }

    /// A user's token.
    pub async fn user_token(&self, email: &str, scope: Option<&str>) -> String {
        access_token(&self.log_in(email, PASSWORD, scope).await.expect(200))
    }
}

/// Whose tokens an endpoint of [`openapi`] wants.
#[derive(Clone, Copy)]
pub enum Caller {
    User,
    Client,
}

/// An OpenAPI document with a GET for each path, which wants the scope of such a caller.
pub fn openapi(endpoints: &[(&str, Caller, &str)]) -> String {
    let (mut paths, mut login, mut machine) = (json!({}), json!({}), json!({}));
    for (path, caller, scope) in endpoints {
        let (scheme, scopes) = match caller {
            Caller::User => ("login", &mut login),
            Caller::Client => ("machine", &mut machine),
        };
        scopes[scope] = json!(format!("to {scope}"));
        paths[path] = json!({ "get": {
            "security": [{ scheme: [scope] }],
            "responses": { "200": { "description": "an answer" } },
        } });
    }
    let token = "https://id.example.com/oauth/token";
    let (code, credentials) = (
        json!({ "authorizationUrl": "https://id.example.com/authorize", "tokenUrl": token, "scopes": login }),
        json!({ "tokenUrl": token, "scopes": machine }),
    );
    json!({
        "openapi": "3.0.3",
        "info": { "title": "A backend", "version": "1" },
        "paths": paths,
        "components": { "securitySchemes": {
            "login": { "type": "oauth2", "flows": { "authorizationCode": code } },
            "machine": { "type": "oauth2", "flows": { "clientCredentials": credentials } },
        } },
    })
    .to_string()
}

/// The access token of an answer.
pub fn access_token(reply: &Reply) -> String {
    reply.json()["access_token"]
        .as_str()
        .unwrap_or_else(|| panic!("no access token: {}", reply.text()))
        .to_owned()
}
