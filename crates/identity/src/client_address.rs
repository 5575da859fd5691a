//! From where a request comes. `X-Forwarded-For` is believed only as far as trusted proxies wrote it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap};
use ipnet::IpNet;

/// The address that throttling counts: the connection's peer, or, when that is a trusted proxy, the last address in
/// `X-Forwarded-For` that no trusted proxy has. Everything left of it could have been made up by the caller.
///
/// A request without a known peer (a router called in the process) counts as `::`, one bucket for all of them.
pub(crate) fn client_address(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip().to_canonical());
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(&peer) {
        return peer;
    }
    let mut nearest = peer;
    let values: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().map(|v| v.to_str().unwrap_or("")).collect();
    for entry in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        let Some(address) = parse(entry.trim()) else {
            // What a trusted proxy wrote ends here; whoever stands before it is not known.
            return nearest;
        };
        nearest = address;
        if !is_trusted(&address) {
            return address;
        }
    }
    nearest
}

/// An address with or without a port and brackets, as proxies write them.
fn parse(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    inside.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        client_address(&extensions, &headers, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let table: [(&str, &[&str], &[&str], &str); 11] = [
            ("203.0.113.9:1", &[], &[], "203.0.113.9"),
            ("203.0.113.9:1", &["198.51.100.1"], &[], "203.0.113.9"),
            ("203.0.113.9:1", &["198.51.100.1"], &["10.0.0.0/8"], "203.0.113.9"),
            ("10.0.0.1:1", &["198.51.100.1"], &["10.0.0.0/8"], "198.51.100.1"),
            ("10.0.0.1:1", &["1.1.1.1, 198.51.100.1"], &["10.0.0.0/8"], "198.51.100.1"),
            ("10.0.0.1:1", &["1.1.1.1, 198.51.100.1, 10.2.2.2"], &["10.0.0.0/8"], "198.51.100.1"),
            ("10.0.0.1:1", &["1.1.1.1", "198.51.100.1"], &["10.0.0.0/8"], "198.51.100.1"),
            ("10.0.0.1:1", &["1.1.1.1, junk"], &["10.0.0.0/8"], "10.0.0.1"),
            ("10.0.0.1:1", &["10.3.3.3"], &["10.0.0.0/8"], "10.3.3.3"),
            ("10.0.0.1:1", &["[2001:db8::7]:443"], &["10.0.0.0/8"], "2001:db8::7"),
            ("[::ffff:10.0.0.1]:1", &["198.51.100.1:4711"], &["10.0.0.0/8"], "198.51.100.1"),
        ];
        for (peer, forwarded, trusted, expected) in table {
            assert_eq!(seen(peer, forwarded, trusted), expected, "{peer} {forwarded:?} {trusted:?}");
        }
    }
}
