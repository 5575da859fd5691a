//! Three hosts on one machine, as network namespaces: `inside` and `database` on a private network, `outside` on two
//! public ones, by which it reaches the others' public addresses. What listens on a public address of `database` is
//! open to the world; what listens on its private one is not.
//!
//! ```text
//!   inside   10.77.0.1 ───── private ───── 10.77.0.2    database
//!      203.0.113.1                            198.51.100.1
//!           └──── 203.0.113.10  outside  198.51.100.10 ────┘
//! ```
//!
//! A shell keeps them and removes everything when the test process ends, however it ends.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::postgres::keeper::{self, Keeper};

/// A host of [`Namespaces`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Where the application runs.
    Inside,
    /// Somewhere on the internet.
    Outside,
    /// Where the database runs.
    Database,
}

/// The application's private address.
pub const INSIDE_PRIVATE: &str = "10.77.0.1";
/// The application's public address.
pub const INSIDE_PUBLIC: &str = "203.0.113.1";
/// The database's private address.
pub const DATABASE_PRIVATE: &str = "10.77.0.2";
/// The database's public address.
pub const DATABASE_PUBLIC: &str = "198.51.100.1";

/// Makes them, says `made`, and removes them when its standard input ends.
const KEEPER: &str = r#"
set -eu
cd "$1"; name=$2
remove() {
    for host in inside outside database; do
        # A server's own keeper ends it and removes its folder; give it the time.
        patience=100
        while [ "$patience" -gt 0 ] && [ -n "$(ip netns pids "$name-$host" 2>/dev/null)" ]; do
            sleep 0.05; patience=$((patience - 1))
        done
        # Whoever still runs in there was started by the tests.
        ip netns pids "$name-$host" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
        ip netns del "$name-$host" 2>/dev/null || true
        rm -rf "/etc/netns/$name-$host"
    done
    cd /; rm -rf "$1"
}
pair() { # host interface address, twice
    ip -n "$name-$1" link add "$2" type veth peer name "$5" netns "$name-$4"
    ip -n "$name-$1" addr add "$3" dev "$2"; ip -n "$name-$1" link set "$2" up
    ip -n "$name-$4" addr add "$6" dev "$5"; ip -n "$name-$4" link set "$5" up
}
{
    for host in inside outside database; do
        ip netns add "$name-$host" && ip -n "$name-$host" link set lo up && mkdir -p "/etc/netns/$name-$host"
        # Names are nobody's business until a test says otherwise.
        : >"/etc/netns/$name-$host/resolv.conf"; echo '127.0.0.1 localhost' >"/etc/netns/$name-$host/hosts"
    done
    pair inside private 10.77.0.1/24 database private 10.77.0.2/24
    pair inside public 203.0.113.1/24 outside to_inside 203.0.113.10/24
    pair database public 198.51.100.1/24 outside to_database 198.51.100.10/24
} >&2 || { remove "$1"; exit 1; }
echo made
while read -r order; do :; done
remove "$1"
"#;

/// The three hosts; dropping this removes them.
#[derive(Debug)]
pub struct Namespaces {
    name: String,
    keeper: Mutex<Keeper>,
}

impl Namespaces {
    /// Makes the three hosts.
    ///
    /// # Panics
    /// Without `ip` (Debian's package `iproute2`), or without the right to make namespaces (root, `CAP_SYS_ADMIN`).
    #[must_use]
    pub fn make() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        // An interface's name has 15 letters at most, a namespace's name has no such bound.
        let name = format!("testkit-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let trial = format!("{name}-trial");
        let tried = Command::new(ip()).args(["netns", "add", &trial]).output().expect("`ip` starts");
        assert!(
            tried.status.success(),
            "`ip netns add` is refused: these tests need root or CAP_SYS_ADMIN and CAP_NET_ADMIN ({})",
            String::from_utf8_lossy(&tried.stderr).trim()
        );
        let gone = Command::new(ip()).args(["netns", "del", &trial]).status();
        assert!(gone.is_ok_and(|status| status.success()), "{trial} can be removed");
        let mut keeper = Keeper::start_privileged(KEEPER, &keeper::folder("testkit-namespaces-"), &[&name]);
        keeper.expect_answer("made");
        Self { name, keeper: Mutex::new(keeper) }
    }

    /// The namespace's name, as `ip netns` and [`crate::postgres::Options`] take it.
    #[must_use]
    pub fn name(&self, host: Host) -> String {
        let host = match host {
            Host::Inside => "inside",
            Host::Outside => "outside",
            Host::Database => "database",
        };
        format!("{}-{host}", self.name)
    }

    /// A command that runs on that host, with nothing on standard input.
    #[must_use]
    pub fn command(&self, host: Host, program: &str) -> tokio::process::Command {
        let mut command = crate::process::command(ip());
        command.args(["netns", "exec", &self.name(host), program]);
        command
    }

