//! A real PostgreSQL cluster: its own folder and port, SCRAM only, no socket in the file system.
//!
//! A small shell stands beside the server and reads commands from a pipe. The pipe closes when the test process ends,
//! however it ends, and then the shell stops the server and removes the folder: nothing is left behind.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::namespaces;

pub(crate) mod keeper;
mod programs;

use keeper::Keeper;

/// The role that owns the cluster.
pub const SUPERUSER: &str = "superuser";

/// Starts, obeys `stop`, `start` and `reload`, and cleans up when its standard input ends.
const KEEPER: &str = r#"
set -eu
umask 077
cd "$1"; bin=$2; port=$3
begin() {
    "$bin/pg_ctl" -D data -w -t 120 -l server.log start -o "-p $port \
        -c unix_socket_directories= -c fsync=off -c full_page_writes=off -c shared_buffers=16MB \
        -c max_connections=300 -c max_wal_size=256MB -c jit=off" >>keeper.log 2>&1
}
end() { "$bin/pg_ctl" -D data -w -m fast stop >>keeper.log 2>&1; }
{
    "$bin/initdb" -D data -U superuser --pwfile=password --encoding=UTF8 --locale=C --no-sync \
        --auth-host=scram-sha-256 --auth-local=scram-sha-256 >initdb.log 2>&1 &&
        cat settings >>data/postgresql.conf && { [ ! -e pg_hba.conf ] || cat pg_hba.conf >data/pg_hba.conf; } &&
        begin && echo started
} || { cat initdb.log server.log keeper.log >&2 2>/dev/null || true; cd /; rm -rf "$1"; exit 1; }
while read -r order; do
    case $order in
        stop) end && echo stopped ;;
        start) begin && echo started ;;
        reload) "$bin/pg_ctl" -D data reload >>keeper.log 2>&1 && echo reloaded ;;
    esac
done
end || true
cd /
rm -rf "$1"
"#;

/// How often its log is looked at before a test gives up on a reload, and how long after each other.
const LOOKS: u32 = 6000;
const PAUSE: Duration = Duration::from_millis(5);

/// Which PostgreSQL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// The one in PATH, else the newest of Debian's.
    #[default]
    Installed,
    /// 18, from npm (`tests/ecosystem`): CREATEROLE is weaker from 16 on, and `SYSTEM_USER` exists.
    Eighteen,
}

/// What is special about a cluster. `Options::default()` is the ordinary one.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which PostgreSQL.
    pub version: Version,
    /// Lines of `postgresql.conf`: `("log_statement", "all")`. What the command line of the fixture sets wins.
    pub settings: Vec<(String, String)>,
    /// `pg_hba.conf` as a whole; without it every connection over TCP from this machine wants SCRAM.
    pub hba: Option<String>,
    /// TLS by a certificate made for this cluster alone, for `localhost` and 127.0.0.1.
    pub tls: bool,
    /// The network namespace in which the server runs; see [`crate::namespaces`].
    pub namespace: Option<String>,
}

impl Options {
    /// With one more line of `postgresql.conf`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Logs every statement and counts it in `pg_stat_statements`, so that a test can look for what must not be there.
    /// `create extension pg_stat_statements` is the test's.
    #[must_use]
    pub fn that_logs_everything(self) -> Self {
        self.setting("log_statement", "all")
            .setting("log_min_error_statement", "debug5")
            .setting("log_min_duration_statement", "0")
            .setting("log_parameter_max_length", "-1")
            .setting("log_parameter_max_length_on_error", "-1")
            .setting("log_connections", "on")
            .setting("shared_preload_libraries", "pg_stat_statements")
            .setting("pg_stat_statements.track", "all")
            .setting("pg_stat_statements.track_utility", "on")
    }

    fn lines(&self) -> String {
        let mut lines: Vec<_> = [("listen_addresses", "127.0.0.1"), ("password_encryption", "scram-sha-256")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        if self.tls {
            lines.push(("ssl".to_owned(), "on".to_owned()));
            lines.push(("ssl_cert_file".to_owned(), "../server.crt".to_owned()));
            lines.push(("ssl_key_file".to_owned(), "../server.key".to_owned()));
        }
        // The last line of a name counts.
        lines.extend(self.settings.iter().cloned());
        lines.iter().map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''"))).collect()
    }
}

/// A running cluster.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    password: String,
    psql: PathBuf,
    folder: PathBuf,
    namespace: Option<String>,
    certificate: Option<String>,
    keeper: Mutex<Keeper>,
    databases: AtomicU32,
}

