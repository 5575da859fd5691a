//! One endpoint written otherwise: what a gateway and a backend may read differently, so that a request without a token
//! slips between them (OWASP WSTG-ATHZ-02; CWE-22, CWE-178, CWE-288, CWE-436). Reading methods alone, and never a token.

use crate::world::http::Probe;
use crate::world::inventory::Endpoint;

/// How a request is written otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detour {
    TrailingSlash,
    DoubledSlash,
    DotSegment,
    EncodedDotSegment,
    EncodedLetter,
    TwiceEncodedLetter,
    EncodedSlash,
    Backslash,
    UpperCase,
    Parameter,
    Extension,
    ThroughAnother,
    OverriddenMethod,
    RewrittenPath,
    OtherMethod,
    Upgrade,
}

impl Detour {
    pub(crate) const ALL: [Self; 16] = [
        Self::TrailingSlash,
        Self::DoubledSlash,
        Self::DotSegment,
        Self::EncodedDotSegment,
        Self::EncodedLetter,
        Self::TwiceEncodedLetter,
        Self::EncodedSlash,
        Self::Backslash,
        Self::UpperCase,
        Self::Parameter,
        Self::Extension,
        Self::ThroughAnother,
        Self::OverriddenMethod,
        Self::RewrittenPath,
        Self::OtherMethod,
        Self::Upgrade,
    ];

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::TrailingSlash => "no token and a slash at the end",
            Self::DoubledSlash => "no token and its first slash doubled",
            Self::DotSegment => "no token and a dot segment",
            Self::EncodedDotSegment => "no token and an encoded dot segment",
            Self::EncodedLetter => "no token and a letter encoded",
            Self::TwiceEncodedLetter => "no token and a letter encoded twice",
            Self::EncodedSlash => "no token and its slashes encoded",
            Self::Backslash => "no token and an encoded backslash",
            Self::UpperCase => "no token and its path in upper case",
            Self::Parameter => "no token and ;x at the end",
            Self::Extension => "no token and .json at the end",
            Self::ThroughAnother => "no token and a path that climbs out of another",
            Self::OverriddenMethod => "no token and X-HTTP-Method-Override: OPTIONS",
            Self::RewrittenPath => "no token and X-Original-URL",
            Self::OtherMethod => "no token and HEAD",
            Self::Upgrade => "no token and Upgrade: websocket",
        }
    }

    /// The request; none where this path cannot be written so. `open` is a path that needs no token.
    pub(crate) fn probe(self, endpoint: &Endpoint, open: &str) -> Option<Probe> {
        let path = self.path(&endpoint.path, open)?;
        let method = if self == Self::OtherMethod { "HEAD" } else { endpoint.method.as_str() };
        if (self == Self::OtherMethod && endpoint.method == "HEAD") || !endpoint.is_safe() {
            return None;
        }
        let probe = Probe::new(method, format!("{}{path}", endpoint.base));
        Some(match self {
            Self::OverriddenMethod => probe.header("x-http-method-override", "OPTIONS"),
            Self::RewrittenPath => probe.header("x-original-url", open).header("x-rewrite-url", open),
            Self::Upgrade => probe
                .header("connection", "upgrade")
                .header("upgrade", "websocket")
                .header("sec-websocket-version", "13")
                .header("sec-websocket-key", "cG9ydGN1bGxpcy1hdWRpdA=="),
            _ => probe,
        })
    }

    fn path(self, path: &str, open: &str) -> Option<String> {
        let (head, last) = path.rsplit_once('/')?;
        let changed = match self {
            Self::TrailingSlash => format!("{}/", path.trim_end_matches('/')),
            Self::DoubledSlash => format!("/{path}"),
            Self::DotSegment => format!("/.{path}"),
            Self::EncodedDotSegment => format!("/%2e{path}"),
            Self::EncodedLetter => encoded(path, "%")?,
            Self::TwiceEncodedLetter => encoded(path, "%25")?,
            Self::EncodedSlash if head.is_empty() => format!("/%2f{last}"),
            Self::EncodedSlash => format!("{head}%2f{last}"),
            Self::Backslash => format!("{head}/%5c{last}"),
            Self::UpperCase => path.to_uppercase(),
            Self::Parameter => format!("{path};x=1"),
            Self::Extension => format!("{path}.json"),
            Self::ThroughAnother => format!("{}/..{path}", open.trim_end_matches('/')),
            Self::OverriddenMethod | Self::RewrittenPath | Self::OtherMethod | Self::Upgrade => {
                return Some(path.to_owned());
            }
        };
        (changed != path).then_some(changed)
    }
}

/// The path with its first letter as its number.
fn encoded(path: &str, mark: &str) -> Option<String> {
    let at = path.find(|c: char| c.is_ascii_alphabetic())?;
    let letter = path.as_bytes().get(at)?;
    Some(format!("{}{mark}{letter:02X}{}", path.get(..at)?, path.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_detour_is_written_otherwise_and_means_the_same() {
        let path = |detour: Detour| detour.path("/orders/7", "/health").unwrap();
        for (detour, written) in [
            (Detour::TrailingSlash, "/orders/7/"),
            (Detour::DoubledSlash, "//orders/7"),
            (Detour::DotSegment, "/./orders/7"),
            (Detour::EncodedDotSegment, "/%2e/orders/7"),
            (Detour::EncodedLetter, "/%6Frders/7"),
            (Detour::TwiceEncodedLetter, "/%256Frders/7"),
            (Detour::EncodedSlash, "/orders%2f7"),
            (Detour::Backslash, "/orders/%5c7"),
            (Detour::UpperCase, "/ORDERS/7"),
            (Detour::Parameter, "/orders/7;x=1"),
            (Detour::Extension, "/orders/7.json"),
            (Detour::ThroughAnother, "/health/../orders/7"),
            (Detour::RewrittenPath, "/orders/7"),
        ] {
            assert_eq!(path(detour), written, "{detour:?}");
        }
        assert_eq!(Detour::EncodedSlash.path("/orders", "/").unwrap(), "/%2forders");
        assert!(Detour::UpperCase.path("/7", "/").is_none(), "nothing there to write otherwise");
        assert!(Detour::EncodedLetter.path("/7", "/").is_none());
    }
}
