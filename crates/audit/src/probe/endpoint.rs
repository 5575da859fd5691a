//! What a probe is pointed at. A password in a URL is dropped as it is read.

use url::{Host, Url};

use crate::names::bare;

/// PostgreSQL's port, where an endpoint names none.
const POSTGRES_PORT: u16 = 5432;

/// An endpoint or a control that cannot be probed: a mistake of the caller. The text never holds a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// Neither `host:port` nor a PostgreSQL URL.
    #[error("{0} is no endpoint: give host:port or postgres://host:port/database")]
    Endpoint(String),
    /// A socket in the file system.
    #[error(
        "a socket in the file system cannot be reached from outside: give the host's own address and port"
    )]
    Socket,
    /// `host=a,b`.
    #[error("an endpoint names one host: give each host of the list as an endpoint of its own")]
    SeveralHosts,
    /// No URL, or one without host or port.
    #[error("{0} is no control: give the URL of something that is open, as https://api.example.com/")]
    Control(String),
}

/// A host and port where a database might be reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// Reads `host:port`, `[2001:db8::1]:5432` or `postgres://role@host:port/database`. `host`, `hostaddr` and `port` of
    /// a URL's query go before what stands in its authority, as with libpq.
    ///
    /// # Errors
    /// What cannot be reached over a network, or names several hosts.
    pub fn parse(text: &str) -> Result<Self, UsageError> {
        if !text.contains("://") {
            return Self::parse_pair(text);
        }
        let refused = || UsageError::Endpoint(without_secrets(text));
        if text.split(['/', '?']).nth(2).is_some_and(|authority| authority.contains(',')) {
            return Err(UsageError::SeveralHosts);
        }
        let url = Url::parse(text).map_err(|_| refused())?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(refused());
        }
        let mut host = url.host_str().unwrap_or_default().to_owned();
        let mut port = url.port().unwrap_or(POSTGRES_PORT);
        let query =
            |key: &str| url.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value.into_owned());
        for key in ["host", "hostaddr"] {
            if let Some(named) = query(key).filter(|value| !value.is_empty()) {
                host = named;
            }
        }
        if let Some(named) = query("port") {
            port = named.parse().map_err(|_| refused())?;
        }
        Self::new(&percent_decoded(&host), port).map_err(|error| error.unwrap_or_else(refused))
    }

    fn parse_pair(text: &str) -> Result<Self, UsageError> {
        let refused = || UsageError::Endpoint(without_secrets(text));
        let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
        // An IPv6 address without brackets has no place for a port.
        if (host.contains(':') && !host.starts_with('[')) || host.contains('@') {
            return Err(refused());
        }
        let port = port.parse().map_err(|_| refused())?;
        Self::new(host, port).map_err(|error| error.unwrap_or_else(refused))
    }

    fn new(host: &str, port: u16) -> Result<Self, Option<UsageError>> {
        if host.starts_with('/') {
            return Err(Some(UsageError::Socket));
        }
        if host.contains(',') {
            return Err(Some(UsageError::SeveralHosts));
        }
        let host = bare(host);
        let is_address = host.parse::<std::net::IpAddr>().is_ok();
        let is_name = matches!(Host::parse(&host), Ok(Host::Domain(_)));
        if port == 0 || !(is_address || is_name) {
            return Err(None);
        }
        Ok(Self { host, port })
    }

    /// The name or address, in lower case, without brackets or a final dot.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Something that is known to be open, to show that the network works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    url: String,
    host: String,
    port: u16,
    http: bool,
}

impl Control {
    /// Reads a URL with a host and a port, its own or its scheme's.
    ///
    /// # Errors
    /// Anything else, and a URL with credentials: it stands in the report.
    pub fn parse(text: &str) -> Result<Self, UsageError> {
        let refused = || UsageError::Control(without_secrets(text));
        let url = Url::parse(text).map_err(|_| refused())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused());
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(refused());
        };
        Ok(Self {
            // A query may hold a key.
            url: text.split(['?', '#']).next().unwrap_or_default().to_owned(),
            host: bare(host),
            port,
            http: matches!(url.scheme(), "http" | "https"),
        })
    }

    /// The URL as it stands in the report: no query.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn speaks_http(&self) -> bool {
        self.http
    }
}

/// What may be repeated of a mistaken argument: nothing before an `@`, no query.
fn without_secrets(text: &str) -> String {
    let text = text.rsplit_once('@').map_or(text, |(_, after)| after);
    text.split('?').next().unwrap_or_default().to_owned()
}

/// `%2F` as `/`, everything else as it is.
pub(crate) fn percent_decoded(text: &str) -> String {
    url::form_urlencoded::parse(format!("x={}", text.replace('+', "%2B").replace('&', "%26")).as_bytes())
        .next()
        .map_or_else(|| text.to_owned(), |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_in_every_spelling() {
        for (text, read) in [
            ("db.example.com:5433", "db.example.com:5433"),
            ("DB.Example.com.:5432", "db.example.com:5432"),
            ("10.0.0.7:5432", "10.0.0.7:5432"),
            ("[2001:DB8::1]:5432", "[2001:db8::1]:5432"),
            ("postgres://app:secret@db.railway.internal/app", "db.railway.internal:5432"),
            ("postgresql://app@[fd12::7]:6432/app?sslmode=require", "[fd12::7]:6432"),
            ("postgres://app@db/app?hostaddr=203.0.113.7&port=7000", "203.0.113.7:7000"),
            ("postgres:///app?host=db.example.com", "db.example.com:5432"),
        ] {
            assert_eq!(
                Endpoint::parse(text).map(|endpoint| endpoint.to_string()),
                Ok(read.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_mistake_is_told_without_its_password() {
        for text in
            ["db", "db:0", "db:port", "2001:db8::1:5432", "app:hunter2@db:5432", "http://app:hunter2@db/", ""]
        {
            let said = Endpoint::parse(text).unwrap_err().to_string();
            assert!(!said.contains("hunter2"), "{said}");
        }
        assert_eq!(Endpoint::parse("postgres:///app?host=/run/postgresql"), Err(UsageError::Socket));
        assert_eq!(Endpoint::parse("postgres://%2Frun%2Fpg/app"), Err(UsageError::Socket));
        assert_eq!(Endpoint::parse("postgres://a,b/app"), Err(UsageError::SeveralHosts));
        assert_eq!(Endpoint::parse("postgres://c/app?host=a,b"), Err(UsageError::SeveralHosts));
        for text in ["api.example.com", "https://me:secret@api.example.com/", "tcp://api.example.com"] {
            assert!(Control::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            Control::parse("https://api.example.com/x?key=1").unwrap().url(),
            "https://api.example.com/x"
        );
        assert_eq!(Control::parse("tcp://api.example.com:5432").unwrap().port(), 5432);
    }
}
