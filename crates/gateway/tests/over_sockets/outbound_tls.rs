//! https from the gateway to issuers and to the backend: whoever cannot show a certificate of a known authority for the
//! name that was asked for gets nothing, least of all a request in the clear.
//!
//! Authorities are the system's, which `SSL_CERT_FILE` names. It is set before a process starts, so each test here runs
//! itself once more, in a process that trusts an authority of the test's own.

use std::convert::Infallible;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gateway::{IssuerConfig, Jwks};
use http::Response;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::world::{Backend, NOON, World, key, key_set, own_issuer};

const AUTHORITY: &str = "the-authority-of-this-test.pem";

/// Who signs certificates.
struct Authority(Issuer<'static, KeyPair>);

fn authority() -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters
}

impl Authority {
    /// Another of the same name, whose key nobody trusts.
    fn unknown() -> Self {
        Self(Issuer::new(authority(), KeyPair::generate().unwrap()))
    }

    /// Makes one and keeps certificate and key in a folder.
    fn keep(folder: &Path) {
        let key = KeyPair::generate().unwrap();
        let certificate = authority().self_signed(&key).unwrap();
        std::fs::write(folder.join(AUTHORITY), certificate.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    }

    fn kept(folder: &Path) -> Self {
        let key = std::fs::read_to_string(folder.join("key.pem")).unwrap();
        Self(Issuer::new(authority(), KeyPair::from_pem(&key).unwrap()))
    }

    /// A certificate for a name, `change`d before it is signed.
    fn certify(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut parameters);
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(certificate.der().to_vec())],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        TlsAcceptor::from(Arc::new(server))
    }
}

/// Runs `body` in a process that trusts an authority of its own.
async fn trusting(test: &str, body: impl AsyncFnOnce(Authority)) {
    if let Some(file) = std::env::var_os("SSL_CERT_FILE")
        && Path::new(&file).ends_with(AUTHORITY)
    {
        return body(Authority::kept(Path::new(&file).parent().unwrap())).await;
    }
    let folder = tempfile::tempdir().unwrap();
    Authority::keep(folder.path());
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("outbound_tls::{test}"), "--nocapture"])
        .env("SSL_CERT_FILE", folder.path().join(AUTHORITY))
        .env_remove("SSL_CERT_DIR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said =
        format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// An https server on loopback; what it answers depends on the path and on its own address.
struct Host {
    url: String,
    /// Requests that arrived through TLS.
    requests: Arc<AtomicUsize>,
    /// The first byte of every connection: 22 begins a TLS handshake, a letter would be a request in the clear.
    first_bytes: Arc<Mutex<Vec<u8>>>,
}

impl Host {
    async fn start(tls: TlsAcceptor, answer: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = Self {
            url: format!("https://localhost:{}/", listener.local_addr().unwrap().port()),
            requests: Arc::default(),
            first_bytes: Arc::default(),
        };
        let (url, requests, first_bytes) =
            (host.url.clone(), Arc::clone(&host.requests), Arc::clone(&host.first_bytes));
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let (tls, url, answer) = (tls.clone(), url.clone(), Arc::clone(&answer));
                let (requests, first_bytes) = (Arc::clone(&requests), Arc::clone(&first_bytes));
                tokio::spawn(async move {
                    let mut first = [0];
                    if stream.peek(&mut first).await.is_ok_and(|count| count == 1) {
                        first_bytes.lock().unwrap().push(first[0]);
                    }
                    let Ok(stream) = tls.accept(stream).await else { return };
                    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                        requests.fetch_add(1, Ordering::SeqCst);
                        let text = answer(request.uri().path(), &url);
                        std::future::ready(Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text)))))
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        host
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// It was tried, and by TLS alone.
    #[track_caller]
    fn saw_tls_alone(&self, what: &str) {
        let first_bytes = self.first_bytes.lock().unwrap();
        assert!(
            !first_bytes.is_empty() && first_bytes.iter().all(|byte| *byte == 22),
            "{what}: {first_bytes:?}"
        );
    }
}

/// Certificates that are worth nothing for `localhost`.
fn bad_certificates(known: &Authority) -> [(&'static str, TlsAcceptor); 3] {
    [
        ("an unknown authority", Authority::unknown().certify("localhost", |_| {})),
        ("another name", known.certify("elsewhere.test", |_| {})),
        (
            "one that is over",
            known.certify("localhost", |parameters| {
                parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
                parameters.not_after = rcgen::date_time_ymd(2020, 2, 1);
            }),
        ),
    ]
}

async fn before(upstream: &str) -> World {
    let upstream = upstream.parse().unwrap();
    World::start_with(|plan| plan.config.upstream = upstream).await
}

#[tokio::test]
async fn a_backend_must_show_its_name_by_a_known_authority() {
    trusting("a_backend_must_show_its_name_by_a_known_authority", async |known| {
        let echo = |path: &str, _: &str| path.to_owned();
        let good = Host::start(known.certify("localhost", |_| {}), echo).await;
        let world = before(&good.url).await;
        let answer = world.get("/orders/7", &world.user("read:orders")).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"/orders/7"[..]));
        good.saw_tls_alone("a good certificate");

        for (what, tls) in bad_certificates(&known) {
            let host = Host::start(tls, echo).await;
            let world = before(&host.url).await;
            let answer = world.get("/orders/7", &world.user("read:orders")).await;
            assert_eq!((answer.status, host.requests()), (502, 0), "{what}");
            host.saw_tls_alone(what);
        }

        let plain = Backend::start().await;
        let world = before(&format!("https://localhost:{}", plain.address.port())).await;
        assert_eq!(world.get("/orders/7", &world.user("read:orders")).await.status, 502);
        assert_eq!(plain.count(), 0, "a backend that speaks no TLS gets no request");
    })
    .await;
}

#[tokio::test]
async fn an_issuer_must_show_its_name_by_a_known_authority() {
    trusting("an_issuer_must_show_its_name_by_a_known_authority", async |known| {
        let signing = key("k1");
        let keys = key_set(&[&signing]).to_json().to_string();
        let publish = move |path: &str, url: &str| match path {
            "/.well-known/openid-configuration" => {
                json!({ "issuer": url, "jwks_uri": format!("{url}jwks") }).to_string()
            }
            _ => keys.clone(),
        };
        // With discovery and without: two addresses each, and one.
        for by_discovery in [true, false] {
            let status_with = async |tls: TlsAcceptor| {
                let host = Host::start(tls, publish.clone()).await;
                let jwks = match by_discovery {
                    true => Jwks::Discovery,
                    false => Jwks::Url(format!("{}jwks", host.url).parse().unwrap()),
                };
                let issuer = IssuerConfig { url: host.url.clone(), jwks, ..own_issuer() };
                let world = World::start_with(|plan| plan.config.issuers.push(issuer)).await;
                let mut claims = crate::world::claims(NOON);
                claims["iss"] = json!(host.url);
                let token = jose::sign(&signing, "at+jwt", &claims).unwrap();
                let status = world.get("/orders/7", &token).await.status;
                host.saw_tls_alone("an issuer");
                (status, host.requests(), world.backend.count())
            };
            let fetches = if by_discovery { 2 } else { 1 };
            assert_eq!(status_with(known.certify("localhost", |_| {})).await, (200, fetches, 1));
            for (what, tls) in bad_certificates(&known) {
                assert_eq!(status_with(tls).await, (503, 0, 0), "{what}");
            }
        }
    })
    .await;
}