/// A database of one test's own, with an owner that is no superuser.
#[derive(Clone, Debug)]
pub struct Database {
    /// The database's name.
    pub name: String,
    /// The role that owns it.
    pub owner: String,
    /// The owner's password.
    pub password: String,
    /// Where the server listens, on 127.0.0.1.
    pub port: u16,
}

impl Database {
    /// `postgres://owner@127.0.0.1:port/name`, without the password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://{}@127.0.0.1:{}/{}", self.owner, self.port, self.name)
    }

    /// The same with the password in it.
    #[must_use]
    pub fn url_with_password(&self) -> String {
        format!("postgres://{}:{}@127.0.0.1:{}/{}", self.owner, self.password, self.port, self.name)
    }
}

impl Postgres {
    /// The cluster of this test process, started at first use.
    #[must_use]
    pub fn shared() -> &'static Self {
        static CLUSTER: OnceLock<Postgres> = OnceLock::new();
        CLUSTER.get_or_init(Self::start)
    }

    /// A cluster of one's own: for a test that stops it or changes its roles.
    ///
    /// # Panics
    /// Where PostgreSQL is not installed, naming the package, or does not start, with its log.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&Options::default())
    }

    /// A cluster of one's own with something special about it.
    ///
    /// # Panics
    /// As [`Postgres::start`].
    #[must_use]
    pub fn start_with(options: &Options) -> Self {
        let psql = programs::find("psql").unwrap_or_else(|| programs::missing("psql"));
        let folder = keeper::folder("testkit-postgres-");
        let bin = programs::server_programs(options.version, &folder);
        let password = random_word();
        keeper::write_private(&folder.join("password"), &password);
        keeper::write_private(&folder.join("settings"), &options.lines());
        if let Some(hba) = &options.hba {
            keeper::write_private(&folder.join("pg_hba.conf"), hba);
        }
        let certificate = options.tls.then(|| {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]);
            let made = made.expect("a certificate for localhost");
            keeper::write_private(&folder.join("server.crt"), &made.cert.pem());
            keeper::write_private(&folder.join("server.key"), &made.signing_key.serialize_pem());
            made.cert.pem()
        });
        // The port is free now; should somebody take it in between, the server says so and the test fails.
        let port = crate::ports::free_port();
        let arguments = [bin.to_str().expect("a path of plain letters"), &port.to_string()];
        let mut keeper = Keeper::start(KEEPER, &folder, options.namespace.as_deref(), &arguments);
        keeper.expect_answer("started");
        Self {
            port,
            password,
            psql,
            folder,
            namespace: options.namespace.clone(),
            certificate,
            keeper: Mutex::new(keeper),
            databases: AtomicU32::new(0),
        }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's password.
    #[must_use]
    pub fn superuser_password(&self) -> &str {
        &self.password
    }

    /// The superuser's URL of a database, without the password.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{database}", self.port)
    }

    /// The same with the password in it.
    #[must_use]
    pub fn url_with_password(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// The certificate that it shows, PEM, where TLS is on.
    #[must_use]
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// A new database that belongs to a new role; nobody else may connect to it.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn fresh_database(&self) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let (name, owner) = (format!("test_{number}"), format!("owner_{number}"));
        let password = random_word();
        self.run_sql(
            "postgres",
            &format!(
                "create role {owner} login password '{password}';\n\
                 create database {name} owner {owner};\n\
                 revoke all on database {name} from public;"
            ),
        );
        Database { name, owner, password, port: self.port }
    }

    /// Runs SQL as the superuser; the rows come back one a line, columns separated by `|`.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn run_sql(&self, database: &str, sql: &str) -> String {
        self.run_sql_at(self.port, database, sql)
    }

    /// The same at another port of 127.0.0.1: a pooler before this cluster.
    pub(crate) fn run_sql_at(&self, port: u16, database: &str, sql: &str) -> String {
        let program = self.psql.to_str().expect("a path of plain letters").to_owned();
        let mut psql = namespaces::prefixed(self.namespace.as_deref(), &[program])
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
            .args(["--host=127.0.0.1", &format!("--port={port}")])
            .args(["--username", SUPERUSER, "--dbname", database])
            .env("PGPASSWORD", &self.password)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql starts");
        psql.stdin.take().expect("a piped standard input").write_all(sql.as_bytes()).expect("psql reads");
        let output = psql.wait_with_output().expect("psql ends");
        assert!(output.status.success(), "psql refused: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Replaces `pg_hba.conf`. The running server goes on with the old rules until [`Postgres::reload`].
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn edit_hba(&self, rules: &str) {
        // Written over, not replaced: the server's account keeps owning it.
        std::fs::write(self.folder.join("data/pg_hba.conf"), rules).expect("pg_hba.conf can be written");
    }

    /// Has the server read its files again, and waits until it has.
    ///
    /// # Panics
    /// When the server does not say so in its log.
    pub fn reload(&self) {
        const SAID: &str = "received SIGHUP, reloading configuration files";
        let before = self.log().matches(SAID).count();
        self.order("reload", "reloaded");
        // It reads the files right after this line, and accepts nobody in between.
        let read_again = (0..LOOKS).any(|_| {
            std::thread::sleep(PAUSE);
            self.log().matches(SAID).count() > before
        });
        assert!(read_again, "PostgreSQL did not reload:\n{}", self.log());
    }

    /// The server's log so far.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn log(&self) -> String {
        let log = std::fs::read(self.folder.join("server.log")).expect("the server's log can be read");
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Stops the server, as an outage would. Use it on a cluster of one's own.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn stop(&self) {
        self.order("stop", "stopped");
    }

    /// Starts the stopped server again on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        self.order("start", "started");
    }

    fn order(&self, order: &str, answer: &str) {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner).order(order, answer);
    }
}

