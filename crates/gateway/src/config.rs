//! What the gateway is told. The binary reads it from `[gateway]` and hands it over, again at SIGHUP.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Uri};
use ipnet::IpNet;
use tokio_rustls::rustls::ServerConfig;

/// Everything that [`crate::Gateway::new`] and [`crate::Gateway::reload`] take.
#[derive(Debug, Clone)]
pub struct Config {
    /// The backend: `http://host:port` or `https://host`, without a path.
    pub upstream: Uri,
    /// The rules of every endpoint.
    pub table: Arc<policy::Table>,
    /// The frontend's origins.
    pub origins: policy::Origins,
    /// Whose tokens are accepted. The order says nothing; `iss` decides.
    pub issuers: Vec<IssuerConfig>,
    /// Deny, or only report.
    pub mode: Mode,
    /// How many verified tokens are remembered; 0 verifies every time.
    pub remembered_tokens: usize,
    /// The largest request body in bytes; without it bodies stream without limit.
    pub maximum_body: Option<u64>,
    /// Whether the backend gets the bearer token.
    pub forward_token: bool,
    /// Static API keys, while they are being replaced.
    pub api_keys: Option<ApiKeysConfig>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Time limits.
    pub timeouts: Timeouts,
    /// TLS towards clients. Taken at [`crate::Gateway::serve`]; a reload does not change it.
    pub tls: Option<Arc<ServerConfig>>,
    /// How many client connections each listener has at once; more wait to be accepted. Taken at
    /// [`crate::Gateway::serve`].
    pub maximum_connections: usize,
}

impl Config {
    /// A gateway in front of `upstream` that knows no issuer yet, with the contract's defaults.
    #[must_use]
    pub fn new(upstream: Uri, table: Arc<policy::Table>) -> Self {
        Self {
            upstream,
            table,
            origins: policy::Origins::default(),
            issuers: Vec::new(),
            mode: Mode::Enforce,
            remembered_tokens: 8192,
            maximum_body: None,
            forward_token: false,
            api_keys: None,
            trusted_proxies: Vec::new(),
            timeouts: Timeouts::default(),
            tls: None,
            maximum_connections: 16_384,
        }
    }
}

/// What happens to a request that is to be denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is denied.
    Enforce,
    /// It is forwarded, counted and recorded. Forged identity headers are removed all the same.
    Observe,
}

/// An issuer whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// Compared to `iss` byte for byte.
    pub url: String,
    /// What `aud` must contain, byte for byte.
    pub audience: String,
    /// What its tokens look like.
    pub profile: Profile,
    /// The longest lifetime of a token in seconds.
    pub maximum_token_lifetime: i64,
    /// Where its keys are.
    pub jwks: Jwks,
    /// Allows keys over plain http from a host that is not this machine.
    pub allow_http: bool,
}

/// What an issuer's access tokens look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// RFC 9068: `typ` is `at+jwt`.
    Rfc9068,
    /// Auth0: `typ` is `JWT`, the client stands in `azp`.
    Auth0,
}

impl Profile {
    pub(crate) fn typ(self) -> jose::TypRule {
        match self {
            Self::Rfc9068 => jose::TypRule::Rfc9068,
            Self::Auth0 => jose::TypRule::Auth0,
        }
    }
}

/// Where an issuer's public keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Jwks {
    /// In this process: [`crate::OwnKeys`].
    Own,
    /// At this address.
    Url(Uri),
    /// In this file.
    File(PathBuf),
    /// Where `.well-known/openid-configuration` under the issuer's URL says.
    Discovery,
}

/// Static API keys, while they are being replaced.
#[derive(Debug, Clone)]
pub struct ApiKeysConfig {
    /// The header that carries them; never forwarded.
    pub header: HeaderName,
    /// Since when they are deprecated, Unix seconds (RFC 9745).
    pub deprecated: Option<i64>,
    /// From when on they are refused, Unix seconds (RFC 8594).
    pub sunset: Option<i64>,
    /// A page that says what to do instead.
    pub link: Option<String>,
}

/// Time limits of one connection and one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a client to send a whole head, and to begin with it after connecting.
    pub header: Duration,
    /// For a connection without a request.
    pub keep_alive: Duration,
    /// For a connection to the backend. Taken at [`crate::Gateway::serve`].
    pub connect: Duration,
    /// For the backend to begin its answer, from the last byte of the request on.
    pub response: Duration,
    /// For a body, in either direction, to stand still.
    pub idle: Duration,
    /// For requests under way when the server stops.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            connect: Duration::from_secs(5),
            response: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            drain: Duration::from_secs(4),
        }
    }
}

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not an origin.
    #[error("gateway.upstream {0:?} is not http://host:port or https://host without a path")]
    Upstream(String),
    /// Two issuers of one name: which keys would hold?
    #[error("gateway.issuer {0:?} is configured twice")]
    DuplicateIssuer(String),
    /// Keys over the open network.
    #[error(
        "the keys of {issuer:?} would come over plain http from {url:?}: use https, or allow http for this issuer"
    )]
    PlainHttp {
        /// The issuer.
        issuer: String,
        /// Where its keys are.
        url: String,
    },
    /// Not a URL that keys can be had from.
    #[error("the keys of {issuer:?} cannot be had from {url:?}: give an http or https URL")]
    KeyUrl {
        /// The issuer.
        issuer: String,
        /// Where its keys are.
        url: String,
    },
    /// RFC 8594: nothing ends before it is deprecated.
    #[error("gateway.api_keys.sunset lies before deprecated")]
    SunsetBeforeDeprecation,
    /// Not a header of their own.
    #[error("gateway.api_keys.header {0:?} has a meaning of its own: name another header")]
    KeyHeader(String),
    /// A link that cannot stand in a header.
    #[error("gateway.api_keys.link is not a URL")]
    Link,
    /// The platform's certificate authorities cannot be read.
    #[error(
        "no certificate authorities of the system can be read, which https to issuers or the backend needs: {0}"
    )]
    Roots(String),
}
