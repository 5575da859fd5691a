//! What PostgreSQL asks of a stranger, by the first bytes of its protocol: a session is begun and never continued. Rules
//! may differ with and without TLS (`hostssl`, `hostnossl`), so both are asked.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const PATIENCE: Duration = Duration::from_secs(5);
/// Asks whether TLS is to be had: `S` or `N`.
const SSL_REQUEST: [u8; 8] = [0x00, 0x00, 0x00, 0x08, 0x04, 0xd2, 0x16, 0x2f];

/// What the server asks of a role before it believes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing.
    Trust,
    /// SCRAM.
    Scram,
    /// A password in clear, or MD5.
    Weak(&'static str),
    /// It refused at once.
    Refused,
    /// It could not be told.
    Unknown(String),
}

/// Whether a session is begun inside TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Plain,
    Tls,
}

impl Over {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Plain => "without TLS",
            Self::Tls => "over TLS",
        }
    }
}

/// Whether the server offers TLS; none where it could not be told.
pub(crate) async fn offers_tls(host: &str, port: u16) -> Option<bool> {
    let exchange = async {
        let mut stream = TcpStream::connect((host, port)).await?;
        stream.write_all(&SSL_REQUEST).await?;
        stream.read_u8().await
    };
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(Ok(b'S')) => Some(true),
        Ok(Ok(b'N')) => Some(false),
        _ => None,
    }
}

/// Starts a session as a role and reads the first answer (PostgreSQL protocol 3.0, AuthenticationRequest); never
/// answers it.
pub(crate) async fn asked(over: Over, host: &str, port: u16, role: &str, database: &str) -> Asked {
    let exchange = async {
        let mut stream = TcpStream::connect((host, port)).await?;
        match over {
            Over::Plain => begin(stream, role, database).await,
            Over::Tls => {
                stream.write_all(&SSL_REQUEST).await?;
                if stream.read_u8().await? != b'S' {
                    return Err(std::io::Error::other("TLS is offered no more"));
                }
                begin(encrypted(host, stream).await?, role, database).await
            }
        }
    };
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(Ok([b'R', _, _, _, _, code @ ..])) => match i32::from_be_bytes(code) {
            0 => Asked::Trust,
            3 => Asked::Weak("a password in clear"),
            5 => Asked::Weak("MD5"),
            10 => Asked::Scram,
            other => Asked::Unknown(format!("authentication request {other}")),
        },
        Ok(Ok([b'E', ..])) => Asked::Refused,
        Ok(Ok(_)) => Asked::Unknown("an answer that is none of PostgreSQL's".into()),
        Ok(Err(error)) => Asked::Unknown(error.to_string()),
        Err(_) => Asked::Unknown("no answer within 5 s".into()),
    }
}

async fn begin(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    role: &str,
    database: &str,
) -> std::io::Result<[u8; 9]> {
    let mut body = 196_608_i32.to_be_bytes().to_vec();
    for text in ["user", role, "database", database, "application_name", "portcullis-audit"] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let length = i32::try_from(body.len() + 4).unwrap_or(i32::MAX);
    stream.write_all(&[&length.to_be_bytes()[..], &body].concat()).await?;
    stream.flush().await?;
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    Ok(head)
}

async fn encrypted(host: &str, stream: TcpStream) -> std::io::Result<impl AsyncRead + AsyncWrite + Unpin> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Takes every certificate. No secret is sent here: what is asked of a stranger is asked by whoever answers.
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
