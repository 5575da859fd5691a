//! The demo deployment: `portcullis serve` in staging, its store on a PostgreSQL that its steward looks after, before
//! httpbin, with a frontend's page, a mail server, a partner's old API key, and a stranger's host beside this machine.
//!
//! What stands for the internet is a network namespace: another network, on which this machine has one address.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::backend::Httpbin;
use testkit::http::Client;
use testkit::namespaces::{Host, Namespaces};
use testkit::ports::free_port;
use testkit::postgres::{Database, Postgres};
use testkit::process::{self, Output, Program};
use testkit::server::{Server, answer};
use testkit::smtp::Smtp;

use crate::served::{AUDIENCE, private};
use crate::world::portcullis;

pub const FRONTEND: &str = "https://app.example.com";
/// How long the tokens of the first look live, so that a later look finds them past their end; those of every other
/// live as long as the document says.
const SHORT: &str = "1s";
const LIFETIME: i64 = 900;
/// Scopes of users, and of clients.
const USERS: [&str; 3] = ["read:orders", "write:orders", "read:profile"];
const CLIENTS: [&str; 2] = ["read:stock", "read:prices"];

/// The backend's document.
pub fn endpoints() -> Value {
    let operation = |scheme: &str, scope: &str| {
        json!({
            "security": [{ scheme: [scope] }],
            "responses": { "200": { "description": "an answer" } },
        })
    };
    let scopes = |names: &[&str]| -> Value {
        names.iter().map(|name| ((*name).to_owned(), json!(format!("to {name}")))).collect()
    };
    let token = "https://id.example.com/oauth/token";
    json!({
        "openapi": "3.0.3",
        "info": { "title": "A shop", "version": "1" },
        "paths": {
            "/anything/orders": {
                "get": operation("login", "read:orders"),
                "post": operation("login", "write:orders"),
            },
            "/anything/profile": { "get": operation("login", "read:profile") },
            "/anything/stock": { "get": operation("machine", "read:stock") },
            "/anything/prices": { "get": operation("machine", "read:prices") },
            "/status/500": { "get": operation("machine", "read:stock") },
        },
        "components": { "securitySchemes": {
            "login": { "type": "oauth2", "flows": { "authorizationCode": {
                "authorizationUrl": "https://id.example.com/authorize", "tokenUrl": token, "scopes": scopes(&USERS),
            } } },
            "machine": { "type": "oauth2", "flows": { "clientCredentials": {
                "tokenUrl": token, "scopes": scopes(&CLIENTS),
            } } },
        } },
    })
}

/// What an audit said.
pub struct Audited {
    pub report: Value,
    pub document: String,
}

/// It runs.
pub struct Deployment {
    folder: tempfile::TempDir,
    http: Client,
    issuer: String,
    gateway: String,
    client: Value,
    database_port: u16,
    machine: Ipv4Addr,
    page: Server,
    hosts: Namespaces,
    // Ended in this order: who asks before who answers.
    program: Option<Program>,
    _mailbox: Server,
    _backend: Httpbin,
    _cluster: Postgres,
}

impl Deployment {
    /// Everything but what takes a look first: the steward has not changed a password, the partner's key is alive, tokens
    /// live for [`SHORT`]. `repository` is the code that is audited.
    pub async fn start(repository: &Path) -> Self {
        let hosts = Namespaces::make();
        let machine = hosts.join_this_machine(Host::Outside);
        let cluster = Postgres::start();
        let database = cluster.fresh_database();
        let (backend, smtp) = tokio::join!(Httpbin::start(), Smtp::start());
        let mail = smtp.url();
        let mailbox = mailbox(smtp).await;
        // On the address that the world sees, as the page of a frontend is.
        let page = Server::start_at((machine, 0).into(), |request| match request.uri().path() {
            "/" => answer(
                200,
                "text/html",
                "<!doctype html><title>Shop</title><script src=\"/app.js\"></script>",
            ),
            "/app.js" => answer(200, "text/javascript", "document.title += ', open';"),
            _ => answer(404, "text/plain", ""),
        })
        .await;
        let [identity, gateway, operations] = [free_port(), free_port(), free_port()];
        let folder = tempfile::tempdir().unwrap();
        let backend_port = backend.url().rsplit(':').next().unwrap().to_owned();
        let issuer = format!("http://localhost:{identity}/");
        let configuration = format!(
            r#"
environment = "staging"
[identity]
issuer = "{issuer}"
listen = "127.0.0.1:{identity}"
key_encryption_key_file = "kek"
access_token_lifetime = "15m"
[store]
url = "{url}"
password_file = "store.password"
secret_file = "store.json"
[[database]]
name = "store"
administrator_file = "store.administrator"
maximum_password_age = "90d"
grace = "1s"
[gateway]
listen = "127.0.0.1:{gateway}"
upstream = "{upstream}"
audience = "{AUDIENCE}"
openapi = "openapi.json"
frontend_origins = ["{FRONTEND}"]
[gateway.api_keys]
header = "API-Key"
[mail]
smtp = "{mail}"
from = "Shop <no-reply@example.com>"
[operations]
listen = "127.0.0.1:{operations}"
[audit]
target = "http://localhost:{gateway}"
backend = "http://{machine}:{backend_port}"
frontend = "{page}"
mailbox = "{mailbox}"
client_id = "CLIENT"
client_secret_file = "audit.secret"
user_email = "audit@example.com"
user_password_file = "audit.password"
api_key_file = "audit.key"
failing = "GET /status/500"
outside = ["probe.json"]
state = "audit"
repository = "{repository}"
"#,
            url = database.url(),
            upstream = backend.url(),
            page = page.url(),
            mailbox = mailbox.url(),
            repository = repository.display(),
        );
        let mut deployment = Self {
            folder,
            http: Client::new(),
            issuer,
            gateway: format!("http://localhost:{gateway}"),
            client: Value::Null,
            database_port: cluster.port(),
            machine,
            page,
            hosts,
            program: None,
            _mailbox: mailbox,
            _backend: backend,
            _cluster: cluster,
        };
        deployment.lay_out(&configuration, &database).await;
        let (program, _) = Program::ready(deployment.command(&["serve", "--json"])).await;
        deployment.program = Some(program);
        deployment
    }

