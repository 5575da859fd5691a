//! Ten changes of a managed database's password under pgbench: straight to the server, and through PgBouncer in both
//! modes. pgbench itself counts its transactions; each run reads the secret anew, as a pool does for a new connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use secrecy::ExposeSecret as _;
use steward::Credential;
use testkit::pgbouncer::{Authentication, Mode, PgBouncer};
use testkit::postgres::{Database, Postgres};
use testkit::process::{self, Output};

use crate::served::{Laid, Served, private};
use crate::two_nodes::{finished, logs_in, superuser};

const ROTATIONS: i64 = 10;

/// A database, how its application reaches it, and what is written about it.
struct Managed {
    name: &'static str,
    database: Database,
    /// Where the application connects: the server, or a pooler before it.
    port: u16,
    /// How a new secret gets to the application.
    secret: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_pgbenchs_transactions_none_fails_through_ten_rotations_direct_and_behind_a_pooler() {
    let cluster = Postgres::start();
    let [direct, session, transaction] = std::array::from_fn(|_| cluster.fresh_database());
    let sessions = PgBouncer::before(&cluster, Mode::Session, Authentication::Scram);
    let transactions = PgBouncer::before(&cluster, Mode::Transaction, Authentication::Scram);
    // A connection to the server that no client uses ends, as docs/rotate-the-database-password.md says.
    for pooler in [&sessions, &transactions] {
        pooler.console("SET server_idle_timeout = 2");
    }
    let laid = Served::start("").await.stop().await;
    let to_file = |name: &str| format!("file = \"{name}.json\"");
    let managed = [
        Managed { name: "direct", port: direct.port, secret: to_file("direct"), database: direct },
        Managed { name: "session", port: sessions.port(), secret: to_file("session"), database: session },
        Managed {
            name: "transaction",
            port: transactions.port(),
            secret: by_command(&laid, &cluster, &transactions),
            database: transaction,
        },
    ];
    let mut configuration = std::fs::read_to_string(laid.file()).unwrap();
    for one in &managed {
        configuration.push_str(&one.configuration());
        private(&laid.path(&format!("{}.password", one.name)), one.database.password.as_bytes());
        let administrator = superuser(&cluster, &one.database);
        private(&laid.path(&format!("{}.admin", one.name)), administrator.as_bytes());
    }
    std::fs::write(laid.file(), configuration).unwrap();

    let laid = Arc::new(laid);
    let at_once: Vec<_> =
        managed.into_iter().map(|one| tokio::spawn(through_ten(laid.clone(), one))).collect();
    for one in at_once {
        one.await.unwrap();
    }
}

/// The way of docs/rotate-the-database-password.md: write the file, and have the pooler end the connections of the old role.
fn by_command(laid: &Laid, cluster: &Postgres, pooler: &PgBouncer<'_>) -> String {
    let port = pooler.port();
    private(
        &laid.path("pgpass"),
        format!("127.0.0.1:{port}:pgbouncer:superuser:{}\n", cluster.superuser_password()).as_bytes(),
    );
    let (folder, script) = (laid.folder.path().display(), laid.path("put-secret"));
    let text = format!(
        "umask 077; cat > {folder}/transaction.json.new && mv {folder}/transaction.json.new {folder}/transaction.json\n\
         PGPASSFILE={folder}/pgpass psql -X -q -h 127.0.0.1 -p {port} -U superuser pgbouncer -c RECONNECT\n"
    );
    std::fs::write(&script, text).unwrap();
    format!("command = [\"/bin/sh\", \"-e\", \"{}\"]", script.display())
}

impl Managed {
    fn configuration(&self) -> String {
        let Self { name, secret, database, .. } = self;
        // The rotation goes to the server itself.
        format!(
            "\n[[database]]\nname = \"{name}\"\nurl = \"{}\"\npassword_file = \"{name}.password\"\n\
             administrator_file = \"{name}.admin\"\nsecret = {{ {secret} }}\n",
            database.url()
        )
    }

    /// What the application reads.
    fn secret(&self, laid: &Laid) -> Credential {
        match std::fs::read_to_string(laid.path(&format!("{}.json", self.name))) {
            Ok(text) => Credential::from_json(&text).unwrap(),
            Err(_) => Credential::from_url(&self.database.url_with_password(), None).unwrap(),
        }
    }

    /// One run of pgbench by the secret as it stands.
    async fn pgbench(&self, laid: &Laid, arguments: &[&str]) -> Output {
        let secret = self.secret(laid);
        let mut command = process::command("pgbench");
        command
            .args(arguments)
            .args(["--host", "127.0.0.1", "--port", &self.port.to_string(), "--username", &secret.username])
            .arg(&self.database.name)
            .env("PGPASSWORD", secret.password.expose_secret());
        process::run(command).await
    }

    /// Runs until it is over: transactions that were done, that failed, and what runs said that came to no good end.
    async fn traffic(&self, laid: &Laid, over: &AtomicBool) -> (u64, u64, Vec<String>) {
        let (mut done, mut failed, mut broken) = (0, 0, Vec::new());
        while !over.load(Ordering::Relaxed) {
            let output = self.pgbench(laid, &["--no-vacuum", "--time=1", "--client=2", "--rate=50"]).await;
            if output.code == Some(0) {
                done += counted(&output.stdout, "number of transactions actually processed: ");
                failed += counted(&output.stdout, "number of failed transactions: ");
            } else {
                broken.push(output.stderr);
            }
        }
        (done, failed, broken)
    }
}

fn counted(told: &str, what: &str) -> u64 {
    let rest = told.lines().find_map(|line| line.strip_prefix(what));
    let number = rest.and_then(|rest| rest.split([' ', '/']).next()?.parse().ok());
    number.unwrap_or_else(|| panic!("pgbench does not say `{what}`: {told}"))
}

async fn through_ten(laid: Arc<Laid>, managed: Managed) {
    let name = managed.name;
    managed.pgbench(&laid, &["--initialize", "--quiet"]).await.expect(0);
    laid.run(&["database", "adopt", name]).await.expect(0);
    let managed = Arc::new(managed);
    let over = Arc::new(AtomicBool::new(false));
    let traffic = {
        let (laid, managed, over) = (laid.clone(), managed.clone(), over.clone());
        tokio::spawn(async move { managed.traffic(&laid, &over).await })
    };
    let mut old = vec![managed.secret(&laid)];
    for generation in 1..=ROTATIONS {
        let report =
            finished(laid.run(&["database", "rotate", name, "--now", "--json"]).await)["report"].clone();
        assert_eq!(report["generation"], generation, "{name}");
        assert_eq!(report["sessions_terminated"], 0, "{name}: nobody was thrown out");
        old.push(managed.secret(&laid));
    }
    over.store(true, Ordering::Relaxed);
    let (done, failed, broken) = traffic.await.unwrap();
    assert!(broken.is_empty(), "{name}: {} runs broke: {}", broken.len(), broken[0]);
    assert_eq!(failed, 0, "{name}: of {done}");
    assert!(done > 100, "{name}: {done} transactions are no traffic");
    println!("{name}: {done} transactions through {ROTATIONS} rotations, {failed} failed");

    let newest = old.pop().unwrap();
    assert_eq!(newest.generation, ROTATIONS);
    assert!(logs_in(&newest).await);
    for old in old {
        assert!(!logs_in(&old).await, "{name}: generation {}", old.generation);
    }
}
