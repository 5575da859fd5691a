//! Which pages may read answers, and which may send (Fetch standard, CORS protocol; RFC 6454 section 6.2).

use crate::path::NormalPath;
use crate::rule::is_token_byte;
use crate::table::{Lookup, Table};

/// Seconds for which a browser may remember a preflight.
pub const PREFLIGHT_MAX_AGE: u32 = 600;

/// Response headers that a frontend's script may read: `Access-Control-Expose-Headers`.
pub const EXPOSED_HEADERS: &str = "WWW-Authenticate, X-Request-Id, Deprecation, Sunset, Link, Retry-After";

/// Request headers that every preflight of the frontend is allowed.
const ALWAYS_ALLOWED: [&str; 2] = ["authorization", "content-type"];

/// More header names than a browser's request ever has.
const MAXIMUM_REQUESTED_HEADERS: usize = 64;

/// The frontend's origins, read once and compared as exact strings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<String>);

/// What is wrong with a configured origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// `*` would let every page in.
    #[error("origin \"*\" is every page there is: name the frontend's own")]
    Wildcard,
    /// `null` is what sandboxed frames and files send.
    #[error("origin \"null\" is any sandboxed frame or file: name the frontend's own")]
    Null,
    /// Not `scheme://host` or `scheme://host:port`.
    #[error("origin {origin:?} is not scheme://host[:port]: {problem}")]
    Form {
        /// As configured.
        origin: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Plain http outside development, or to another machine.
    #[error("origin {origin:?} is not https; http is for loopback addresses in development")]
    NotHttps {
        /// As configured.
        origin: String,
    },
    /// A loopback address outside development.
    #[error("origin {origin:?} is a loopback address, which only development may name")]
    Loopback {
        /// As configured.
        origin: String,
    },
}

/// What the `Origin` header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginVerdict<'a> {
    /// There is none: no browser, or a request of the page's own origin.
    None,
    /// The frontend's, in the configuration's spelling: the value of `Access-Control-Allow-Origin`.
    Frontend(&'a str),
    /// Any other, `null`, or more than one.
    Foreign,
}

impl Origins {
    /// Reads the configured origins as browsers serialise them: lower case, no default port, no path.
    ///
    /// `development` allows http, for loopback addresses alone.
    ///
    /// # Errors
    /// When one is a wildcard, `null`, has a path, or is not https.
    pub fn parse(configured: &[String], development: bool) -> Result<Self, OriginError> {
        let mut origins: Vec<String> = Vec::new();
        for origin in configured {
            check_origin(origin, development)?;
            if !origins.contains(origin) {
                origins.push(origin.clone());
            }
        }
        Ok(Self(origins))
    }

    /// Judges the values of all `Origin` headers of a request. A value that is not text counts as the empty string.
    #[must_use]
    pub fn judge(&self, values: &[&str]) -> OriginVerdict<'_> {
        match values {
            [] => OriginVerdict::None,
            [value] => match self.0.iter().find(|origin| origin == value) {
                Some(origin) => OriginVerdict::Frontend(origin),
                None => OriginVerdict::Foreign,
            },
            _ => OriginVerdict::Foreign,
        }
    }

    /// The origins in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &str> + '_ {
        self.0.iter().map(String::as_str)
    }

    /// Whether none is configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn check_origin(origin: &str, development: bool) -> Result<(), OriginError> {
    let form = |problem| OriginError::Form { origin: origin.to_owned(), problem };
    if origin == "*" {
        return Err(OriginError::Wildcard);
    }
    if origin == "null" {
        return Err(OriginError::Null);
    }
    if origin.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(form("browsers send it in lower case"));
    }
    let (scheme, authority) = origin.split_once("://").ok_or_else(|| form("no scheme"))?;
    if authority.contains('*') {
        return Err(form("a wildcard is no origin; name each one"));
    }
    if authority.contains(['/', '?', '#']) {
        return Err(form("it has a path; leave out everything behind the host"));
    }
    if authority.contains('@') {
        return Err(form("it has a user name"));
    }
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, behind) = rest.split_once(']').ok_or_else(|| form("a bracket is missing"))?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| form("the address is no IPv6 address"))?;
        (
            host,
            behind
                .strip_prefix(':')
                .map_or_else(|| if behind.is_empty() { Ok(None) } else { Err(()) }, |p| Ok(Some(p))),
        )
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Ok(Some(port))),
            None => (authority, Ok(None)),
        }
    };
    let port = port.map_err(|()| form("something stands behind the address"))?;
    let name = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if !authority.starts_with('[') && !host.split('.').all(name) {
        return Err(form("the host is no host name (international names are written in punycode)"));
    }
    if let Some(port) = port {
        let number = port.parse::<u16>().ok().filter(|n| *n > 0 && n.to_string() == port);
        let number = number.ok_or_else(|| form("the port is no number from 1 to 65535"))?;
        if (scheme, number) == ("https", 443) || (scheme, number) == ("http", 80) {
            return Err(form("browsers leave out the default port"));
        }
    }
    let loopback = host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match scheme {
        "https" | "http" if loopback && !development => {
            Err(OriginError::Loopback { origin: origin.to_owned() })
        }
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        "http" => Err(OriginError::NotHttps { origin: origin.to_owned() }),
        _ => Err(form("the scheme is neither https nor http")),
    }
}

