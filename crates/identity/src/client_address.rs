//! From where a request comes. `X-Forwarded-For` is believed only as far as trusted proxies wrote it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap, HeaderValue};
use ipnet::IpNet;

/// The address that throttling counts: the connection's peer, or, when that is a trusted proxy, the last address in
/// `X-Forwarded-For` that no trusted proxy has. Everything left of it could have been made up by the caller.
///
/// A request without a known peer (a router called in the process) counts as `::`, one bucket for all of them.
pub(crate) fn client_address(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip());
    let lines = headers.get_all("x-forwarded-for").iter();
    policy::client_address(peer, lines.map(HeaderValue::as_bytes), trusted)
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
        let table: [(&str, &[&str], &[&str], &str); 5] = [
            ("203.0.113.9:1", &["198.51.100.1"], &["10.0.0.0/8"], "203.0.113.9"),
            ("10.0.0.1:1", &["1.1.1.1, 198.51.100.1, 10.2.2.2"], &["10.0.0.0/8"], "198.51.100.1"),
            ("10.0.0.1:1", &["1.1.1.1", "198.51.100.1"], &["10.0.0.0/8"], "198.51.100.1"),
            ("10.0.0.1:1", &["[2001:db8::7]:443"], &["10.0.0.0/8"], "2001:db8::7"),
            ("[::ffff:10.0.0.1]:1", &["198.51.100.1:4711"], &["10.0.0.0/8"], "198.51.100.1"),
        ];
        for (peer, forwarded, trusted, expected) in table {
            assert_eq!(seen(peer, forwarded, trusted), expected, "{peer} {forwarded:?} {trusted:?}");
        }
    }
}
