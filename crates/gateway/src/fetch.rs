//! Getting an issuer's keys: small, quick, without redirects, over https unless it is this machine.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio_rustls::rustls::crypto::aws_lc_rs;

use crate::config::{ConfigError, IssuerConfig, Jwks};

/// The most that a key set or a discovery document may have.
const MAXIMUM_DOCUMENT: usize = 512 * 1024;
/// For one document, from the connection to its last byte.
const LIMIT: Duration = Duration::from_secs(5);

/// Why keys could not be had. For logs; never shown to a client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{0} cannot be read: {1}")]
    File(String, std::io::Error),
    #[error("{0} does not answer: {1}")]
    Unreachable(Uri, String),
    #[error("{0} answers {1}")]
    Status(Uri, StatusCode),
    #[error("{0} is over 512 kB, broke off, or took over 5 s")]
    Document(Uri),
    #[error("{0} is no discovery document of that issuer")]
    Discovery(Uri),
    #[error("{0} must not be asked: plain http")]
    PlainHttp(Uri),
    #[error("the key set: {0}")]
    Keys(#[from] jose::KeySetError),
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// A connector that speaks https with the system's certificate authorities, and http.
///
/// # Errors
/// When the system has none.
pub(crate) fn connector(http: HttpConnector) -> Result<HttpsConnector<HttpConnector>, ConfigError> {
    let builder = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(aws_lc_rs::default_provider())
        .map_err(|error| ConfigError::Roots(error.to_string()))?;
    Ok(builder.https_or_http().enable_http1().wrap_connector(http))
}

/// Checks at start what can be known then.
pub(crate) fn check(issuer: &IssuerConfig) -> Result<(), ConfigError> {
    let url = match &issuer.jwks {
        Jwks::Own | Jwks::File(_) => return Ok(()),
        Jwks::Url(uri) => uri.clone(),
        Jwks::Discovery => discovery_address(&issuer.url)
            .ok_or_else(|| ConfigError::KeyUrl { issuer: issuer.url.clone(), url: issuer.url.clone() })?,
    };
    if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none() {
        return Err(ConfigError::KeyUrl { issuer: issuer.url.clone(), url: url.to_string() });
    }
    if !may_be_asked(&url, issuer.allow_http) {
        return Err(ConfigError::PlainHttp { issuer: issuer.url.clone(), url: url.to_string() });
    }
    Ok(())
}

/// The issuer's key set as it is now.
pub(crate) async fn fetch(issuer: &IssuerConfig) -> Result<jose::KeySet, FetchError> {
    let document = match &issuer.jwks {
        Jwks::Own => Bytes::from_static(b"{\"keys\":[]}"),
        Jwks::File(path) => match tokio::fs::read(path).await {
            Ok(bytes) if bytes.len() <= MAXIMUM_DOCUMENT => bytes.into(),
            Ok(_) => {
                return Err(FetchError::File(
                    path.display().to_string(),
                    std::io::ErrorKind::FileTooLarge.into(),
                ));
            }
            Err(error) => return Err(FetchError::File(path.display().to_string(), error)),
        },
        Jwks::Url(uri) => load(uri.clone(), issuer.allow_http).await?,
        Jwks::Discovery => load(discover(issuer).await?, issuer.allow_http).await?,
    };
    Ok(jose::KeySet::parse(&document, &jose::KeyPolicy::FOREIGN)?)
}

/// `jwks_uri` of the issuer's metadata, whose `issuer` must be the one that was asked for (OpenID Connect Discovery 1.0
/// section 4.3).
async fn discover(issuer: &IssuerConfig) -> Result<Uri, FetchError> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        issuer: String,
        jwks_uri: String,
    }
    let address = discovery_address(&issuer.url)
        .ok_or_else(|| ConfigError::KeyUrl { issuer: issuer.url.clone(), url: issuer.url.clone() })?;
    let document = load(address.clone(), issuer.allow_http).await?;
    let metadata: Metadata =
        serde_json::from_slice(&document).map_err(|_| FetchError::Discovery(address.clone()))?;
    if metadata.issuer != issuer.url {
        return Err(FetchError::Discovery(address));
    }
    metadata.jwks_uri.parse().map_err(|_| FetchError::Discovery(address))
}

fn discovery_address(issuer: &str) -> Option<Uri> {
    let slash = if issuer.ends_with('/') { "" } else { "/" };
    format!("{issuer}{slash}.well-known/openid-configuration").parse().ok()
}

fn may_be_asked(uri: &Uri, allow_http: bool) -> bool {
    uri.scheme_str() == Some("https") || allow_http || uri.host().is_some_and(is_loopback)
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn load(uri: Uri, allow_http: bool) -> Result<Bytes, FetchError> {
    if !may_be_asked(&uri, allow_http) {
        return Err(FetchError::PlainHttp(uri));
    }
    tokio::time::timeout(LIMIT, get(uri.clone())).await.map_err(|_| FetchError::Document(uri))?
}

async fn get(uri: Uri) -> Result<Bytes, FetchError> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    let unreachable = |error: &dyn std::fmt::Display| FetchError::Unreachable(uri.clone(), error.to_string());
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = uri.clone();
    request.headers_mut().insert(http::header::ACCEPT, http::HeaderValue::from_static("application/json"));
    // Reading the system's certificate authorities takes milliseconds: only who needs them does.
    let answer = if uri.scheme_str() == Some("https") {
        Client::builder(TokioExecutor::new()).build(connector(http)?).request(request).await
    } else {
        Client::builder(TokioExecutor::new()).build(http).request(request).await
    }
    .map_err(|error| unreachable(&error))?;
    // A redirect could lead anywhere: it is an answer like any other that is not 200.
    if answer.status() != StatusCode::OK {
        return Err(FetchError::Status(uri, answer.status()));
    }
    let body = Limited::new(answer.into_body(), MAXIMUM_DOCUMENT).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(|_| FetchError::Document(uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine() {
        for (url, allow, may) in [
            ("https://idp.example/jwks", false, true),
            ("http://idp.example/jwks", false, false),
            ("http://idp.example/jwks", true, true),
            ("http://127.0.0.1:4400/jwks", false, true),
            ("http://[::1]:4400/jwks", false, true),
            ("http://localhost:4400/jwks", false, true),
            ("http://localhost.evil.example/jwks", false, false),
            ("http://127.0.0.1.evil.example/jwks", false, false),
            ("http://169.254.169.254/jwks", false, false),
        ] {
            assert_eq!(may_be_asked(&url.parse().unwrap(), allow), may, "{url}");
        }
    }

    #[test]
    fn discovery_stands_under_the_issuer() {
        for (issuer, address) in [
            ("https://a.example/", "https://a.example/.well-known/openid-configuration"),
            ("https://a.example", "https://a.example/.well-known/openid-configuration"),
            ("https://a.example/t/1/", "https://a.example/t/1/.well-known/openid-configuration"),
        ] {
            assert_eq!(discovery_address(issuer).unwrap(), address);
        }
    }
}
