//! One line of `allow` or `deny`.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

use crate::net::url::host_name;

/// A place: an address, a range of addresses, a host, or all hosts under a domain; at one port or at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    place: Place,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Addresses(IpNet),
    Host(String),
    /// The hosts below this domain, not the domain itself.
    Under(String),
}

/// A text is no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an address, a range (10.0.0.0/8), a host or *.domain, each with or without a port")]
pub struct BadRule;

impl Rule {
    /// Whether it is about this host, by name, at this port.
    pub(super) fn names(&self, host: &str, port: Option<u16>) -> bool {
        self.is_about(port)
            && match &self.place {
                Place::Addresses(_) => false,
                Place::Host(name) => name == host,
                Place::Under(domain) => host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.')),
            }
    }

    /// Whether it is about this address, at this port.
    pub(super) fn holds(&self, address: IpAddr, port: Option<u16>) -> bool {
        self.is_about(port) && matches!(&self.place, Place::Addresses(net) if net.contains(&address))
    }

    /// Whether it is about one address only.
    pub(super) fn is_single(&self) -> bool {
        matches!(&self.place, Place::Addresses(net) if net.prefix_len() == net.max_prefix_len())
    }

    /// The only port it is about, if it is not about all.
    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }

    fn is_about(&self, port: Option<u16>) -> bool {
        self.port.is_none() || self.port == port
    }
}

impl FromStr for Rule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let alone = |address: IpAddr| Place::Addresses(address.to_canonical().into());
        if let Ok(net) = text.parse::<IpNet>() {
            return Ok(Self { place: Place::Addresses(net.trunc()), port: None });
        }
        if let Ok(address) = text.trim_matches(['[', ']']).parse() {
            return Ok(Self { place: alone(address), port: None });
        }
        if let Ok(socket) = text.parse::<SocketAddr>() {
            return Ok(Self { place: alone(socket.ip()), port: Some(socket.port()) });
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().map_err(|_| BadRule)?)),
            None => (text, None),
        };
        if let Ok(net) = name.parse::<IpNet>() {
            return Ok(Self { place: Place::Addresses(net.trunc()), port });
        }
        let known = |name: &str| host_name(name).map_err(|_| BadRule);
        let place = match name.strip_prefix("*.") {
            Some(domain) => Place::Under(known(domain)?),
            None => match known(name)? {
                host if host.contains(['*', '/']) => return Err(BadRule),
                host => host.parse().map_or(Place::Host(host), alone),
            },
        };
        Ok(Self { place, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Rule {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_rule_is_about_addresses_or_names_at_one_port_or_all() {
        for (text, address, port) in [
            ("10.0.0.0/8", "10.255.0.1", 443),
            ("10.1.2.3/8", "10.255.0.1", 443),
            ("10.0.0.0/8:443", "10.255.0.1", 443),
            ("127.0.0.1", "127.0.0.1", 1),
            ("127.1", "127.0.0.1", 1),
            ("127.0.0.1:8080", "127.0.0.1", 8080),
            ("[::1]:22", "::1", 22),
            ("[::1]", "::1", 1),
            ("fd00::/8", "fd01::1", 1),
            ("::ffff:10.0.0.1", "10.0.0.1", 1),
        ] {
            assert!(rule(text).holds(address.parse().unwrap(), Some(port)), "{text}");
        }
        for (text, host, port) in [
            ("git.example.org", "git.example.org", 443),
            ("GIT.example.org.", "git.example.org", 443),
            ("git.example.org:2222", "git.example.org", 2222),
            ("*.example.org", "a.b.example.org", 443),
            ("bücher.example", "xn--bcher-kva.example", 443),
        ] {
            assert!(rule(text).names(host, Some(port)), "{text}");
        }
    }

    #[test]
    fn a_rule_is_about_nothing_else() {
        assert!(!rule("127.0.0.1:8080").holds("127.0.0.1".parse().unwrap(), Some(8081)));
        assert!(!rule("127.0.0.1:8080").holds("127.0.0.1".parse().unwrap(), None));
        assert!(!rule("127.0.0.1").holds("127.0.0.2".parse().unwrap(), Some(80)));
        for (text, host) in [
            ("example.org", "a.example.org"),
            ("*.example.org", "example.org"),
            ("*.example.org", "badexample.org"),
            ("example.org:443", "example.org"),
        ] {
            assert!(!rule(text).names(host, Some(80)), "{text}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in ["", "*", "a.*.b", "10.0.0.0/33", "host:port", "host:99999", "a b", "https://host", "host/path"] {
            assert_eq!(text.parse::<Rule>(), Err(BadRule), "{text}");
        }
    }
}
