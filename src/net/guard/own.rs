//! The addresses of this machine.

use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;

/// Whether `address` belongs to one of this machine's interfaces. Looked up each time, since they come and go.
pub(super) fn is_own(address: IpAddr) -> bool {
    let Ok(interfaces) = getifaddrs() else { return false };
    interfaces.filter_map(|interface| interface.address).any(|found| {
        let v4 = found.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        let v6 = || found.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()));
        v4.or_else(v6) == Some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machines_addresses_are_its_own() {
        assert!(is_own(IpAddr::from([127, 0, 0, 1])));
        assert!(!is_own(IpAddr::from([1, 1, 1, 1])));
    }
}