/// 128 bits as hexadecimal digits. The standard library seeds each hasher from the operating system.
fn random_word() -> String {
    let half = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}

#[cfg(test)]
mod tests {
    use super::{Options, Postgres, Version};

    #[test]
    fn a_database_belongs_to_a_role_with_a_scram_password() {
        let cluster = Postgres::shared();
        let database = cluster.fresh_database();
        let verifier = cluster.run_sql(
            "postgres",
            &format!(
                "select rolpassword like 'SCRAM-SHA-256$%', rolsuper from pg_authid where rolname = '{}'",
                database.owner
            ),
        );
        assert_eq!(verifier, "t|f");
        let methods = cluster.run_sql("postgres", "select distinct auth_method from pg_hba_file_rules");
        assert_eq!(methods, "scram-sha-256");
    }

    #[test]
    fn a_cluster_of_ones_own_can_be_stopped_and_started() {
        let cluster = Postgres::start();
        cluster.stop();
        assert!(std::net::TcpStream::connect(("127.0.0.1", cluster.port())).is_err());
        cluster.start_again();
        assert_eq!(cluster.run_sql("postgres", "select 1"), "1");
    }

    #[test]
    fn what_was_written_into_hba_counts_after_a_reload() {
        let cluster = Postgres::start();
        cluster.edit_hba("host all all 127.0.0.1/32 scram-sha-256\nhost all all ::1/128 trust\n");
        let in_force = "select count(*) from pg_hba_file_rules where auth_method = 'trust'";
        assert_eq!(cluster.run_sql("postgres", in_force), "1");
        let loaded = cluster.run_sql("postgres", "select pg_conf_load_time()");
        cluster.reload();
        assert_ne!(cluster.run_sql("postgres", "select pg_conf_load_time()"), loaded);
    }

    #[test]
    fn version_18_logs_statements_and_speaks_tls() {
        let options =
            Options { version: Version::Eighteen, tls: true, ..Options::default() }.that_logs_everything();
        let cluster = Postgres::start_with(&options);
        assert_eq!(
            cluster.run_sql("postgres", "select current_setting('server_version_num')::int / 10000"),
            "18"
        );
        assert_eq!(
            cluster.run_sql("postgres", "select ssl from pg_stat_ssl where pid = pg_backend_pid()"),
            "t"
        );
        assert_eq!(cluster.run_sql("postgres", "select system_user"), "scram-sha-256:superuser");
        cluster.run_sql("postgres", "create extension pg_stat_statements; select 'seen in the log';");
        assert!(cluster.log().contains("seen in the log"));
        assert!(cluster.certificate().is_some_and(|pem| pem.starts_with("-----BEGIN CERTIFICATE")));
    }

    #[test]
    fn the_installed_version_counts_statements_too() {
        let cluster = Postgres::start_with(&Options::default().that_logs_everything());
        cluster.run_sql("postgres", "create extension pg_stat_statements");
        assert!(cluster.run_sql("postgres", "select count(*) > 0 from pg_stat_statements").starts_with('t'));
    }
}
