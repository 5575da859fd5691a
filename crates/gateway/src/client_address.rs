//! Who is calling, when proxies stand in between: `X-Forwarded-For` is believed from named proxies alone.

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderMap;
use ipnet::IpNet;

/// True when `peer` is one of the proxies that the configuration trusts. An IPv4 address that arrives as an IPv6 one
/// (`::ffff:10.0.0.1`, as on a dual-stack listener) is compared as IPv4.
#[must_use]
pub fn is_trusted(peer: IpAddr, trusted: &[IpNet]) -> bool {
    !trusted.is_empty() && {
        let peer = peer.to_canonical();
        trusted.iter().any(|net| net.contains(&peer))
    }
}

/// The client's address: the peer's, or, when the peer is trusted, the nearest address of `X-Forwarded-For` that is not
/// itself a trusted proxy's. Reading stops at the first entry that is not an address: what stands left of it was
/// written by someone nobody vouches for.
#[must_use]
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return client;
    }
    for line in headers.get_all("x-forwarded-for").iter().rev() {
        let Ok(line) = line.to_str() else { return client };
        for entry in line.rsplit(',') {
            let Some(address) = parse_entry(entry.trim()) else { return client };
            client = address;
            if !is_trusted(address, trusted) {
                return client;
            }
        }
    }
    client
}

/// True when the client reached the trusted proxy by https. Anyone else's word for it is not taken.
#[must_use]
pub fn came_by_https(peer_trusted: bool, headers: &HeaderMap) -> Option<bool> {
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

/// One entry: an address, one in brackets, or either with a port.
fn parse_entry(entry: &str) -> Option<IpAddr> {
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = entry.parse::<std::net::SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    entry
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .and_then(|inner| inner.parse::<Ipv6Addr>().ok())
        .map(|address| IpAddr::V6(address).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

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
            // nobody's word is taken from a stranger
            ("203.0.113.9", &["1.2.3.4"], "203.0.113.9"),
            // one proxy
            ("10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            // the client forged an entry; the proxy appended the truth
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            // two proxies of ours, in one line and in two
            ("10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
            ("10.0.0.1", &["6.6.6.6", "1.2.3.4", "10.0.0.2"], "1.2.3.4"),
            // nothing, or nonsense: the last address that somebody vouches for
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &["1.2.3.4, bogus, 10.0.0.2"], "10.0.0.2"),
            // ports, brackets, mapped addresses
            ("10.0.0.1", &["1.2.3.4:5678"], "1.2.3.4"),
            ("fd00::1", &["[2001:db8::7]:443"], "2001:db8::7"),
            ("fd00::1", &["[2001:db8::7]"], "2001:db8::7"),
            ("::ffff:10.0.0.1", &["::ffff:1.2.3.4"], "1.2.3.4"),
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
