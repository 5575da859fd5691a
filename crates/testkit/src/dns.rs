//! A real name server: dnsmasq, with names that a test gives it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use crate::ports::free_port;
use crate::process::{Program, command};

/// A name server on a free loopback port, gone when dropped.
#[derive(Debug)]
pub struct Dnsmasq {
    address: SocketAddr,
    _program: Program,
    _folder: tempfile::TempDir,
    /// It takes the questions that are passed on, and never answers.
    _silent: UdpSocket,
}

impl Dnsmasq {
    /// Starts it. `names`: a name and one of its addresses, as often as it has addresses. `aliases`: a name (CNAME) and
    /// what it is another name of, which must be among the names or aliases. Everything under `silence.test` is never
    /// answered, all else does not exist.
    ///
    /// # Panics
    /// Where dnsmasq is not installed, naming the package, or does not start, with its log.
    pub async fn start(names: &[(&str, &str)], aliases: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let hosts = folder.path().join("hosts");
        let lines: String = names.iter().map(|(name, address)| format!("{address} {name}\n")).collect();
        std::fs::write(&hosts, lines).expect("a file in a temporary folder");
        // It gives up root's rights before it reads them.
        for (path, mode) in [(folder.path(), 0o755), (&hosts, 0o644)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
                .expect("permissions of an own file");
        }
        let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
        let silent_port = silent.local_addr().expect("a bound socket has an address").port();
        let port = free_port();
        let mut dnsmasq = command(program());
        dnsmasq.args(["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--log-facility=-"]);
        dnsmasq.args([
            "--bind-interfaces",
            "--listen-address=127.0.0.1",
            "--no-resolv",
            "--no-hosts",
            "--cache-size=0",
        ]);
        dnsmasq.arg(format!("--port={port}")).arg(format!("--addn-hosts={}", hosts.display()));
        dnsmasq.arg(format!("--server=/silence.test/127.0.0.1#{silent_port}"));
        // Authoritative for everything else: what is not there does not exist.
        dnsmasq.arg("--address=/#/");
        dnsmasq.args(aliases.iter().map(|(alias, name)| format!("--cname={alias},{name}")));
        let program = Program::start(dnsmasq);
        let server = Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
            _program: program,
            _folder: folder,
            _silent: silent,
        };
        server.until_it_answers().await;
        server
    }

    /// Where it listens, by UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// It reads its names before it answers the first question.
    async fn until_it_answers(&self) {
        // A question for the addresses of `ready.test`.
        let question =
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05ready\x04test\x00\x00\x01\x00\x01";
        let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a loopback port");
        socket.connect(self.address).await.expect("loopback can be reached");
        let mut buffer = [0; 512];
        for _ in 0..300 {
            // While nobody listens, sending or receiving says so at once; then a little time has to pass.
            let _ = socket.send(question).await;
            let waited = tokio::time::timeout(Duration::from_millis(100), socket.recv(&mut buffer)).await;
            match waited {
                Ok(Ok(_)) => return,
                Ok(Err(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(_) => {}
            }
        }
        panic!("dnsmasq does not answer at {}\n{}", self.address, self._program.errors());
    }
}

fn program() -> &'static str {
    ["/usr/sbin/dnsmasq", "/usr/local/sbin/dnsmasq", "/sbin/dnsmasq"]
        .into_iter()
        .find(|path| std::path::Path::new(path).is_file())
        .unwrap_or_else(|| {
            panic!("no dnsmasq: install the package `dnsmasq-base` (Debian: apt-get install dnsmasq-base)")
        })
}