/// GET, HEAD, OPTIONS and TRACE change nothing (RFC 9110 section 9.2.1).
#[must_use]
pub fn is_safe_method(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

/// The answer to a preflight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preflight {
    /// 204 with these headers, `Access-Control-Max-Age` of [`PREFLIGHT_MAX_AGE`] and `Vary: Origin`.
    Allowed {
        /// `Access-Control-Allow-Origin`
        allow_origin: String,
        /// `Access-Control-Allow-Methods`: the methods that rules list for the path.
        allow_methods: String,
        /// `Access-Control-Allow-Headers`
        allow_headers: String,
    },
    /// 204 or 403 without any `Access-Control-Allow-` header.
    Refused {
        /// Why, for the log and `explain`.
        why: &'static str,
    },
}

/// Judges a preflight: OPTIONS with `Origin` and `Access-Control-Request-Method`. An OPTIONS that lacks either is a
/// request like any other and does not come here.
///
/// Allowed are listed methods of listed paths, for the frontend. Of the headers that are asked for, all names pass
/// but those that only the gateway or its proxies may set.
#[must_use]
pub fn preflight(
    table: &Table,
    origins: &Origins,
    origin: &[&str],
    path: &NormalPath,
    requested_method: &str,
    requested_headers: Option<&str>,
) -> Preflight {
    let OriginVerdict::Frontend(allow_origin) = origins.judge(origin) else {
        return Preflight::Refused { why: "the origin is not the frontend's" };
    };
    match table.lookup(requested_method, path) {
        Lookup::Found(_) => {}
        Lookup::MethodNotListed => {
            return Preflight::Refused { why: "the method is not listed for this path" };
        }
        Lookup::NotListed => return Preflight::Refused { why: "the path is not listed" },
    }
    let Some(allow_headers) = allow_headers(requested_headers.unwrap_or_default()) else {
        return Preflight::Refused { why: "a header is asked for that no page may send" };
    };
    Preflight::Allowed {
        allow_origin: allow_origin.to_owned(),
        allow_methods: table.methods_of(path).join(", "),
        allow_headers,
    }
}

fn allow_headers(requested: &str) -> Option<String> {
    let mut allowed: Vec<String> = ALWAYS_ALLOWED.iter().map(|name| (*name).to_owned()).collect();
    for name in
        requested.split(',').map(|name| name.trim_matches([' ', '\t'])).filter(|name| !name.is_empty())
    {
        let name = name.to_ascii_lowercase();
        if name == "*" || !name.bytes().all(is_token_byte) || is_reserved_header(&name) {
            return None;
        }
        if !allowed.contains(&name) {
            allowed.push(name);
        }
        if allowed.len() > MAXIMUM_REQUESTED_HEADERS {
            return None;
        }
    }
    Some(allowed.join(", "))
}

