//! The probe where it belongs: on a host of its own that is not the database's. Three network namespaces are the hosts; the
//! probe runs in the one outside, as this very test program started again there. A name server that knows one name or
//! none stands beside it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use audit::probe::{Control, Endpoint, Options, ProbeResult, Report, run};
use testkit::namespaces::{DATABASE_PRIVATE, DATABASE_PUBLIC, Host, Namespaces};
use testkit::postgres::{Options as Cluster, Postgres};
use tokio::net::{TcpListener, UdpSocket};

/// What the child is told, in one variable: control, `inside` or `outside`, endpoints.
const TOLD: &str = "AUDIT_PROBE_CHILD";
/// What stands before its report.
const MARK: &str = "report: ";
/// RCODEs of RFC 1035 section 4.1.1.
const NO_SUCH_NAME: u8 = 3;
const SERVER_FAILURE: u8 = 2;

/// A stub of a name server: one answer to every question, an error or (for 0) the address 10.77.0.2.
async fn name_server(code: u8) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            // Up to the end of the question: the header, the labels, type and class.
            let mut end = 12;
            while buffer[end] != 0 && end < length {
                end += usize::from(buffer[end]) + 1;
            }
            let mut answer = buffer[..end + 5].to_vec();
            let is_a = buffer[end + 2] == 1;
            answer[2] = 0x81;
            answer[3] = 0x80 | code;
            answer[6..12].fill(0);
            if code == 0 && is_a {
                answer[7] = 1;
                answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 10, 77, 0, 2]);
            }
            let _sent = socket.send_to(&answer, from).await;
        }
    });
    address
}

fn options(resolver: SocketAddr) -> Options {
    Options {
        internal_name: Some("db.railway.internal".into()),
        resolver: Some(resolver),
        now: 1_800_000_000,
    }
}

fn endpoints(texts: &[&str]) -> Vec<Endpoint> {
    texts.iter().map(|text| Endpoint::parse(text).unwrap()).collect()
}

/// Not a test by itself: the probe, on the host where a test starts it.
#[tokio::test]
async fn child() {
    #[expect(clippy::disallowed_methods, reason = "how the parent tells its child")]
    let Ok(told) = std::env::var(TOLD) else { return };
    let words: Vec<&str> = told.split(' ').collect();
    let code = match words[1] {
        "outside" => NO_SUCH_NAME,
        "unclear" => SERVER_FAILURE,
        _ => 0,
    };
    let resolver = name_server(code).await;
    let report = run(&endpoints(&words[2..]), &Control::parse(words[0]).unwrap(), &options(resolver)).await;
    println!("{MARK}{}", report.json().replace('\n', " "));
}