    /// Files, and who may do what.
    async fn lay_out(&mut self, configuration: &str, database: &Database) {
        let path = |name: &str| self.folder.path().join(name);
        std::fs::write(path("openapi.json"), endpoints().to_string()).unwrap();
        std::fs::write(path("portcullis.toml"), configuration).unwrap();
        // What is held here in secret stands in no repository, and is another in every run.
        private(&path("kek"), database.password.as_bytes());
        private(&path("store.password"), database.password.as_bytes());
        private(&path("store.administrator"), self._cluster.url_with_password("postgres").as_bytes());
        private(&path("audit.secret"), b"none yet");
        private(&path("audit.password"), format!("user-{}", database.password).as_bytes());
        let key = format!("partner-{}", database.password);
        private(&path("audit.key"), key.as_bytes());
        let keys = json!({ "keys": [{ "name": "partner", "key": key, "scopes": CLIENTS }] });
        private(&path("keys.yaml"), keys.to_string().as_bytes());
        let scopes = |flag: &str, names: &[&str]| -> Vec<String> {
            names.iter().flat_map(|name| [flag.to_owned(), (*name).to_owned()]).collect()
        };
        let permissions: Vec<String> = USERS
            .iter()
            .flat_map(|scope| ["--permission".to_owned(), format!("{AUDIENCE}={scope}")])
            .collect();
        let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        let api = words(&format!("api create --identifier {AUDIENCE} --token-lifetime {SHORT}"));
        let app = words(&format!("app create --name audit --type non_interactive --json --api {AUDIENCE}"));
        let mut said = Vec::new();
        for command in [
            [api, scopes("--scope", &USERS), scopes("--scope", &CLIENTS), scopes("--scope", &["session"])]
                .concat(),
            words("api create --identifier urn:elsewhere --scope elsewhere"),
            [words("role create customer --default"), permissions].concat(),
            words("user create --email audit@example.com --verified --password-file audit.password"),
            [app, scopes("--scope", &CLIENTS), scopes("--scope", &["session"])].concat(),
            words("key import --file keys.yaml"),
        ] {
            let command: Vec<&str> = command.iter().map(String::as_str).collect();
            said.push(self.run(&command).await.expect(0));
        }
        self.client = said[4].json();
        let id = self.client["client_id"].as_str().unwrap();
        self.run(&["app", "update", id, "--api", "urn:elsewhere", "--scope", "elsewhere"]).await.expect(0);
        private(&path("audit.secret"), self.client["client_secret"].as_str().unwrap().as_bytes());
        std::fs::write(path("portcullis.toml"), configuration.replace("\"CLIENT\"", &format!("{id:?}")))
            .unwrap();
    }

