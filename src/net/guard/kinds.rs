//! What kind of address an address is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why a place must not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// 127.0.0.0/8, `::1`, `localhost`, the addresses of this machine.
    #[error("Requests to loopback addresses are not allowed")]
    Loopback,
    /// RFC 1918, `fc00::/7`, `fec0::/10`.
    #[error("Requests to the local network are not allowed")]
    LocalNetwork,
    /// 169.254.0.0/16, `fe80::/10`.
    #[error("Requests to the link local network are not allowed")]
    LinkLocal,
    /// 100.64.0.0/10.
    #[error("Requests to the shared address space are not allowed")]
    SharedAddress,
    /// Where clouds keep the secrets of their machines, outside of 169.254.0.0/16.
    #[error("Requests to cloud metadata addresses are not allowed")]
    Metadata,
    /// 0.0.0.0/8, ::.
    #[error("Requests to the unspecified address are not allowed")]
    Unspecified,
    /// 255.255.255.255.
    #[error("Requests to the limited broadcast address are not allowed")]
    Broadcast,
    /// 224.0.0.0/4, `ff00::/8`.
    #[error("Requests to multicast addresses are not allowed")]
    Multicast,
    /// 240.0.0.0/4, and what is kept for benchmarks, examples and protocols.
    #[error("Requests to reserved addresses are not allowed")]
    Reserved,
    /// A port below 1024 that no git server uses.
    #[error("Only allowed ports are 22, 80, 443, and any over 1024")]
    Port,
    /// The operator's `deny`.
    #[error("Requests to this host are denied by the operator")]
    Denied,
    /// The operator's `only_allowed`.
    #[error("Requests to hosts and IP addresses not on the allow list are denied")]
    NotAllowed,
}

/// AWS, Azure and Google; containers and pods at AWS; Alibaba; Oracle; Azure's wire server; AWS and Google over IPv6.
const METADATA: [IpAddr; 9] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Whether no range and no name can allow it, but only a rule for this one address.
pub(super) fn needs_its_own_rule(address: IpAddr) -> bool {
    let inner = match address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(v6) => embedded(v6),
    };
    METADATA.contains(&address)
        || inner.is_some_and(|inner| METADATA.contains(&inner.into()))
        || matches!(kind(address), Some(Forbidden::Unspecified | Forbidden::Broadcast | Forbidden::Multicast))
}

/// What kind of address it is, if it is none of the public ones.
pub(super) fn kind(address: IpAddr) -> Option<Forbidden> {
    match address {
        IpAddr::V4(v4) if METADATA.contains(&v4.into()) && !v4.is_link_local() => Some(Forbidden::Metadata),
        IpAddr::V6(v6) if METADATA.contains(&v6.into()) => Some(Forbidden::Metadata),
        IpAddr::V4(v4) => kind_v4(v4),
        IpAddr::V6(v6) => special_v6(v6).or_else(|| match embedded(v6) {
            Some(v4) => kind(v4.into()).or_else(|| unrouted_v6(v6)),
            None => unrouted_v6(v6),
        }),
    }
}

fn kind_v4(address: Ipv4Addr) -> Option<Forbidden> {
    let [a, b, c, _] = address.octets();
    match () {
        () if a == 0 => Some(Forbidden::Unspecified),
        () if address.is_loopback() => Some(Forbidden::Loopback),
        () if address.is_private() => Some(Forbidden::LocalNetwork),
        () if address.is_link_local() => Some(Forbidden::LinkLocal),
        () if a == 100 && b & 0xc0 == 64 => Some(Forbidden::SharedAddress),
        () if address.is_multicast() => Some(Forbidden::Multicast),
        () if address.is_broadcast() => Some(Forbidden::Broadcast),
        // Protocol assignments, the old 6to4 relays, benchmarks, examples, the future.
        () if matches!((a, b, c), (192, 0, 0) | (192, 88, 99) | (198, 18 | 19, _)) => Some(Forbidden::Reserved),
        () if address.is_documentation() || a >= 240 => Some(Forbidden::Reserved),
        () => None,
    }
}

fn special_v6(address: Ipv6Addr) -> Option<Forbidden> {
    let first = address.segments()[0];
    match () {
        () if address.is_unspecified() => Some(Forbidden::Unspecified),
        () if address.is_loopback() => Some(Forbidden::Loopback),
        () if first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfec0 => Some(Forbidden::LocalNetwork),
        () if first & 0xffc0 == 0xfe80 => Some(Forbidden::LinkLocal),
        () if address.is_multicast() => Some(Forbidden::Multicast),
        () => None,
    }
}

