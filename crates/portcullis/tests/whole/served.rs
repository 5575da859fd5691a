//! `portcullis serve` by a configuration of the test's own, in a folder of its own.

use std::path::{Path, PathBuf};

use serde_json::json;
use testkit::http::{Client, Reply};
use testkit::ports::free_port;
use testkit::process::{self, Output, Program};
use testkit::server::Server;
use tokio::process::Command;

use crate::world::{PASSWORD, portcullis};

/// The audience of the gateway.
pub const AUDIENCE: &str = "https://api.example.com";

/// A folder with a configuration and its keys, not started.
pub struct Laid {
    pub folder: tempfile::TempDir,
    pub issuer: String,
    pub gateway: String,
    backend: Server,
}

impl Laid {
    /// Identity, a store, a gateway before an echo with one rule (`GET /notes`, users with `read:notes`), and `more`.
    pub async fn out(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backend = Server::echo().await;
        let [identity, gateway, operations] = [free_port(), free_port(), free_port()];
        let issuer = format!("http://localhost:{identity}/");
        let text = format!(
            r#"
environment = "development"
[identity]
issuer = "{issuer}"
listen = "127.0.0.1:{identity}"
key_encryption_key_file = "kek"
[identity.session]
public = "the test logs in by itself"
[store]
url = "sqlcipher:portcullis.db"
key_file = "store.key"
[gateway]
listen = "127.0.0.1:{gateway}"
upstream = "{}"
audience = "{AUDIENCE}"
[[gateway.route]]
match = "GET /notes"
scopes = ["read:notes"]
caller = "user"
[operations]
listen = "127.0.0.1:{operations}"
{more}
"#,
            backend.url().trim_end_matches('/'),
        );
        let gateway = format!("http://127.0.0.1:{gateway}");
        let laid = Self { folder, issuer, gateway, backend };
        std::fs::write(laid.file(), text).unwrap();
        private(&laid.path("kek"), &[7; 32]);
        laid
    }

    /// The same with its store in the PostgreSQL database at `url`, by this password.
    pub async fn on_postgres(url: &str, password: &str) -> Self {
        let laid = Self::out("").await;
        laid.edit(
            "url = \"sqlcipher:portcullis.db\"\nkey_file = \"store.key\"",
            &format!("url = \"{url}\"\npassword_file = \"database\""),
        );
        private(&laid.path("database"), password.as_bytes());
        laid
    }

    /// A file of the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration.
    pub fn file(&self) -> PathBuf {
        self.path("portcullis.toml")
    }

    /// Changes the configuration's text; what is replaced must be there.
    pub fn edit(&self, old: &str, new: &str) {
        let text = std::fs::read_to_string(self.file()).unwrap();
        assert!(text.contains(old), "`{old}` is not in the configuration");
        std::fs::write(self.file(), text.replacen(old, new, 1)).unwrap();
    }

    /// A command on this configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = portcullis(arguments);
        command.arg("--config").arg(self.file());
        command
    }

    /// Runs a command on this configuration to its end, whatever comes of it.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        process::run(self.command(arguments)).await
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> Served {
        let (program, _) = Program::ready(self.command(&["serve", "--json"])).await;
        Served { http: Client::new(), program, laid: self }
    }
}

/// It runs.
pub struct Served {
    pub http: Client,
    pub laid: Laid,
    program: Program,
}

impl Served {
    /// Starts it by a new configuration; new users may `read:notes`.
    pub async fn start(more: &str) -> Self {
        let served = Laid::out(more).await.start().await;
        let permission = format!("{AUDIENCE}=read:notes");
        for command in [
            &["api", "create", "--identifier", AUDIENCE, "--scope", "read:notes"][..],
            &["role", "create", "reader", "--permission", &permission, "--default"],
        ] {
            served.laid.run(command).await.expect(0);
        }
        served
    }

    /// `kill -9`; what it leaves can be started again.
    pub async fn kill(self) -> Laid {
        self.program.kill().await;
        self.laid
    }

    /// SIGTERM, and the folder that it leaves.
    pub async fn stop(self) -> Laid {
        let status = self.program.terminate().await;
        assert!(status.success(), "{status}");
        self.laid
    }

    /// The server's process.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// What the backend was asked.
    pub fn backend(&self) -> &Server {
        &self.laid.backend
    }

    /// A URL on the issuer's origin.
    pub fn issuer(&self, path: &str) -> String {
        format!("{}{path}", self.laid.issuer)
    }

    /// A new user with [`PASSWORD`].
    pub async fn sign_up(&self, email: &str) {
        let body = json!({"email": email, "password": PASSWORD});
        self.http.post(&self.issuer("users")).json(&body).send().await.expect(201);
    }

    /// A login, whatever comes of it.
    pub async fn log_in(&self, email: &str, password: &str) -> Reply {
        let body = json!({"email": email, "password": password});
        self.http.post(&self.issuer("users/session")).json(&body).send().await
    }

    /// The status of `GET /notes` at the gateway with this token.
    pub async fn notes(&self, token: &str) -> u16 {
        self.http.get(&format!("{}/notes", self.laid.gateway)).bearer(token).send().await.code()
    }
}

/// A file that its owner alone may read.
pub fn private(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