/// Headers that the gateway sets itself or strips: a page that wants to send them is after something.
fn is_reserved_header(lower_case: &str) -> bool {
    let name = lower_case.replace('_', "-");
    name.starts_with("x-auth-")
        || name.starts_with("x-forwarded-")
        || matches!(
            name.as_str(),
            "forwarded"
                | "host"
                | "origin"
                | "x-real-ip"
                | "x-original-url"
                | "x-rewrite-url"
                | "x-http-method-override"
                | "x-http-method"
                | "x-method-override"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(origin: &str, development: bool) -> Result<Origins, OriginError> {
        Origins::parse(&[origin.to_owned()], development)
    }

    #[test]
    fn which_origins_may_be_configured() {
        for origin in
            ["https://app.example.com", "https://app.example.com:8443", "https://xn--bcher-kva.example"]
        {
            assert!(parse(origin, false).is_ok(), "{origin}");
        }
        for origin in [
            "http://localhost:3000",
            "http://127.0.0.1:5173",
            "http://[::1]:3000",
            "http://app.localhost",
            "https://localhost",
        ] {
            assert!(parse(origin, true).is_ok(), "{origin}");
            assert!(matches!(parse(origin, false), Err(OriginError::Loopback { .. })), "{origin}");
        }
        for origin in [
            "",
            "*",
            "null",
            "app.example.com",
            "https://",
            "https://*",
            "https://*.example.com",
            "https://app.example.com/",
            "https://app.example.com/path",
            "https://app.example.com?x",
            "https://app.example.com#x",
            "https://user@app.example.com",
            "https://APP.example.com",
            "HTTPS://app.example.com",
            "https://app.example.com:443",
            "https://app.example.com:",
            "https://app.example.com:0",
            "https://app.example.com:080",
            "https://app.example.com:99999",
            "https://app.example.com:x",
            "https://app.example.com.",
            "https://app..example.com",
            "https://app_x.example.com",
            "https://-app.example.com",
            "https://bücher.example",
            "https://app.example.com,https://b.example",
            "https://app.example.com https://b.example",
            "https://(app|www).example.com",
            "https://[::1",
            "https://[::g]",
            "https://[2001:db8::1]x",
            "http://app.example.com",
            "http://192.168.0.7:3000",
            "ftp://app.example.com",
            "chrome-extension://abc",
        ] {
            assert!(parse(origin, true).is_err(), "{origin}");
            assert!(parse(origin, false).is_err(), "{origin}");
        }
    }

    #[test]
    fn co_03_an_origin_is_compared_as_an_exact_string() {
        let origins = parse("https://app.example.com", false).unwrap();
        assert_eq!(
            origins.judge(&["https://app.example.com"]),
            OriginVerdict::Frontend("https://app.example.com")
        );
        for other in [
            "",
            "null",
            "*",
            "https://app.example.com.evil.test",
            "https://evilapp.example.com",
            "https://app.example.com:444",
            "https://app.example.com:443",
            "http://app.example.com",
            "https://app.example.com/",
            "https://APP.example.com",
            "https://app.example.com%60.evil.test",
            "https://app_example.com",
            "https://appXexample.com",
            "https://user@app.example.com",
            "https://app.example.com%0d%0a",
            "https://app.example.com.",
            "https://example.com",
            "https://sub.app.example.com",
            " https://app.example.com",
            "https://app.example.com ",
            "http://localhost:3000",
        ] {
            assert_eq!(origins.judge(&[other]), OriginVerdict::Foreign, "{other}");
        }
        assert_eq!(origins.judge(&[]), OriginVerdict::None);
    }

    #[test]
    fn without_a_frontend_every_origin_is_foreign() {
        let none = Origins::parse(&[], false).unwrap();
        assert!(none.is_empty());
        assert_eq!(none.judge(&["https://app.example.com"]), OriginVerdict::Foreign);
    }

    #[test]
    fn an_origin_named_twice_counts_once() {
        let twice = ["https://a.example".to_owned(), "https://a.example".to_owned()];
        assert_eq!(Origins::parse(&twice, false).unwrap().iter().collect::<Vec<_>>(), ["https://a.example"]);
    }

    #[test]
    fn which_request_headers_a_page_may_send() {
        assert_eq!(allow_headers("").as_deref(), Some("authorization, content-type"));
        assert_eq!(
            allow_headers("Content-Type,\tX-Trace , authorization,").as_deref(),
            Some("authorization, content-type, x-trace")
        );
        for bad in
            ["*", "a, *", "a b", "a\n", "x-auth-scopes", "X-Forwarded-For", "x_forwarded_prefix", "host", "é"]
        {
            assert_eq!(allow_headers(bad), None, "{bad:?}");
        }
        let many: Vec<String> = (0..100).map(|n| format!("x-{n}")).collect();
        assert_eq!(allow_headers(&many.join(",")), None);
    }
}
