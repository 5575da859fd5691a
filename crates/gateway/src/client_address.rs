//! Who is calling, when proxies stand in between: `X-Forwarded-For` is believed from named proxies alone.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

/// The client's address, as [`policy::client_address`] reads it from these headers.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let lines = headers.get_all("x-forwarded-for").iter();
    policy::client_address(peer, lines.map(HeaderValue::as_bytes), trusted)
}

/// True when the client reached the trusted proxy by https. Anyone else's word for it is not taken.
pub(crate) fn came_by_https(peer_trusted: bool, headers: &HeaderMap) -> Option<bool> {
    if !peer_trusted {
        return None;
    }
    let mut values = headers.get_all("x-forwarded-proto").iter();
    match (values.next().and_then(|v| v.to_str().ok()), values.next()) {
        (Some(value), None) if value.eq_ignore_ascii_case("https") => Some(true),
        (Some(value), None) if value.eq_ignore_ascii_case("http") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for line in lines {
            map.append("x-forwarded-for", HeaderValue::from_str(line).unwrap());
        }
        map
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let table: &[(&str, &[&str], &str)] = &[
            ("203.0.113.9", &["1.2.3.4"], "203.0.113.9"),
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6", "1.2.3.4", "10.0.0.2"], "1.2.3.4"),
            ("::ffff:10.0.0.1", &["[2001:db8::7]:443"], "2001:db8::7"),
        ];
        for (peer, lines, wanted) in table {
            let got = client_address(peer.parse().unwrap(), &headers(lines), &trusted);
            assert_eq!(got, wanted.parse::<IpAddr>().unwrap(), "{peer} {lines:?}");
        }
        assert_eq!(
            client_address("10.0.0.1".parse().unwrap(), &headers(&["1.2.3.4"]), &[]),
            "10.0.0.1".parse::<IpAddr>().unwrap(),
            "the default trusts nobody"
        );
    }

    #[test]
    fn the_scheme_is_believed_from_trusted_proxies_alone() {
        let mut map = HeaderMap::new();
        map.append("x-forwarded-proto", HeaderValue::from_static("https"));
        assert_eq!(came_by_https(true, &map), Some(true));
        assert_eq!(came_by_https(false, &map), None);
        map.append("x-forwarded-proto", HeaderValue::from_static("http"));
        assert_eq!(came_by_https(true, &map), None, "two answers are none");
    }
}