    /// In its folder, so that no name of a temporary folder gets into the evidence.
    fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = portcullis(arguments);
        command.args(["--config", "portcullis.toml"]).current_dir(self.folder.path());
        command
    }

    /// A command on this installation, whatever comes of it.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        process::run(self.command(arguments)).await
    }

    /// The steward takes the database into its care and changes its passwords while it is served.
    pub async fn rotate(&self) {
        self.run(&["database", "adopt", "store"]).await.expect(0);
        self.run(&["database", "rotate", "store", "--now"]).await.expect(0);
    }

    /// The partner's key opens its endpoint; from now on it is revoked, and does not.
    pub async fn revoke_the_key(&self) {
        let key = std::fs::read_to_string(self.folder.path().join("audit.key")).unwrap();
        let with_key =
            || self.http.get(&format!("{}/anything/stock", self.gateway)).header("api-key", &key).send();
        with_key().await.expect(200);
        self.run(&["key", "update", "partner", "--revoke"]).await.expect(0);
        until(async || with_key().await.code() == 401).await;
    }

    /// From now on tokens live as long as the document says.
    pub async fn lengthen_tokens(&self) {
        self.run(&["api", "update", AUDIENCE, "--token-lifetime", "15m"]).await.expect(0);
        let asked = json!({
            "grant_type": "client_credentials",
            "client_id": self.client["client_id"],
            "client_secret": self.client["client_secret"],
            "audience": AUDIENCE,
        });
        let token = || self.http.post(&format!("{}oauth/token", self.issuer)).json(&asked).send();
        until(async || token().await.expect(200).json()["expires_in"] == LIFETIME).await;
    }

    /// A stranger's host looks at the database. The name that exists on this machine alone is the machine's own.
    pub async fn probe(&self) -> Value {
        let own_name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let pid = self.folder.path().join("dnsmasq.pid");
        // Out there is a name server, which knows nothing of this machine; it says when it is ready by going on its own.
        let look = format!(
            "PATH=$PATH:/usr/sbin:/sbin\ndnsmasq --conf-file=/dev/null --pid-file={pid} --listen-address=127.0.0.1 \
             --bind-interfaces --no-resolv --no-hosts --address=/#/\n\"$@\" && code=0 || code=$?\n\
             kill \"$(cat {pid})\"\nexit $code",
            pid = pid.display()
        );
        self.hosts.set_resolver(Host::Outside, "127.0.0.1");
        let mut probe = self.hosts.command(Host::Outside, "sh");
        probe.args(["-c", &look, "sh", env!("CARGO_BIN_EXE_portcullis"), "probe", "--json"]);
        probe.args(["--control", &self.page.url(), "--internal-name", own_name.trim()]);
        probe.arg(format!("{}:{}", self.machine, self.database_port));
        let seen = process::run(probe).await.expect(0);
        std::fs::write(self.folder.path().join("probe.json"), &seen.stdout).unwrap();
        seen.json()
    }

    /// An audit, written into this document.
    pub async fn audit(&self, document: &str, only: &[&str]) -> Audited {
        let file = self.folder.path().join("measures.md");
        std::fs::write(&file, document).unwrap();
        let only = only.iter().flat_map(|id| ["--only", id]);
        let arguments: Vec<&str> = ["audit", "--format", "json", "--write", "--document", "measures.md"]
            .into_iter()
            .chain(only)
            .collect();
        let output = self.run(&arguments).await;
        let report = serde_json::from_str(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", output.stdout, output.stderr));
        Audited { report, document: std::fs::read_to_string(file).unwrap() }
    }

    /// A look whose tokens soon end, and when a later one may call them expired: a minute after their `exp`, when
    /// nobody's leeway lets them in any more.
    pub async fn first_look(&self, document: &str) -> i64 {
        self.audit(document, &["A10"]).await;
        let kept = std::fs::read(self.folder.path().join("audit/kept-tokens.json")).unwrap();
        let kept: Value = serde_json::from_slice(&kept).unwrap();
        let ends = kept.as_array().unwrap().iter().map(|token| token["expires_at"].as_i64().unwrap());
        ends.max().expect("the first look kept a token") + 61
    }

    /// SIGTERM.
    pub async fn stop(mut self) {
        let status = self.program.take().unwrap().terminate().await;
        assert!(status.success(), "{status}");
    }
}

/// Waits for this moment, in Unix seconds.
#[expect(
    clippy::disallowed_methods,
    reason = "a token's end is a moment of the real clock, and the event waited for"
)]
pub async fn until_moment(moment: i64) {
    let end = std::time::UNIX_EPOCH + Duration::from_secs(moment.unsigned_abs());
    while let Ok(left) = end.duration_since(std::time::SystemTime::now()) {
        tokio::time::sleep(left + Duration::from_millis(1)).await;
    }
}

/// Every node hears of a change within a second; a busy machine is given more.
async fn until(so: impl AsyncFn() -> bool) {
    let wait = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("a change is heard");
}

/// What came by SMTP, as `[audit] mailbox` reads it.
async fn mailbox(mut smtp: Smtp) -> Server {
    let mails = Arc::new(Mutex::new(Vec::new()));
    let shown = mails.clone();
    tokio::spawn(async move {
        while let Some(mail) = smtp.mail_within(Duration::from_hours(1)).await {
            let mail =
                json!({ "to": mail.to, "subject": mail.subject, "text": mail.text, "html": mail.html });
            mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
        }
    });
    Server::start(move |_| {
        let mails = shown.lock().unwrap_or_else(PoisonError::into_inner);
        answer(200, "application/json", Value::from(mails.clone()).to_string())
    })
    .await
}
