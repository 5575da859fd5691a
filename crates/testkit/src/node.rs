//! Node scripts of `tests/ecosystem`, run so that their imports find the installed packages.

use std::path::Path;

use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Output, Program};
use crate::{ecosystem, process};

/// What every script with a browser imports.
const BROWSER: &str = include_str!("../../../tests/ecosystem/browser.mjs");

/// A script in a folder of its own, beside a link to the installed `node_modules`: an ECMAScript import looks there,
/// and nowhere that a variable could name.
#[derive(Debug)]
pub struct Script {
    folder: TempDir,
}

impl Script {
    /// Lays the script out.
    pub fn new(text: &str) -> Self {
        Self::beside(text, &ecosystem::node_modules())
    }

    /// Lays it out beside other packages than the usual ones.
    pub fn beside(text: &str, modules: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for (name, text) in [("script.mjs", text), ("browser.mjs", BROWSER)] {
            std::fs::write(folder.path().join(name), text).expect("a temporary file can be written");
        }
        std::os::unix::fs::symlink(modules, folder.path().join("node_modules")).expect("a link can be made");
        Self { folder }
    }

    /// The folder, for files that the script shall read.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command that runs it with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = process::command("node");
        command.arg(self.folder.path().join("script.mjs")).args(arguments).current_dir(self.folder.path());
        command
    }

    /// Runs it to its end, with this on standard input.
    pub async fn run(&self, arguments: &[&str], input: &str) -> Output {
        process::run_with_input(self.command(arguments), input.as_bytes()).await
    }
}

/// An issuer that nobody here wrote: oauth2-mock-server (npm), driven over a port of its own.
#[derive(Debug)]
pub struct MockIssuer {
    _script: Script,
    _program: Program,
    url: String,
    control: String,
}

impl MockIssuer {
    /// Starts it on a free loopback port and waits until it listens.
    pub async fn start() -> Self {
        let script = Script::new(include_str!("../../../tests/ecosystem/foreign_issuer.mjs"));
        let (program, ready) = Program::ready(script.command(&[])).await;
        let text = |name: &str| ready[name].as_str().map(str::to_owned);
        let url = text("issuer").expect("the issuer says its URL");
        let control = text("control").expect("the issuer says where it is driven");
        Self { _script: script, _program: program, url, control }
    }

    /// Its `iss`, byte for byte.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A token signed by its newest key: `{"header": {…}, "payload": {…}}` is laid over oauth2-mock-server's own. With
    /// `"new_key": true` it makes a key first, which it publishes; with `"hidden_key": true` one that it does not.
    pub async fn token(&self, wanted: &serde_json::Value) -> String {
        let url = format!("{}token", self.control);
        let reply = crate::http::Client::new().post(&url).json(wanted).send().await.expect(200);
        reply.json()["token"].as_str().expect("a token is a string").to_owned()
    }

    /// How often its key set has been fetched.
    pub async fn key_set_fetches(&self) -> u64 {
        let url = format!("{}fetches", self.control);
        let reply = crate::http::Client::new().get(&url).send().await.expect(200);
        reply.json()["jwks"].as_u64().expect("a count is a number")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn imports_find_the_installed_packages() {
        let script =
            Script::new("import * as jose from 'jose'; console.log(JSON.stringify(typeof jose.jwtVerify));");
        assert_eq!(script.run(&[], "").await.expect(0).json(), json!("function"));
    }

    #[tokio::test]
    async fn the_foreign_issuer_publishes_signs_and_counts() {
        let issuer = MockIssuer::start().await;
        let token = issuer.token(&json!({"payload": {"sub": "x@clients"}})).await;
        assert_eq!(token.split('.').count(), 3);
        assert_eq!(issuer.key_set_fetches().await, 0);
        let url = format!("{}.well-known/openid-configuration", issuer.url());
        let metadata = crate::http::Client::new().get(&url).send().await.expect(200).json();
        assert_eq!(metadata["issuer"], issuer.url());
        let keys = metadata["jwks_uri"].as_str().unwrap().to_owned();
        let keys = crate::http::Client::new().get(&keys).send().await.expect(200).json();
        assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
        assert_eq!(issuer.key_set_fetches().await, 1);
        issuer.token(&json!({"hidden_key": true})).await;
        issuer.token(&json!({"new_key": true})).await;
    }
}
