//! Two nodes of one installation whose own store is a PostgreSQL database that the steward looks after, each with a folder
//! and a secret file of its own.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde_json::Value;
use steward::{Credential, connect};
use testkit::postgres::{Database, Postgres};
use testkit::process::{self, Output, Program};

use crate::served::{AUDIENCE, Laid, private};

/// For waits on something that another process does: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(150);
/// Between two looks at what another process does.
pub const LOOK: Duration = Duration::from_millis(50);

/// Rules for users (`GET /notes`, from [`Laid::out`]) and for clients.
const STOCK: &str = r#"
[[gateway.route]]
match = "GET /stock"
scopes = ["read:stock"]
caller = "client"
"#;

/// The store is adopted; nothing runs yet.
pub struct Nodes {
    /// Has the administrator's credential, and is where commands are run.
    pub first: Laid,
    /// Knows its own credential alone.
    pub second: Laid,
    pub database: Database,
    /// What [`run`] starts, killed when dropped.
    running: Vec<Program>,
}

impl Nodes {
    /// In staging, on a database of their own. The platform's role is one of this test's own, too: its password changes.
    pub async fn on(cluster: &Postgres) -> Self {
        let database = cluster.fresh_database();
        let administrator = superuser(cluster, &database);
        let care = "[[database]]\nname = \"store\"\n";
        let first = Laid::out(&format!("{STOCK}{care}administrator_file = \"store.admin\"\n")).await;
        let second = Laid::out(&format!("{STOCK}{care}")).await;
        for node in [&first, &second] {
            node.edit("environment = \"development\"", "environment = \"staging\"");
            node.edit(
                "url = \"sqlcipher:portcullis.db\"\nkey_file = \"store.key\"",
                &format!(
                    "url = \"{}\"\npassword_file = \"store.password\"\nsecret_file = \"store.json\"",
                    database.url()
                ),
            );
            private(&node.path("store.password"), database.password.as_bytes());
        }
        // One issuer: they differ in where they listen alone.
        second.edit(&format!("issuer = \"{}\"", second.issuer), &format!("issuer = \"{}\"", first.issuer));
        private(&first.path("store.admin"), administrator.as_bytes());
        let scopes = ["--scope", "read:notes", "--scope", "read:stock"];
        first.run(&[&["api", "create", "--identifier", AUDIENCE][..], &scopes].concat()).await.expect(0);
        let permission = format!("{AUDIENCE}=read:notes");
        first.run(&["role", "create", "reader", "--permission", &permission, "--default"]).await.expect(0);
        first.run(&["database", "adopt", "store"]).await.expect(0);
        Self { first, second, database, running: Vec::new() }
    }

    /// Starts both and waits until they have replaced the foreign passwords by themselves: the store's, and the platform's.
    pub async fn run(&mut self) {
        for node in [&self.first, &self.second] {
            let mut program = Program::start(node.command(&["serve", "--json"]));
            let ready = program.line_within(PATIENCE).await;
            assert!(ready.is_some(), "it is not ready: {}", program.errors());
            self.running.push(program);
        }
        let here = &*self;
        until("the foreign passwords are replaced", || async move {
            let status = here.status().await;
            let administrator = &status["administrator"];
            let stable = status["state"] == "stable" && administrator["state"] == "stable";
            stable && status["generation"] == 1 && administrator["generation"] == 1
        })
        .await;
    }

    /// The second node's process.
    pub fn second_program(&self) -> &Program {
        &self.running[1]
    }

    /// SIGTERM to both; they end in order.
    pub async fn stop(self) {
        for program in self.running {
            let status = program.terminate().await;
            assert!(status.success(), "{status}");
        }
    }

    pub async fn status(&self) -> Value {
        let told = self.first.run(&["database", "status", "store", "--json"]).await.expect(0).json();
        told[0]["status"].clone()
    }

    /// What stands in the files of both nodes; before the first rotation, what their password files say.
    pub fn held(&self) -> [Credential; 2] {
        [&self.first, &self.second].map(|node| match std::fs::read_to_string(node.path("store.json")) {
            Ok(text) => Credential::from_json(&text).unwrap(),
            Err(_) => Credential::from_url(&self.database.url_with_password(), None).unwrap(),
        })
    }

    /// Fails unless both hold this generation, and it logs in.
    pub async fn assert_both_hold(&self, generation: i64) {
        for held in self.held() {
            assert_eq!(held.generation, generation, "{}", held.username);
            assert!(logs_in(&held).await, "generation {generation} of {}", held.username);
        }
    }
}

/// A superuser besides the cluster's own, as a platform makes one: its URL.
pub fn superuser(cluster: &Postgres, of: &Database) -> String {
    let (name, password) = (format!("platform_of_{}", of.name), &of.password);
    cluster.run_sql("postgres", &format!("create role {name} superuser login password '{password}'"));
    format!("postgres://{name}:{password}@127.0.0.1:{}/postgres", cluster.port())
}

/// Whether it logs in. The steward's way, whose sessions count as nobody's use of a role.
pub async fn logs_in(credential: &Credential) -> bool {
    match connect::login(credential).await {
        Ok(session) => {
            connect::logout(session).await;
            true
        }
        Err(connect::LoginFault::Refused { .. }) => false,
        Err(fault) => panic!("{}: {fault}", credential.url()),
    }
}

/// Whether it is the same password of the same role.
pub fn same(one: &Credential, other: &Credential) -> bool {
    one.username == other.username && one.password.expose_secret() == other.password.expose_secret()
}

/// What one `database rotate` of PostgreSQL told, which must have come to its end.
pub fn finished(output: Output) -> Value {
    let told = output.expect(0).json();
    assert_eq!(told[0]["outcome"], "finished", "{told}");
    told[0].clone()
}

/// Looks until it is so.
pub async fn until<Answer: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> Answer) {
    let looking = async {
        while !so().await {
            tokio::time::sleep(LOOK).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, looking).await.is_ok(), "not within {PATIENCE:?}: {what}");
}

/// `portcullis` with a fault point.
pub async fn killed_at(laid: &Laid, place: &str, arguments: &[&str]) -> Output {
    let mut command = laid.command(arguments);
    command.env("PORTCULLIS_TEST_FAULT", place);
    process::run(command).await
}
