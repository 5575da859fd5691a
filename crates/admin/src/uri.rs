//! The addresses that are registered: APIs' identifiers, applications' callbacks and origins.

use url::{Host, Url};

use crate::Error;

/// Longest address in bytes.
const MAXIMUM: usize = 2_048;

fn plain(what: &str, text: &str) -> Result<(), Error> {
    let fine = !text.is_empty() && text.len() <= MAXIMUM && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fine { Ok(()) } else { Err(Error::invalid(what, "must be a URI of printable ASCII, without spaces")) }
}

/// An API's identifier: an absolute URI without fragment (RFC 8707 section 2). It is compared byte for byte, so nothing is corrected.
pub(crate) fn identifier(text: &str) -> Result<(), Error> {
    let what = format!("api identifier {text}");
    plain(&what, text)?;
    Url::parse(text)
        .map_err(|_| Error::invalid(&what, "must be an absolute URI, such as https://api.example.com"))?;
    if text.contains('#') {
        return Err(Error::invalid(&what, "must have no fragment"));
    }
    Ok(())
}

/// Where a browser may be sent back to: https, http on this machine (RFC 8252 section 7.3), or for native applications a scheme of
/// their own (section 7.1: with a dot in it). Compared byte for byte, so no wildcard and no fragment (RFC 6749 section 3.1.2).
pub(crate) fn callback(what: &str, text: &str, native: bool) -> Result<(), Error> {
    let what = format!("{what} {text}");
    plain(&what, text)?;
    let url = Url::parse(text).map_err(|_| Error::invalid(&what, "must be an absolute URL"))?;
    if text.contains(['#', '*']) {
        return Err(Error::invalid(&what, "must have no fragment and no wildcard; list each URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::invalid(&what, "must have no user in it"));
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_this_machine(&url) => Ok(()),
        "http" => Err(Error::invalid(&what, "must be https; http is for localhost alone")),
        own if native && own.contains('.') => Ok(()),
        _ if native => {
            Err(Error::invalid(&what, "must be https, or a scheme of its own such as com.example.app"))
        }
        _ => Err(Error::invalid(&what, "must be https")),
    }
}

/// An origin as browsers write it: scheme, host, port, nothing else.
pub(crate) fn origin(what: &str, text: &str) -> Result<(), Error> {
    let what = format!("{what} {text}");
    plain(&what, text)?;
    let url = Url::parse(text)
        .map_err(|_| Error::invalid(&what, "must be an origin, such as https://app.example.com"))?;
    let secure = url.scheme() == "https" || (url.scheme() == "http" && is_this_machine(&url));
    if !secure {
        return Err(Error::invalid(&what, "must be https; http is for localhost alone"));
    }
    let serialised = url.origin().ascii_serialization();
    if serialised != text {
        return Err(Error::invalid(&what, format!("must be the bare origin, {serialised}")));
    }
    Ok(())
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers() {
        for good in [
            "https://api.example.com",
            "https://api.example.com/",
            "http://localhost:4401",
            "urn:orders",
            "orders://v1",
        ] {
            assert!(identifier(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "orders",
            "/orders",
            "https://api.example.com/#x",
            "https://api example.com",
            "https://api.example.com/é",
            "https://a\nb",
        ] {
            assert!(identifier(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn callbacks() {
        for (text, web, native) in [
            ("https://app.example.com/cb", true, true),
            ("http://localhost:3000/cb", true, true),
            ("http://127.0.0.1/cb", true, true),
            ("http://[::1]:3000/cb", true, true),
            ("com.example.app:/cb", false, true),
            ("myapp://cb", false, false),
            ("http://app.example.com/cb", false, false),
            ("http://localhost.evil.test/cb", false, false),
            ("https://*.example.com/cb", false, false),
            ("https://app.example.com/cb#x", false, false),
            ("https://user@app.example.com/cb", false, false),
            ("javascript:alert(1)", false, false),
            ("data:text/html,x", false, false),
            ("/cb", false, false),
        ] {
            assert_eq!(callback("callback", text, false).is_ok(), web, "{text}");
            assert_eq!(callback("callback", text, true).is_ok(), native, "{text}");
        }
    }

    #[test]
    fn origins() {
        for good in ["https://app.example.com", "https://app.example.com:8443", "http://localhost:3000"] {
            assert!(origin("web origin", good).is_ok(), "{good}");
        }
        for bad in [
            "https://app.example.com/",
            "https://app.example.com/x",
            "https://APP.example.com",
            "https://app.example.com:443",
            "*",
            "null",
            "http://app.example.com",
            "https://u@app.example.com",
        ] {
            assert!(origin("web origin", bad).is_err(), "{bad}");
        }
    }
}
