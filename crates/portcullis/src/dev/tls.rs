//! `dev --tls`: a certificate authority of this folder's own, and a certificate for localhost under it.

use crate::config::ConfigError;
use crate::wiring::store::make_parent;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use std::path::Path;
use std::sync::Arc;

/// TLS for localhost. The authority is made once and kept, so that a browser is told of it once.
pub fn localhost(folder: &Path) -> Result<Arc<rustls::ServerConfig>, ConfigError> {
    let (authority_file, authority_key_file) = (folder.join("ca.pem"), folder.join("ca.key"));
    let failed = |error: &dyn std::fmt::Display| ConfigError::Invalid(format!("dev --tls: {error}"));
    if !authority_file.exists() || !authority_key_file.exists() {
        let key = KeyPair::generate().map_err(|error| failed(&error))?;
        let certificate = authority()
            .and_then(|parameters| parameters.self_signed(&key))
            .map_err(|error| failed(&error))?;
        write_private(&authority_key_file, &key.serialize_pem())?;
        write_private(&authority_file, &certificate.pem())?;
    }
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|error| failed(&format!("{}: {error}", path.display())))
    };
    let authority_key = KeyPair::from_pem(&read(&authority_key_file)?).map_err(|error| failed(&error))?;
    let issuer = Issuer::new(authority().map_err(|error| failed(&error))?, authority_key);
    // The leaf is new at each start: it lives no longer than the process that holds its key.
    let key = KeyPair::generate().map_err(|error| failed(&error))?;
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let certificate = CertificateParams::new(names)
        .and_then(|parameters| parameters.signed_by(&key, &issuer))
        .map_err(|error| failed(&error))?;
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let private =
        PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).map_err(|error| failed(&error))?;
    let mut server =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(&error))?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(|error| failed(&error))?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(server))
}

fn authority() -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(Vec::new())?;
    parameters.distinguished_name.push(DnType::CommonName, "Portcullis on this machine");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(parameters)
}

fn write_private(path: &Path, text: &str) -> Result<(), ConfigError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    make_parent(path)?;
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| ConfigError::Invalid(format!("cannot write {}: {error}", path.display())))
}
