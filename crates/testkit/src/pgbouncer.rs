//! A real PgBouncer (Debian's package) before a cluster: it hides who asks, and how the server would have answered.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::postgres::keeper::{self, Keeper};
use crate::postgres::{Postgres, SUPERUSER};

/// When a connection to the server is given to the next client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// When the client leaves.
    Session,
    /// After each transaction: advisory locks and `SET` of a session do not work.
    Transaction,
}

/// Whom it lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// SCRAM for every role, whose verifier it asks the server for (`auth_query`), and with whose keys it logs in there
    /// (pass-through).
    Scram,
    /// Everybody under a name that the server knows, without a password. It goes to the server as the superuser.
    Trust,
    /// Everybody under any name, without a password. It goes to the server as the superuser.
    Any,
}

/// Starts it, obeys `reload`, and cleans up when its standard input ends.
const KEEPER: &str = r#"
set -eu
umask 077
cd "$1"; bin=$2; : >pgbouncer.log
"$bin" pgbouncer.ini >pgbouncer.log 2>&1 & pid=$!
# It logs this once it listens.
until grep -q 'process up' pgbouncer.log; do
    kill -0 $pid 2>/dev/null || { cat pgbouncer.log >&2; cd /; rm -rf "$1"; exit 1; }
    sleep 0.02
done
echo started
while read -r order; do
    case $order in
        reload) kill -HUP $pid && echo reloaded ;;
    esac
done
kill -INT $pid 2>/dev/null || true
wait $pid || true
cd /
rm -rf "$1"
"#;

/// A running PgBouncer; every database of the cluster can be entered through it by its own name.
#[derive(Debug)]
pub struct PgBouncer<'a> {
    cluster: &'a Postgres,
    port: u16,
    keeper: Mutex<Keeper>,
}

impl<'a> PgBouncer<'a> {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// Where PgBouncer is not installed, naming the package, or does not start, with its log.
    #[must_use]
    pub fn before(cluster: &'a Postgres, mode: Mode, authentication: Authentication) -> Self {
        let folder = keeper::folder("testkit-pgbouncer-");
        let port = crate::ports::free_port();
        let server = cluster.port();
        let password = cluster.superuser_password();
        let mode = match mode {
            Mode::Session => "session",
            Mode::Transaction => "transaction",
        };
        let (kind, database) = match authentication {
            Authentication::Scram => ("scram-sha-256", String::new()),
            Authentication::Trust => ("trust", format!(" user={SUPERUSER} password={password}")),
            Authentication::Any => ("any", format!(" user={SUPERUSER} password={password}")),
        };
        // `trust` wants the name in the file; for `scram-sha-256` the superuser is who asks for the verifiers.
        let roles =
            cluster.run_sql("postgres", "select rolname from pg_roles where rolcanlogin and not rolsuper");
        let names = if authentication == Authentication::Trust { roles.as_str() } else { "" };
        let names: String = names.lines().map(|name| format!("\"{name}\" \"\"\n")).collect();
        keeper::write_private(&folder.join("users"), &format!("\"{SUPERUSER}\" \"{password}\"\n{names}"));
        keeper::write_private(
            &folder.join("pgbouncer.ini"),
            &format!(
                "[databases]\n* = host=127.0.0.1 port={server}{database}\n\n[pgbouncer]\n\
                 listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\npool_mode = {mode}\n\
                 auth_type = {kind}\nauth_file = users\nauth_user = {SUPERUSER}\n\
                 auth_query = SELECT usename, passwd FROM pg_shadow WHERE usename = $1\n\
                 admin_users = {SUPERUSER}\nmax_client_conn = 500\ndefault_pool_size = 50\n\
                 ignore_startup_parameters = extra_float_digits\n"
            ),
        );
        let program = program();
        let arguments = [program.to_str().expect("a path of plain letters")];
        let mut keeper = Keeper::start(KEEPER, &folder, None, &arguments);
        keeper.expect_answer("started");
        Self { cluster, port, keeper: Mutex::new(keeper) }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs a command of its console: `RECONNECT`, `SHOW POOLS`.
    ///
    /// # Panics
    /// When it refuses.
    pub fn console(&self, command: &str) -> String {
        self.cluster.run_sql_at(self.port, "pgbouncer", command)
    }

    /// Runs SQL as the superuser through it.
    ///
    /// # Panics
    /// When it or the server refuses.
    pub fn run_sql(&self, database: &str, sql: &str) -> String {
        self.cluster.run_sql_at(self.port, database, sql)
    }

    /// Has it read its files again.
    ///
    /// # Panics
    /// When it is not there any more.
    pub fn reload(&self) {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner).order("reload", "reloaded");
    }
}

/// Debian keeps it in `/usr/sbin`, which is not in every user's PATH.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/bin".into()])
        .map(|folder| folder.join("pgbouncer"))
        .find(|candidate| candidate.is_file() && Command::new(candidate).arg("--version").output().is_ok())
        .unwrap_or_else(|| {
            panic!("no `pgbouncer`: install the package `pgbouncer` (Debian: apt-get install pgbouncer)")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scram_passes_through_in_both_modes() {
        let cluster = Postgres::start();
        for mode in [Mode::Session, Mode::Transaction] {
            let pooler = PgBouncer::before(&cluster, mode, Authentication::Scram);
            assert_eq!(pooler.run_sql("postgres", "select current_user"), SUPERUSER);
            assert!(pooler.console("SHOW DATABASES").contains("postgres"));
            pooler.console("RECONNECT");
            pooler.reload();
            assert_eq!(pooler.run_sql("postgres", "select current_user"), SUPERUSER);
        }
    }
}