async fn probe(hosts: &Namespaces, control: &str, stands: &str, endpoint: &str) -> Report {
    let program = std::env::current_exe().unwrap();
    let mut command = hosts.command(Host::Outside, program.to_str().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env(TOLD, format!("{control} {stands} {endpoint}"));
    let output = testkit::process::run(command).await.expect(0).stdout;
    let at = output.find(MARK).unwrap() + MARK.len();
    Report::parse(output[at..].lines().next().unwrap().as_bytes()).unwrap()
}

#[tokio::test]
async fn from_outside_closed_is_closed_open_is_open_and_no_route_is_unknown() {
    let hosts = Namespaces::make();
    let on = Cluster { namespace: Some(hosts.name(Host::Database)), ..Cluster::default() };
    let private = format!("127.0.0.1,{DATABASE_PRIVATE}");
    let closed = Postgres::start_with(&on.clone().setting("listen_addresses", &private));
    let open = Postgres::start_with(&on.setting("listen_addresses", "*"));
    let control = format!("tcp://{DATABASE_PUBLIC}:{}", open.port());
    let shut = format!("{DATABASE_PUBLIC}:{}", closed.port());
    let unlocked = format!("{DATABASE_PUBLIC}:{}", open.port());
    let result = |report: &Report| report.endpoints[0].result;

    let report = probe(&hosts, &control, "outside", &shut).await;
    assert!(report.controls_are_green(), "{}", report.text());
    assert_eq!((result(&report), report.exit_code()), (ProbeResult::Closed, 0), "{}", report.text());

    let report = probe(&hosts, &control, "outside", &unlocked).await;
    assert_eq!((result(&report), report.exit_code()), (ProbeResult::Open, 1), "{}", report.text());
    // One open door among closed ones.
    let report = probe(&hosts, &control, "outside", &format!("{shut} {unlocked}")).await;
    assert_eq!(report.exit_code(), 1);

    // No route: an address of the private network, which this host is not on.
    let report = probe(&hosts, &control, "outside", &format!("{DATABASE_PRIVATE}:{}", open.port())).await;
    assert!(report.controls_are_green());
    assert_eq!((result(&report), report.exit_code()), (ProbeResult::Unknown, 3), "{}", report.text());

    // Whoever is inside, or may be, cannot tell.
    for stands in ["inside", "unclear"] {
        for endpoint in [&shut, &unlocked] {
            let report = probe(&hosts, &control, stands, endpoint).await;
            assert_eq!(result(&report), ProbeResult::Unknown, "{stands}: {}", report.text());
        }
    }
    // A control that nobody reaches.
    let report = probe(&hosts, &format!("tcp://{shut}"), "outside", &shut).await;
    assert_eq!(
        (result(&report), report.control.connected),
        (ProbeResult::Unknown, false),
        "{}",
        report.text()
    );

    hosts.unplug(Host::Outside);
    let report = probe(&hosts, &control, "outside", &shut).await;
    assert_eq!(
        (result(&report), report.control.connected),
        (ProbeResult::Unknown, false),
        "{}",
        report.text()
    );
}

/// A listener that does one thing with each connection.
async fn listener(says: Option<&'static [u8]>) -> u16 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 8];
            let _read = stream.read(&mut request).await;
            if let Some(says) = says {
                let _written = stream.write_all(says).await;
            }
        }
    });
    port
}

#[tokio::test]
async fn what_is_no_postgresql_is_told_from_it() {
    let server = Postgres::shared();
    let resolver = name_server(NO_SUCH_NAME).await;
    let answering = listener(Some(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")).await;
    let mute = Control::parse(&format!("tcp://127.0.0.1:{answering}")).unwrap();
    let control = Control::parse(&format!("http://127.0.0.1:{answering}/")).unwrap();
    let edge = listener(None).await;
    let ssh = listener(Some(b"SSH-2.0-OpenSSH_9.2\r\n")).await;
    let ask = async |control: &Control, port: u16| {
        let report = run(&endpoints(&[&format!("127.0.0.1:{port}")]), control, &options(resolver)).await;
        report.endpoints[0].clone()
    };
    assert_eq!(ask(&control, server.port()).await.result, ProbeResult::Open);
    assert_eq!(ask(&control, ssh).await.result, ProbeResult::Unknown);
    let bare = ask(&control, edge).await;
    assert_eq!(bare.result, ProbeResult::Closed, "{}", bare.evidence);
    assert!(bare.evidence.contains("bare edge"), "{}", bare.evidence);
    // Where nothing shows that the network does not accept for others, that is unclear.
    assert_eq!(ask(&mute, edge).await.result, ProbeResult::Unknown);
}

#[tokio::test]
async fn the_internal_name_is_taken_from_the_endpoints() {
    let resolver = name_server(NO_SUCH_NAME).await;
    let control = Control::parse(&format!("tcp://127.0.0.1:{}", Postgres::shared().port())).unwrap();
    let mut options = options(resolver);
    options.internal_name = None;
    let named = endpoints(&["203.0.113.7.example:5432", "postgres://app:pw@pg.railway.internal/app"]);
    let report = run(&named, &control, &options).await;
    assert_eq!(report.outside.internal_name, "pg.railway.internal");
    assert_eq!(report.outside.resolves, Some(false));
    let results: Vec<_> = report.endpoints.iter().map(|probed| probed.result).collect();
    assert_eq!(results, [ProbeResult::Unknown, ProbeResult::Closed], "{}", report.text());
    assert!(!report.json().contains("pw"));
    let report = run(&named[..1], &control, &options).await;
    assert_eq!(report.outside.internal_name, "postgres.railway.internal");
}
