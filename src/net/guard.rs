//! Which addresses may be reached at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A kind of address that a mirror must not reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// 127.0.0.0/8, `::1`.
    #[error("Requests to loopback addresses are not allowed")]
    Loopback,
    /// RFC 1918, `fc00::/7`, `fec0::/10`.
    #[error("Requests to the local network are not allowed")]
    LocalNetwork,
    /// 169.254.0.0/16 (where clouds keep their metadata), `fe80::/10`.
    #[error("Requests to the link local network are not allowed")]
    LinkLocal,
    /// 100.64.0.0/10.
    #[error("Requests to the shared address space are not allowed")]
    SharedAddress,
    /// 0.0.0.0/8, ::.
    #[error("Requests to the unspecified address are not allowed")]
    Unspecified,
    /// 255.255.255.255.
    #[error("Requests to the limited broadcast address are not allowed")]
    Broadcast,
    /// 224.0.0.0/4, `ff00::/8`.
    #[error("Requests to multicast addresses are not allowed")]
    Multicast,
    /// 240.0.0.0/4.
    #[error("Requests to reserved addresses are not allowed")]
    Reserved,
}

/// The rule: nothing but public addresses, unless the operator lets mirrors reach the local network.
#[derive(Debug, Clone, Copy, Default)]
pub struct AddressGuard {
    /// Lets loopback, private and shared addresses pass. The others are never the address of a git server.
    pub allow_local_network: bool,
}

impl AddressGuard {
    /// Whether `address` may be reached.
    ///
    /// # Errors
    /// The kind of address it is, if it may not.
    pub fn check(self, address: IpAddr) -> Result<(), Forbidden> {
        match kind(address) {
            Some(Forbidden::Loopback | Forbidden::LocalNetwork | Forbidden::SharedAddress)
                if self.allow_local_network =>
            {
                Ok(())
            }
            Some(forbidden) => Err(forbidden),
            None => Ok(()),
        }
    }
}

fn kind(address: IpAddr) -> Option<Forbidden> {
    match address {
        IpAddr::V4(v4) => kind_v4(v4),
        IpAddr::V6(v6) => kind_v6(v6).or_else(|| kind_v4(embedded(v6)?)),
    }
}

fn kind_v4(address: Ipv4Addr) -> Option<Forbidden> {
    let [a, b, ..] = address.octets();
    match () {
        () if a == 0 => Some(Forbidden::Unspecified),
        () if address.is_loopback() => Some(Forbidden::Loopback),
        () if address.is_private() => Some(Forbidden::LocalNetwork),
        () if address.is_link_local() => Some(Forbidden::LinkLocal),
        () if a == 100 && b & 0xc0 == 64 => Some(Forbidden::SharedAddress),
        () if address.is_multicast() => Some(Forbidden::Multicast),
        () if address.is_broadcast() => Some(Forbidden::Broadcast),
        () if a >= 240 => Some(Forbidden::Reserved),
        () => None,
    }
}

fn kind_v6(address: Ipv6Addr) -> Option<Forbidden> {
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

/// The IPv4 address that this one stands for: mapped (`::ffff:a.b.c.d`), compatible (`::a.b.c.d`), translated
/// (`64:ff9b::/96`, `64:ff9b:1::/48`, `::ffff:0:a.b.c.d`) or 6to4 (`2002::/16`).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let joined = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0 | 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => Some(joined(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: AddressGuard = AddressGuard { allow_local_network: false };
    const LOCAL: AddressGuard = AddressGuard { allow_local_network: true };

    fn check(guard: AddressGuard, text: &str) -> Option<Forbidden> {
        guard.check(text.parse().unwrap()).err()
    }

    #[test]
    fn each_kind_of_address_is_known_in_every_disguise() {
        for (text, kind) in [
            ("127.0.0.1", Forbidden::Loopback),
            ("::1", Forbidden::Loopback),
            ("::ffff:127.0.0.1", Forbidden::Loopback),
            ("::127.0.0.1", Forbidden::Loopback),
            ("64:ff9b::7f00:1", Forbidden::Loopback),
            ("2002:7f00:1::", Forbidden::Loopback),
            ("10.1.2.3", Forbidden::LocalNetwork),
            ("172.31.255.255", Forbidden::LocalNetwork),
            ("192.168.0.1", Forbidden::LocalNetwork),
            ("fd00:ec2::254", Forbidden::LocalNetwork),
            ("fec0::1", Forbidden::LocalNetwork),
            ("169.254.169.254", Forbidden::LinkLocal),
            ("::ffff:169.254.169.254", Forbidden::LinkLocal),
            ("fe80::1", Forbidden::LinkLocal),
            ("100.64.0.1", Forbidden::SharedAddress),
            ("100.127.255.255", Forbidden::SharedAddress),
            ("0.0.0.0", Forbidden::Unspecified),
            ("::", Forbidden::Unspecified),
            ("255.255.255.255", Forbidden::Broadcast),
            ("224.0.0.1", Forbidden::Multicast),
            ("ff02::1", Forbidden::Multicast),
            ("240.0.0.1", Forbidden::Reserved),
        ] {
            assert_eq!(check(STRICT, text), Some(kind), "{text}");
        }
    }

    #[test]
    fn public_addresses_pass() {
        for text in ["1.1.1.1", "100.63.255.255", "100.128.0.0", "172.32.0.1", "2606:4700::1111", "2002:101:101::"] {
            assert_eq!(check(STRICT, text), None, "{text}");
        }
    }

    #[test]
    fn the_local_network_can_be_allowed_but_metadata_and_multicast_cannot() {
        for text in ["127.0.0.1", "::1", "10.0.0.1", "fd00::1", "100.64.0.1", "::ffff:10.0.0.1"] {
            assert_eq!(check(LOCAL, text), None, "{text}");
        }
        for text in ["169.254.169.254", "fe80::1", "224.0.0.1", "255.255.255.255", "0.0.0.0", "::"] {
            assert!(check(LOCAL, text).is_some(), "{text}");
        }
    }
}
