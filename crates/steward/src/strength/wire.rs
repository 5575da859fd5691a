//! A start-up message and its first answer (PostgreSQL documentation, 55.2.1 and 55.7): what a server asks of a role
//! before it lets it in. No password is sent, so nothing is counted as a failed login.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

/// Length 8 and the code 80877103.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// Protocol 3.0.
const PROTOCOL: [u8; 4] = [0, 3, 0, 0];
/// `Terminate`: a server that let us in is told that we leave.
const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];
/// Longer first answers are nobody's.
const LONGEST_ANSWER: u32 = 16 * 1024;

/// Where a server or a pooler listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What a server wants before it lets a role in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// Nothing: `AuthenticationOk` at once. `trust`, or what looks the same from here.
    Nothing,
    /// The password as it is.
    ClearText,
    /// Its MD5.
    Md5,
    /// SASL, with these mechanisms.
    Sasl(Vec<String>),
    /// Something else: GSSAPI, SSPI, Kerberos. The number of the request.
    Other(u32),
    /// Nothing that would help: this role does not get in from here.
    Refused {
        /// SQLSTATE.
        code: String,
        /// The server's words.
        message: String,
    },
    /// No answer, or none that can be read.
    Unclear(String),
}

/// Whether TLS is offered, and the address that answered.
pub(super) async fn offers_tls(address: &Address, patience: Duration) -> Result<(bool, IpAddr), String> {
    bounded(patience, async {
        let mut stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
        let peer = stream.peer_addr()?.ip();
        Ok((accepts_tls(&mut stream).await?, peer))
    })
    .await
}

/// Sends a start-up and reads the first answer. `database`: none for a replication connection.
pub(super) async fn ask(
    address: &Address,
    role: &str,
    database: Option<&str>,
    tls: bool,
    patience: Duration,
) -> Asked {
    let asked = bounded(patience, async {
        let mut stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
        let start = startup(role, database);
        if !tls {
            return exchange(&mut stream, &start).await;
        }
        if !accepts_tls(&mut stream).await? {
            return Err(io::Error::other("the server does not offer TLS any more"));
        }
        let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
        let mut stream = TlsConnector::from(Arc::new(client()?)).connect(name, stream).await?;
        exchange(&mut stream, &start).await
    });
    asked.await.unwrap_or_else(Asked::Unclear)
}

async fn bounded<T>(patience: Duration, work: impl Future<Output = io::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(patience, work).await {
        Ok(outcome) => outcome.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer in {} seconds", patience.as_secs())),
    }
}

async fn accepts_tls(stream: &mut TcpStream) -> io::Result<bool> {
    stream.write_all(&SSL_REQUEST).await?;
    match stream.read_u8().await? {
        b'S' => Ok(true),
        b'N' => Ok(false),
        _ => Err(io::Error::other("what listens there is no PostgreSQL")),
    }
}

fn startup(role: &str, database: Option<&str>) -> Vec<u8> {
    let mut body = PROTOCOL.to_vec();
    let database = database.map_or(("replication", "true"), |name| ("database", name));
    for (name, value) in [("user", role), database] {
        for text in [name, value] {
            body.extend(text.as_bytes());
            body.push(0);
        }
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [length.to_be_bytes().as_slice(), &body].concat()
}

async fn exchange(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), start: &[u8]) -> io::Result<Asked> {
    stream.write_all(start).await?;
    stream.flush().await?;
    loop {
        let kind = stream.read_u8().await?;
        let length = stream.read_u32().await?;
        if !(4..=LONGEST_ANSWER).contains(&length) {
            return Err(io::Error::other("the answer has an impossible length"));
        }
        let mut body = vec![0; usize::try_from(length - 4).unwrap_or(0)];
        stream.read_exact(&mut body).await?;
        // A notice, or the offer of an older protocol, comes before the answer.
        if matches!(kind, b'N' | b'v') {
            continue;
        }
        let asked = read(kind, &body);
        if asked == Asked::Nothing {
            // Courtesy alone; it may have closed already.
            let _ = stream.write_all(&TERMINATE).await;
            let _ = stream.flush().await;
        }
        return Ok(asked);
    }
}

fn read(kind: u8, body: &[u8]) -> Asked {
    match (kind, body.split_first_chunk::<4>()) {
        (b'R', Some((code, rest))) => match u32::from_be_bytes(*code) {
            0 => Asked::Nothing,
            3 => Asked::ClearText,
            5 => Asked::Md5,
            10 => Asked::Sasl(texts(rest)),
            other => Asked::Other(other),
        },
        (b'E', _) => refusal(body),
        _ => Asked::Unclear("the answer is no request for authentication".to_owned()),
    }
}

/// An error's fields: a letter and a text each.
fn refusal(body: &[u8]) -> Asked {
    let fields = texts(body);
    let field = |letter: char| fields.iter().find_map(|field| field.strip_prefix(letter)).unwrap_or_default();
    let (code, message) = (field('C').to_owned(), field('M').to_owned());
    // No connection left, starting up, out of order: it says nothing about the role.
    if ["53", "57", "58", "XX"].iter().any(|class| code.starts_with(class)) {
        return Asked::Unclear(format!("{code} {message}"));
    }
    Asked::Refused { code, message }
}

fn texts(body: &[u8]) -> Vec<String> {
    let parts = body.split(|byte| *byte == 0).filter(|part| !part.is_empty());
    parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

/// TLS to whoever answers. Nothing secret goes over it: what is looked at is which question comes back.
fn client() -> io::Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    Ok(config
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth())
}

#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: u8, body: &[u8]) -> Asked {
        read(kind, body)
    }

    #[test]
    fn each_request_is_read_for_what_it_is() {
        assert_eq!(answer(b'R', &[0, 0, 0, 0]), Asked::Nothing);
        assert_eq!(answer(b'R', &[0, 0, 0, 3]), Asked::ClearText);
        assert_eq!(answer(b'R', &[0, 0, 0, 5, 1, 2, 3, 4]), Asked::Md5);
        let sasl = [b"\0\0\0\x0a".as_slice(), b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"].concat();
        assert_eq!(
            answer(b'R', &sasl),
            Asked::Sasl(vec!["SCRAM-SHA-256-PLUS".into(), "SCRAM-SHA-256".into()])
        );
        assert_eq!(answer(b'R', &[0, 0, 0, 7]), Asked::Other(7));
        assert!(matches!(answer(b'R', &[0, 0]), Asked::Unclear(_)));
        assert!(matches!(answer(b'H', b"TTP/1.1 400"), Asked::Unclear(_)));
    }

    #[test]
    fn an_error_is_a_refusal_only_where_it_speaks_of_the_role() {
        let refused = answer(b'E', b"SFATAL\0C28000\0Mno pg_hba.conf entry\0\0");
        assert_eq!(refused, Asked::Refused { code: "28000".into(), message: "no pg_hba.conf entry".into() });
        let busy = answer(b'E', b"SFATAL\0C53300\0Mtoo many clients\0\0");
        assert_eq!(busy, Asked::Unclear("53300 too many clients".into()));
    }

    #[test]
    fn the_start_up_carries_its_own_length() {
        let start = startup("app", Some("d"));
        assert_eq!(start.len(), usize::from(start[3]));
        assert_eq!(&start[8..], b"user\0app\0database\0d\0\0");
    }
}
