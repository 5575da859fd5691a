//! Who is calling, when proxies stand in between: `X-Forwarded-For` is believed from named proxies alone. The gateway
//! forwards this address, the issuer counts its throttles by it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// True when `peer` is one of the proxies that the configuration trusts. An IPv4 address that arrives as an IPv6 one
/// (`::ffff:10.0.0.1`, as on a dual-stack listener) is compared as IPv4.
#[must_use]
pub fn is_trusted_proxy(peer: IpAddr, trusted: &[IpNet]) -> bool {
    !trusted.is_empty() && {
        let peer = peer.to_canonical();
        trusted.iter().any(|net| net.contains(&peer))
    }
}

/// The client's address: the peer's, or, when the peer is trusted, the nearest address of `X-Forwarded-For` that is not
/// itself a trusted proxy's. `forwarded_for` are the values of that header's lines, in their order.
///
/// Reading goes from the right and stops at the first entry that is not an address: what stands left of it was written
/// by someone nobody vouches for.
#[must_use]
pub fn client_address<'a>(
    peer: IpAddr,
    forwarded_for: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted: &[IpNet],
) -> IpAddr {
    let mut client = peer.to_canonical();
    if !is_trusted_proxy(peer, trusted) {
        return client;
    }
    for line in forwarded_for.rev() {
        for entry in line.rsplit(|byte| *byte == b',') {
            let Some(address) = address(entry.trim_ascii()) else { return client };
            client = address;
            if !is_trusted_proxy(address, trusted) {
                return client;
            }
        }
    }
    client
}

/// One entry: an address, one in brackets, or either with a port.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry).ok()?;
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = entry.parse::<SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    let inside = entry.strip_prefix('[')?.strip_suffix(']')?;
    inside.parse::<Ipv6Addr>().ok().map(|address| IpAddr::V6(address).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(peer: &str, lines: &[&[u8]], trusted: &[&str]) -> String {
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        client_address(peer.parse().unwrap(), lines.iter().copied(), &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted: &[&str] = &["10.0.0.0/8", "fd00::/8"];
        let table: &[(&str, &[&[u8]], &str)] = &[
            // nobody's word is taken from a stranger
            ("203.0.113.9", &[], "203.0.113.9"),
            ("203.0.113.9", &[b"1.2.3.4"], "203.0.113.9"),
            // one proxy
            ("10.0.0.1", &[b"1.2.3.4"], "1.2.3.4"),
            // the client forged an entry; the proxy appended the truth
            ("10.0.0.1", &[b"6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &[b"6.6.6.6", b"1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &[b"junk, 1.2.3.4"], "1.2.3.4"),
            // not even one that is no text hides it
            ("10.0.0.1", &[b"\xff\xc3, 1.2.3.4"], "1.2.3.4"),
            // two proxies of ours, in one line and in two
            ("10.0.0.1", &[b"6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
            ("10.0.0.1", &[b"6.6.6.6", b"1.2.3.4", b"10.0.0.2"], "1.2.3.4"),
            // proxies all the way, nothing, or nonsense: the last address that somebody vouches for
            ("10.0.0.1", &[b"10.3.3.3"], "10.3.3.3"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[b""], "10.0.0.1"),
            ("10.0.0.1", &[b"unknown"], "10.0.0.1"),
            ("10.0.0.1", &[b"1.2.3.4, junk"], "10.0.0.1"),
            ("10.0.0.1", &[b"1.2.3.4, \xff"], "10.0.0.1"),
            ("10.0.0.1", &[b"1.2.3.4, bogus, 10.0.0.2"], "10.0.0.2"),
            // ports, brackets, mapped addresses
            ("10.0.0.1", &[b"1.2.3.4:5678"], "1.2.3.4"),
            ("10.0.0.1", &[b"[1.2.3.4]"], "10.0.0.1"),
            ("fd00::1", &[b"[2001:db8::7]:443"], "2001:db8::7"),
            ("fd00::1", &[b"[2001:db8::7]"], "2001:db8::7"),
            ("::ffff:10.0.0.1", &[b"::ffff:1.2.3.4"], "1.2.3.4"),
            ("::ffff:10.0.0.1", &[b"1.2.3.4:4711"], "1.2.3.4"),
        ];
        for (peer, lines, wanted) in table {
            assert_eq!(seen(peer, lines, trusted), *wanted, "{peer} {lines:?}");
        }
        assert_eq!(seen("10.0.0.1", &[b"1.2.3.4"], &[]), "10.0.0.1", "the default trusts nobody");
    }

    proptest! {
        #[test]
        fn what_a_client_writes_never_hides_what_the_proxy_appends(forged: Vec<u8>) {
            let line = [forged.as_slice(), b", 203.0.113.7"].concat();
            prop_assert_eq!(seen("10.0.0.1", &[&line], &["10.0.0.0/8"]), "203.0.113.7");
        }
    }
}