    /// Writes `/etc/hosts` as programs on that host see it; lines as in that file.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn set_hosts(&self, host: Host, lines: &str) {
        self.write(host, "hosts", &format!("127.0.0.1 localhost\n{lines}\n"));
    }

    /// Has programs on that host ask this DNS server; none answers for an empty text.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn set_resolver(&self, host: Host, address: &str) {
        let line = if address.is_empty() { String::new() } else { format!("nameserver {address}\n") };
        self.write(host, "resolv.conf", &line);
    }

    /// Joins the host to this machine, by a network of their own: the machine's address in it (RFC 5737). It goes with the
    /// host.
    ///
    /// # Panics
    /// When `ip` refuses.
    #[must_use]
    pub fn join_this_machine(&self, host: Host) -> Ipv4Addr {
        let namespace = self.name(host);
        // Networks of four addresses each; test programs that run beside each other begin to look at different ones.
        let shown = Command::new(ip()).args(["-o", "-4", "addr", "show"]).output().expect("`ip` starts");
        let taken = String::from_utf8_lossy(&shown.stdout).into_owned();
        let begin = std::process::id() % 63;
        let base = (begin..begin + 63)
            .map(|number| u8::try_from(number % 63).expect("below 63") * 4)
            .find(|base| !taken.contains(&format!(" 192.0.2.{}/", base + 1)))
            .expect("a free network in 192.0.2.0/24");
        let (ours, theirs) = (Ipv4Addr::new(192, 0, 2, base + 1), Ipv4Addr::new(192, 0, 2, base + 2));
        // 15 letters at most.
        let interface = format!("tk{}-{base}", std::process::id());
        for words in [
            format!("link add {interface} type veth peer name to_machine netns {namespace}"),
            format!("addr add {ours}/30 dev {interface}"),
            format!("link set {interface} up"),
            format!("-n {namespace} addr add {theirs}/30 dev to_machine"),
            format!("-n {namespace} link set to_machine up"),
        ] {
            let done = Command::new(ip()).args(words.split(' ')).status();
            assert!(done.is_ok_and(|status| status.success()), "ip {words}");
        }
        ours
    }

    /// Takes the host off every network: it has no route any more.
    ///
    /// # Panics
    /// When `ip` refuses.
    pub fn unplug(&self, host: Host) {
        let interfaces: &[&str] = match host {
            Host::Outside => &["to_inside", "to_database"],
            Host::Inside | Host::Database => &["private", "public"],
        };
        for interface in interfaces {
            let namespace = self.name(host);
            let done = Command::new(ip()).args(["-n", &namespace, "link", "set", interface, "down"]).status();
            assert!(done.is_ok_and(|status| status.success()), "{interface} of {namespace} can be set down");
        }
    }

    fn write(&self, host: Host, file: &str, text: &str) {
        let path = PathBuf::from("/etc/netns").join(self.name(host)).join(file);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner).end();
    }
}

/// The command, in the namespace if one is named.
pub(crate) fn prefixed(namespace: Option<&str>, words: &[String]) -> Command {
    let mut all: Vec<String> = Vec::new();
    if let Some(namespace) = namespace {
        let program = ip().to_string_lossy().into_owned();
        all.extend([program, "netns".into(), "exec".into(), namespace.to_owned()]);
    }
    all.extend(words.iter().cloned());
    let (program, arguments) = all.split_first().expect("a command has a program");
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// The program `ip`, also where a user's PATH has no `sbin`.
fn ip() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join("ip"))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| {
            panic!("no `ip`: install the package `iproute2` (Debian: apt-get install iproute2)")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::{Options, Postgres};
    use crate::process::run;

    async fn reaches(hosts: &Namespaces, from: Host, address: &str, port: u16) -> bool {
        let mut bash = hosts.command(from, "timeout");
        bash.args(["3", "bash", "-c", &format!("exec 3<>/dev/tcp/{address}/{port}")]);
        run(bash).await.code == Some(0)
    }

    #[tokio::test]
    async fn a_database_is_open_where_it_listens_and_nothing_is_left() {
        let hosts = Namespaces::make();
        let private = format!("127.0.0.1,{DATABASE_PRIVATE}");
        let options = Options { namespace: Some(hosts.name(Host::Database)), ..Options::default() };
        let closed = Postgres::start_with(&options.clone().setting("listen_addresses", &private));
        let open = Postgres::start_with(&options.setting("listen_addresses", "*"));
        assert_eq!(closed.run_sql("postgres", "select 1"), "1");
        assert!(reaches(&hosts, Host::Inside, DATABASE_PRIVATE, closed.port()).await);
        assert!(!reaches(&hosts, Host::Outside, DATABASE_PUBLIC, closed.port()).await);
        assert!(reaches(&hosts, Host::Outside, DATABASE_PUBLIC, open.port()).await);
        assert!(!reaches(&hosts, Host::Outside, DATABASE_PRIVATE, open.port()).await);
        hosts.unplug(Host::Outside);
        assert!(!reaches(&hosts, Host::Outside, DATABASE_PUBLIC, open.port()).await);

        hosts.set_hosts(Host::Inside, "10.77.0.2 db.internal");
        let mut getent = hosts.command(Host::Inside, "getent");
        getent.args(["hosts", "db.internal"]);
        assert!(run(getent).await.expect(0).stdout.contains(DATABASE_PRIVATE));

        let name = hosts.name(Host::Inside);
        let listed = || {
            let list = Command::new(ip()).args(["netns", "list"]).output().expect("`ip` starts");
            String::from_utf8_lossy(&list.stdout).contains(&name)
        };
        assert!(listed());
        drop((closed, open, hosts));
        assert!(!listed());
    }
}
