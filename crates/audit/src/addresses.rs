//! Which addresses and names only a private network can reach. Pure, and the auditor's own list: what the steward takes
//! for private is not asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Private IPv4 networks: RFC 1918, carrier NAT (RFC 6598), link-local (RFC 3927).
const PRIVATE_4: [(Ipv4Net, &str); 5] = [
    (Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8), "10.0.0.0/8"),
    (Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12), "172.16.0.0/12"),
    (Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16), "192.168.0.0/16"),
    (Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10), "carrier NAT"),
    (Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16), "link-local"),
];
/// Unique local addresses (RFC 4193; Railway's and Fly's networks) and link-local ones.
const PRIVATE_6: [(Ipv6Net, &str); 2] = [
    (Ipv6Net::new_assert(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7), "unique local"),
    (Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10), "link-local"),
];
/// Translators carry an IPv4 address in the last four bytes (RFC 6052).
const NAT64: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);
/// 6to4 (RFC 3056) carries one in bytes 2 to 5.
const SIX_TO_FOUR: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16);

/// Who can reach an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The machine itself.
    Loopback,
    /// A private network, and which kind of.
    Private(&'static str),
    /// Anybody, as far as the address tells.
    Public,
}

impl Reach {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Private(kind) => kind,
            Self::Public => "public",
        }
    }
}

/// Who can reach an address. What is no private range is public: documentation and benchmark ranges, too.
pub(crate) fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_4(address),
        IpAddr::V6(address) => reach_6(address),
    }
}

fn reach_4(address: Ipv4Addr) -> Reach {
    if address.is_loopback() {
        return Reach::Loopback;
    }
    let found = PRIVATE_4.iter().find(|(network, _)| network.contains(&address));
    found.map_or(Reach::Public, |(_, kind)| Reach::Private(kind))
}

fn reach_6(address: Ipv6Addr) -> Reach {
    if address.is_loopback() {
        return Reach::Loopback;
    }
    let octets = address.octets();
    if let Some(mapped) = address.to_ipv4_mapped() {
        return reach_4(mapped);
    }
    if NAT64.contains(&address) {
        return reach_4(Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]));
    }
    if SIX_TO_FOUR.contains(&address) {
        return reach_4(Ipv4Addr::new(octets[2], octets[3], octets[4], octets[5]));
    }
    let found = PRIVATE_6.iter().find(|(network, _)| network.contains(&address));
    found.map_or(Reach::Public, |(_, kind)| Reach::Private(kind))
}

/// Endings of Railway's public names: an edge stands behind them that the whole internet reaches.
const PUBLIC_ENDINGS: [&str; 3] = [".rlwy.net", ".railway.app", ".up.railway.app"];
/// Endings that only a platform's own network answers for.
const PRIVATE_ENDINGS: [&str; 2] = [".railway.internal", ".flycast"];

/// What a name says by itself; its addresses say more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameSays {
    /// A platform's public edge.
    Public,
    /// A platform's private network.
    Private,
    /// It has a private name inside, and ends in somebody's public one: `postgres.railway.internal.evil.example`.
    LookAlike,
    /// Nothing.
    Nothing,
}

/// Judges a name in lower case without its final dot.
pub(crate) fn name_says(name: &str) -> NameSays {
    let ends_in =
        |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending) && name.len() > ending.len());
    if ends_in(&PUBLIC_ENDINGS) {
        NameSays::Public
    } else if ends_in(&PRIVATE_ENDINGS) {
        NameSays::Private
    } else if name.contains("railway.internal") {
        NameSays::LookAlike
    } else {
        NameSays::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_by_who_reaches_them() {
        for (address, private) in [
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("169.254.169.254", true),
            ("127.0.0.1", true),
            ("203.0.113.7", false),
            ("0.0.0.0", false),
            ("255.255.255.255", false),
            ("fd12::1", true),
            ("fc00::1", true),
            ("fe80::1", true),
            ("fec0::1", false),
            ("::1", true),
            ("::", false),
            ("2001:db8::1", false),
            ("::ffff:8.8.8.8", false),
            ("::ffff:10.0.0.1", true),
            ("64:ff9b::8.8.8.8", false),
            ("64:ff9b:1::a00:1", false),
            ("2002:808:808::1", false),
        ] {
            let reach = reach(address.parse().unwrap());
            assert_eq!(reach != Reach::Public, private, "{address}: {reach:?}");
        }
    }

    #[test]
    fn names_by_what_they_end_in() {
        assert_eq!(name_says("postgres.railway.internal"), NameSays::Private);
        assert_eq!(name_says("shuttle.proxy.rlwy.net"), NameSays::Public);
        assert_eq!(name_says("db-production.up.railway.app"), NameSays::Public);
        assert_eq!(name_says("postgres.railway.internal.evil.example"), NameSays::LookAlike);
        assert_eq!(name_says("evilrailway.internal"), NameSays::LookAlike);
        assert_eq!(name_says("notrlwy.net"), NameSays::Nothing);
        assert_eq!(name_says("db"), NameSays::Nothing);
    }
}
