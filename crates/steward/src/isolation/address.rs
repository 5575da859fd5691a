//! Which network an address belongs to.
//!
//! The standard library has no stable `is_global`, and its opinion would be another than ours anyway: what is not in a
//! table of private networks counts as public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Who can reach an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Only who is on the same machine or network.
    Inside,
    /// Anybody, or nobody: not a private network in any case.
    Outside,
    /// The address does not tell.
    Unclear,
}

/// What an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressClass {
    /// Who can reach it.
    pub reach: Reach,
    /// Its network in words, with the standard that says so.
    pub network: &'static str,
    /// The IPv4 address that an IPv6 address stands for: that one was judged.
    pub carried: Option<Ipv4Addr>,
}

type Row<Net> = (Net, Reach, &'static str);

const fn v4(a: u8, b: u8, c: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), length)
}

const fn v6(a: u16, b: u16, c: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length)
}

/// From the IANA IPv4 special-purpose address registry (RFC 6890). The networks do not overlap.
const IPV4: [Row<Ipv4Net>; 16] = [
    (v4(127, 0, 0, 8), Reach::Inside, "this machine (RFC 1122)"),
    (v4(10, 0, 0, 8), Reach::Inside, "a private network (RFC 1918)"),
    (v4(172, 16, 0, 12), Reach::Inside, "a private network (RFC 1918)"),
    (v4(192, 168, 0, 16), Reach::Inside, "a private network (RFC 1918)"),
    (v4(100, 64, 0, 10), Reach::Inside, "a carrier's network (RFC 6598)"),
    (v4(169, 254, 0, 16), Reach::Inside, "the same link (RFC 3927)"),
    (v4(0, 0, 0, 8), Reach::Unclear, "no machine in particular (RFC 1122)"),
    (v4(192, 0, 0, 24), Reach::Unclear, "protocol assignments (RFC 6890)"),
    (v4(192, 0, 2, 24), Reach::Outside, "documentation (RFC 5737)"),
    (v4(198, 51, 100, 24), Reach::Outside, "documentation (RFC 5737)"),
    (v4(203, 0, 113, 24), Reach::Outside, "documentation (RFC 5737)"),
    (v4(198, 18, 0, 15), Reach::Unclear, "benchmarks (RFC 2544)"),
    (v4(192, 88, 99, 24), Reach::Outside, "6to4 relays (RFC 7526)"),
    (v4(192, 31, 196, 24), Reach::Outside, "AS112 (RFC 7535)"),
    (v4(224, 0, 0, 4), Reach::Outside, "multicast (RFC 1112)"),
    (v4(240, 0, 0, 4), Reach::Outside, "reserved addresses (RFC 1112)"),
];

/// From the IANA IPv6 special-purpose address registry. Addresses that carry an IPv4 address are taken apart before.
const IPV6: [Row<Ipv6Net>; 9] = [
    (v6(0xfc00, 0, 0, 7), Reach::Inside, "a private network (RFC 4193)"),
    (v6(0xfe80, 0, 0, 10), Reach::Inside, "the same link (RFC 4291)"),
    (v6(0xfec0, 0, 0, 10), Reach::Unclear, "a site's addresses, which are no longer used (RFC 3879)"),
    (v6(0x64, 0xff9b, 1, 48), Reach::Unclear, "a local translator to IPv4 (RFC 8215)"),
    // Relays on the internet lead there, whatever IPv4 address stands inside.
    (v6(0x2002, 0, 0, 16), Reach::Outside, "6to4, over public relays (RFC 3056)"),
    (v6(0x2001, 0, 0, 32), Reach::Outside, "Teredo, over public relays (RFC 4380)"),
    (v6(0x2001, 0xdb8, 0, 32), Reach::Outside, "documentation (RFC 3849)"),
    (v6(0x3fff, 0, 0, 20), Reach::Outside, "documentation (RFC 9637)"),
    (v6(0xff00, 0, 0, 8), Reach::Outside, "multicast (RFC 4291)"),
];

/// What `address` is; an IPv4 address inside an IPv6 one (mapped, or of NAT64) is judged as itself.
#[must_use]
pub fn classify_address(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(address) => class_v4(address),
        IpAddr::V6(address) => match carried(address) {
            Some(inner) => AddressClass { carried: Some(inner), ..class_v4(inner) },
            None => class_v6(address),
        },
    }
}

fn class_v4(address: Ipv4Addr) -> AddressClass {
    let row = IPV4.iter().find(|(net, _, _)| net.contains(&address));
    let (reach, network) = row.map_or((Reach::Outside, "the internet"), |row| (row.1, row.2));
    AddressClass { reach, network, carried: None }
}

fn class_v6(address: Ipv6Addr) -> AddressClass {
    let row = IPV6.iter().find(|(net, _, _)| net.contains(&address));
    let (reach, network) = match row {
        _ if address == Ipv6Addr::LOCALHOST => (Reach::Inside, "this machine (RFC 4291)"),
        _ if address == Ipv6Addr::UNSPECIFIED => (Reach::Unclear, "no machine in particular (RFC 4291)"),
        Some(row) => (row.1, row.2),
        None => (Reach::Outside, "the internet"),
    };
    AddressClass { reach, network, carried: None }
}