/// Whatever is not routed on the internet: what is not global unicast but stands for IPv4, protocol assignments with
/// Teredo among them, and examples.
fn unrouted_v6(address: Ipv6Addr) -> Option<Forbidden> {
    match address.segments() {
        // Two ways to a public IPv4 address that networks without IPv4 really use.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => None,
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some(Forbidden::Reserved),
        [first, ..] if first & 0xe000 != 0x2000 => Some(Forbidden::Reserved),
        _ => None,
    }
}

/// The IPv4 address that this one stands for: mapped (`::ffff:a.b.c.d`), compatible (`::a.b.c.d`), translated
/// (`64:ff9b::/96`, `64:ff9b:1::/48`, `::ffff:0:a.b.c.d`), 6to4 (`2002::/16`), Teredo (`2001::/32`, which holds it
/// inverted) or ISATAP (`…:0:5efe:a.b.c.d`).
pub(super) fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let joined = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0 | 1, _, _, _, high, low]
        | [_, _, _, _, 0 | 0x200, 0x5efe, high, low]
        | [0x2002, high, low, ..] => Some(joined(high, low)),
        [0x2001, 0, .., high, low] => Some(joined(!high, !low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_address_is_known_in_every_disguise() {
        for (text, expected) in [
            ("127.0.0.1", Forbidden::Loopback),
            ("127.255.255.254", Forbidden::Loopback),
            ("::1", Forbidden::Loopback),
            ("::ffff:127.0.0.1", Forbidden::Loopback),
            ("::127.0.0.1", Forbidden::Loopback),
            ("::ffff:0:127.0.0.1", Forbidden::Loopback),
            ("64:ff9b::7f00:1", Forbidden::Loopback),
            ("64:ff9b:1::7f00:1", Forbidden::Loopback),
            ("2002:7f00:1::", Forbidden::Loopback),
            ("2001:0:101:101::80ff:fffe", Forbidden::Loopback),
            ("2a00::5efe:7f00:1", Forbidden::Loopback),
            ("10.1.2.3", Forbidden::LocalNetwork),
            ("172.31.255.255", Forbidden::LocalNetwork),
            ("192.168.0.1", Forbidden::LocalNetwork),
            ("fc00::1", Forbidden::LocalNetwork),
            ("fec0::1", Forbidden::LocalNetwork),
            ("169.254.1.1", Forbidden::LinkLocal),
            ("fe80::1", Forbidden::LinkLocal),
            ("169.254.169.254", Forbidden::LinkLocal),
            ("::ffff:169.254.169.254", Forbidden::LinkLocal),
            ("64:ff9b::a9fe:a9fe", Forbidden::LinkLocal),
            ("64:ff9b::6464:64c8", Forbidden::Metadata),
            ("100.100.100.200", Forbidden::Metadata),
            ("168.63.129.16", Forbidden::Metadata),
            ("fd00:ec2::254", Forbidden::Metadata),
            ("100.64.0.1", Forbidden::SharedAddress),
            ("100.127.255.255", Forbidden::SharedAddress),
            ("0.0.0.0", Forbidden::Unspecified),
            ("0.1.2.3", Forbidden::Unspecified),
            ("::", Forbidden::Unspecified),
            ("::ffff:0.0.0.0", Forbidden::Unspecified),
            ("255.255.255.255", Forbidden::Broadcast),
            ("224.0.0.1", Forbidden::Multicast),
            ("ff02::1", Forbidden::Multicast),
            ("240.0.0.1", Forbidden::Reserved),
            ("192.0.0.1", Forbidden::Reserved),
            ("192.0.2.1", Forbidden::Reserved),
            ("198.51.100.1", Forbidden::Reserved),
            ("203.0.113.1", Forbidden::Reserved),
            ("198.19.255.255", Forbidden::Reserved),
            ("192.88.99.1", Forbidden::Reserved),
            ("2001:db8::1", Forbidden::Reserved),
            ("3fff::1", Forbidden::Reserved),
            ("2001:0:101:101::fefe:fefe", Forbidden::Reserved),
            ("2001:20::1", Forbidden::Reserved),
            ("100::1", Forbidden::Reserved),
            ("5f00::1", Forbidden::Reserved),
            ("64:ff9b:1::101:101", Forbidden::Reserved),
            ("::1.1.1.1", Forbidden::Reserved),
        ] {
            assert_eq!(kind(text.parse().unwrap()), Some(expected), "{text}");
        }
    }

    #[test]
    fn public_addresses_are_of_no_kind() {
        for text in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.0",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.255.255",
            "198.20.0.0",
            "2606:4700::1111",
            "2001:200::1",
            "2002:101:101::",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            assert_eq!(kind(text.parse().unwrap()), None, "{text}");
        }
    }
}
