//! One request to a platform's API: bounded, without redirects, and trusted by the authorities that were named.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::ConfigBuilderExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};

/// From the connection to the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// A Secret has at most 1 MiB, and base64 makes a third more of it.
const LARGEST: usize = 2 * 1024 * 1024;

/// What is sent.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: String,
    /// The header that carries the token, and its value.
    pub(super) token: (HeaderName, SecretString),
    /// Content type and body.
    pub(super) body: Option<(&'static str, SecretString)>,
    /// PEM; none: the system's.
    pub(super) authority: Option<&'a [u8]>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// No answer.
pub(super) enum Silence {
    /// Nothing was sent, certainly.
    NotSent(String),
    /// It may have arrived.
    Lost(String),
}

pub(super) async fn send(call: Call<'_>) -> Result<Answer, Silence> {
    let not_sent = |reason: &str| Silence::NotSent(reason.to_owned());
    let tls = tls(call.authority).map_err(Silence::NotSent)?;
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .build();
    let (content_type, body) = match call.body {
        Some((content_type, text)) => {
            (Some(content_type), Bytes::copy_from_slice(text.expose_secret().as_bytes()))
        }
        None => (None, Bytes::new()),
    };
    let mut request = Request::builder()
        .method(call.method)
        .uri(&call.url)
        .body(Full::new(body))
        .map_err(|_| not_sent("its address is none"))?;
    let mut token = HeaderValue::from_str(call.token.1.expose_secret())
        .map_err(|_| not_sent("the token has characters that no token has"))?;
    token.set_sensitive(true);
    let headers = request.headers_mut();
    headers.insert(call.token.0, token);
    headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(http::header::USER_AGENT, HeaderValue::from_static("portcullis"));
    if let Some(content_type) = content_type {
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let exchange = async {
        let response = client.request(request).await.map_err(|error| {
            let reason = innermost(&error);
            // Without a connection nothing can have arrived.
            if error.is_connect() { Silence::NotSent(reason) } else { Silence::Lost(reason) }
        })?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        let body = body.map_err(|error| Silence::Lost(format!("the answer broke off: {error}")))?.to_bytes();
        Ok(Answer { status, body })
    };
    tokio::time::timeout(PATIENCE, exchange)
        .await
        .map_err(|_| Silence::Lost(format!("no answer within {} s", PATIENCE.as_secs())))?
}

/// "connection refused" says more than "client error".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string().to_lowercase()
}

fn tls(authority: Option<&[u8]>) -> Result<rustls::ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .map_err(|error| error.to_string())?;
    let Some(pem) = authority else {
        let builder = builder.with_native_roots().map_err(|error| {
            format!("the system has no certificate authorities ({error}); install ca-certificates")
        })?;
        return Ok(builder.with_no_client_auth());
    };
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    let mut roots = rustls::RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(certificates);
    if good == 0 {
        return Err("the certificate authority's file holds no certificate in PEM".to_owned());
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
