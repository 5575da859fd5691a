//! A certificate for localhost that lives no longer than the row that needs it, and a server's weakness for old TLS.

use std::sync::Arc;

use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// The first bytes of a handshake record with a ServerHello in it: the offer is taken.
pub(super) const TAKEN: [u8; 6] = [0x16, 3, 1, 0, 1, 2];
/// The version in a ClientHello of TLS 1.0 (RFC 2246), which stands 9 bytes into the record.
const TLS_1_0: [u8; 2] = [3, 1];

/// Signed by itself, and trusted for one run.
pub(super) struct Certificate {
    pub(super) pem: String,
    server: Arc<rustls::ServerConfig>,
}

impl Certificate {
    pub(super) fn new() -> Result<Self, String> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])
            .map_err(|error| error.to_string())?;
        let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes())
            .map_err(|error| error.to_string())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .map_err(|error| error.to_string())?;
        Ok(Self { pem: made.cert.pem(), server: Arc::new(server) })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.server))
    }
}

/// Whether what a client sends first offers TLS 1.0 and nothing later; it stays in the socket.
pub(super) async fn is_old(stream: &TcpStream) -> bool {
    let mut first = [0; 11];
    let read = stream.peek(&mut first).await.unwrap_or_default();
    read == first.len() && first[9..] == TLS_1_0
}
