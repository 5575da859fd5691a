//! A real PostgreSQL cluster: its own folder and port, SCRAM only, no socket in the file system.
//!
//! A small shell stands beside the server and reads commands from a pipe. The pipe closes when the test process ends,
//! however it ends, and then the shell stops the server and removes the folder: nothing is left behind.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The role that owns the cluster.
pub const SUPERUSER: &str = "superuser";

/// Starts, obeys `stop` and `start`, and cleans up when its standard input ends.
const KEEPER: &str = r#"
set -eu
umask 077
cd "$1"; bin=$2; port=$3
begin() {
    "$bin/pg_ctl" -D data -w -t 120 -l server.log start -o "-p $port \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c password_encryption=scram-sha-256 \
        -c fsync=off -c full_page_writes=off -c shared_buffers=16MB -c max_connections=300 \
        -c max_wal_size=256MB -c jit=off" >>keeper.log 2>&1
}
end() { "$bin/pg_ctl" -D data -w -m fast stop >>keeper.log 2>&1; }
{
    "$bin/initdb" -D data -U superuser --pwfile=password --encoding=UTF8 --locale=C --no-sync \
        --auth-host=scram-sha-256 --auth-local=scram-sha-256 >initdb.log 2>&1 && begin && echo started
} || { cat initdb.log server.log keeper.log >&2 2>/dev/null || true; cd /; rm -rf "$1"; exit 1; }
while read -r order; do
    case $order in
        stop) end && echo stopped ;;
        start) begin && echo started ;;
    esac
done
end || true
cd /
rm -rf "$1"
"#;

/// A running cluster.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    password: String,
    psql: PathBuf,
    keeper: Mutex<Keeper>,
    databases: AtomicU32,
}

#[derive(Debug)]
struct Keeper {
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    // Held so that it is known whose child the shell is; it ends by itself.
    _shell: Child,
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
        let bin = server_programs();
        let psql = find("psql").unwrap_or_else(|| missing("psql"));
        let folder = tempfile::Builder::new()
            .prefix("testkit-postgres-")
            .tempdir()
            .expect("a folder under the temporary directory")
            .keep();
        let password = random_word();
        std::fs::write(folder.join("password"), &password).expect("the superuser's password file");
        set_mode(&folder.join("password"), 0o600);
        set_mode(&folder, 0o700);
        // The port is free now; should somebody take it in between, the server says so and the test fails.
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .expect("a free port on 127.0.0.1")
            .port();

        let mut shell = keeper_shell(&folder)
            .args(["-c", KEEPER, "keeper"])
            .arg(&folder)
            .arg(&bin)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Its own group: an interrupt at the terminal reaches the tests, and the shell cleans up after them.
            .process_group(0)
            .current_dir("/")
            .spawn()
            .expect("a shell beside the server");
        let orders = shell.stdin.take().expect("a piped standard input");
        let answers = BufReader::new(shell.stdout.take().expect("a piped standard output"));
        let mut keeper = Keeper { orders, answers, _shell: shell };
        keeper.expect_answer("started");
        Self { port, password, psql, keeper: Mutex::new(keeper), databases: AtomicU32::new(0) }
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
        let mut psql = Command::new(&self.psql)
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
            .args(["--host=127.0.0.1", &format!("--port={}", self.port)])
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
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(keeper.orders, "{order}").expect("the shell beside the server listens");
        keeper.expect_answer(answer);
    }
}

impl Keeper {
    fn expect_answer(&mut self, wanted: &str) {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the shell beside the server answers");
        assert_eq!(line.trim_end(), wanted, "PostgreSQL did not obey; its log is above");
    }
}

/// PostgreSQL refuses to run as root: then an unprivileged account runs it and owns the folder.
fn keeper_shell(folder: &Path) -> Command {
    let root = Path::new("/proc/self").metadata().is_ok_and(|own| {
        use std::os::unix::fs::MetadataExt;
        own.uid() == 0
    });
    if !root {
        return Command::new("sh");
    }
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let account = ["postgres", "nobody"]
        .into_iter()
        .find(|name| accounts.lines().any(|line| line.split(':').next() == Some(name)))
        .unwrap_or_else(|| panic!("no account `postgres` or `nobody`: install the package `postgresql`"));
    let chown = Command::new("chown").arg("-R").arg(account).arg(folder).status();
    assert!(chown.is_ok_and(|status| status.success()), "cannot give {} to {account}", folder.display());
    let mut command = Command::new("runuser");
    command.args(["-u", account, "--", "sh"]);
    command
}

/// The folder that holds `initdb`, `pg_ctl` and `postgres` of one version.
fn server_programs() -> PathBuf {
    let program = find("initdb").unwrap_or_else(|| missing("initdb"));
    // A link in PATH leads to the folder where the other programs of that version are.
    let program = program.canonicalize().unwrap_or(program);
    let folder = program.parent().unwrap_or(Path::new("/")).to_owned();
    for name in ["pg_ctl", "postgres"] {
        if !folder.join(name).is_file() {
            missing(name);
        }
    }
    folder
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    // The newest version first; names are numbers.
    debian.sort_by_key(|folder| {
        let version = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        std::cmp::Reverse(version.and_then(|name| name.parse::<u32>().ok()))
    });
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/local/bin")])
        .chain(debian)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

fn missing(program: &str) -> ! {
    panic!(
        "`{program}` is in neither PATH nor /usr/lib/postgresql/*/bin: these tests need a real PostgreSQL; install the \
         package `postgresql` (Debian: apt-get install postgresql)"
    )
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .expect("permissions of an own file");
}

/// 128 bits as hexadecimal digits. The standard library seeds each hasher from the operating system.
fn random_word() -> String {
    let half = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}

#[cfg(test)]
mod tests {
    use super::Postgres;

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
}