/// `::ffff:a.b.c.d` (RFC 4291 section 2.5.5.2) and `64:ff9b::a.b.c.d` (RFC 6052).
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = address.octets();
    let translated = address.segments().starts_with(&[0x64, 0xff9b, 0, 0, 0, 0]);
    address.to_ipv4_mapped().or_else(|| translated.then(|| Ipv4Addr::new(a, b, c, d)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_network_has_its_class() {
        use Reach::{Inside, Outside, Unclear};
        for (text, reach) in [
            ("10.0.0.1", Inside),
            ("9.255.255.255", Outside),
            ("11.0.0.0", Outside),
            ("172.15.255.255", Outside),
            ("172.16.0.0", Inside),
            ("172.31.255.255", Inside),
            ("172.32.0.0", Outside),
            ("192.167.255.255", Outside),
            ("192.168.0.1", Inside),
            ("192.169.0.0", Outside),
            ("100.63.255.255", Outside),
            ("100.64.0.1", Inside),
            ("100.127.255.255", Inside),
            ("100.128.0.0", Outside),
            ("127.0.0.1", Inside),
            ("127.255.255.254", Inside),
            ("169.254.169.254", Inside),
            ("8.8.8.8", Outside),
            ("203.0.113.7", Outside),
            ("0.0.0.0", Unclear),
            ("198.18.0.1", Unclear),
            ("224.0.0.1", Outside),
            ("255.255.255.255", Outside),
            ("::1", Inside),
            ("::", Unclear),
            ("fc00::1", Inside),
            ("fd12:3456::1", Inside),
            ("fdaa:0:1::3", Inside),
            ("fbff::1", Outside),
            ("fe00::1", Outside),
            ("fe80::1", Inside),
            ("febf::1", Inside),
            ("fec0::1", Unclear),
            ("2001:4860:4860::8888", Outside),
            ("2001:db8::1", Outside),
            ("2002:a00:1::1", Outside),
            ("2001:0:53aa::1", Outside),
            ("ff02::1", Outside),
            ("::ffff:8.8.8.8", Outside),
            ("::ffff:10.0.0.1", Inside),
            ("::ffff:100.64.0.1", Inside),
            ("64:ff9b::8.8.8.8", Outside),
            ("64:ff9b::10.0.0.1", Inside),
            ("64:ff9b:1::10.0.0.1", Unclear),
            // Not mapped, only alike: an address of the internet.
            ("::10.0.0.1", Outside),
            ("64:ff9b:0:1::10.0.0.1", Outside),
        ] {
            assert_eq!(classify_address(text.parse().unwrap()).reach, reach, "{text}");
        }
    }

    #[test]
    fn what_an_address_carries_is_named() {
        let class = classify_address("64:ff9b::8.8.8.8".parse().unwrap());
        assert_eq!((class.carried, class.network), (Some(Ipv4Addr::new(8, 8, 8, 8)), "the internet"));
        assert_eq!(classify_address("8.8.8.8".parse().unwrap()).carried, None);
    }

    /// Said a second time, by arithmetic instead of by tables.
    fn inside(octets: [u8; 4]) -> bool {
        let number = u32::from_be_bytes(octets);
        octets[0] == 10
            || octets[0] == 127
            || number >> 20 == 0xac1
            || number >> 16 == 0xc0a8
            || number >> 16 == 0xa9fe
            || number >> 22 == 0x191
    }

    proptest! {
        #[test]
        fn ipv4_is_inside_as_arithmetic_says(octets in prop_oneof![
            any::<[u8; 4]>(),
            (prop::sample::select(vec![10, 100, 127, 169, 172, 192]), any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| [a, b, c, d]),
        ]) {
            let class = classify_address(Ipv4Addr::from(octets).into());
            prop_assert_eq!(class.reach == Reach::Inside, inside(octets));
            // However it is written, it is the same address.
            let address = Ipv4Addr::from(octets);
            let [a, b, c, d] = octets.map(u16::from);
            let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a << 8 | b, c << 8 | d);
            for wrapped in [address.to_ipv6_mapped(), nat64] {
                let other = classify_address(wrapped.into());
                prop_assert_eq!((other.reach, other.network, other.carried), (class.reach, class.network, Some(address)));
            }
        }

        #[test]
        fn ipv6_is_inside_as_arithmetic_says(first in prop_oneof![any::<u16>(), 0xfb00_u16..=0xffff], rest in any::<[u16; 7]>()) {
            let [b, c, d, e, f, g, h] = rest;
            let address = Ipv6Addr::new(first, b, c, d, e, f, g, h);
            prop_assume!(first != 0 && first != 0x64);
            let private = first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80;
            prop_assert_eq!(classify_address(address.into()).reach == Reach::Inside, private);
        }
    }
}
