//! Which places may be reached at all.

mod kinds;
mod own;
mod rule;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

pub use kinds::Forbidden;
pub use rule::{BadRule, Rule};

/// Below this, services stand that are no git servers and that could be talked into something: mail, printers, Redis's
/// neighbours.
const FIRST_FREE_PORT: u16 = 1024;

/// The ports of git's transports below that.
const USUAL_PORTS: [u16; 3] = [22, 80, 443];

/// What the operator decides about places. `deny` wins over `allow`, and `allow` over everything else.
#[derive(Debug, Clone, Default)]
pub struct AddressRules {
    /// Lets loopback, private and shared addresses pass, but those where clouds keep secrets.
    pub allow_local_network: bool,
    /// What passes in spite of its kind or port.
    pub allow: Vec<Rule>,
    /// What never passes.
    pub deny: Vec<Rule>,
    /// Whether nothing passes but what `allow` names.
    pub only_allowed: bool,
}

/// The guard at the door: nothing but public addresses and git's ports, unless the operator says otherwise.
#[derive(Debug, Clone, Default)]
pub struct AddressGuard(Arc<AddressRules>);

impl AddressGuard {
    /// A guard that goes by these rules.
    pub fn new(rules: AddressRules) -> Self {
        Self(Arc::new(rules))
    }

    /// What can be said of a host before its name is resolved. `host` is as [`RemoteUrl::host`](super::RemoteUrl::host)
    /// gives it.
    ///
    /// # Errors
    /// Why it must not be reached.
    pub fn check_host(&self, host: &str, port: u16) -> Result<(), Forbidden> {
        let at = Some(port);
        if self.0.deny.iter().any(|rule| rule.names(host, at)) {
            return Err(Forbidden::Denied);
        }
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return self.check(host, address, port);
        }
        if is_localhost(host) {
            self.check(host, Ipv4Addr::LOCALHOST.into(), port)?;
        }
        // A rule for an address lets its port pass, too, so that of other names only the address can tell.
        let some_rule_has_it = self.0.allow.iter().any(|rule| rule.port() == at);
        if is_usual(port) || some_rule_has_it || self.is_named(host, at) { Ok(()) } else { Err(Forbidden::Port) }
    }

    /// Whether `host` may be reached at `address` and `port`.
    ///
    /// # Errors
    /// Why it must not be reached.
    pub fn check(&self, host: &str, address: IpAddr, port: u16) -> Result<(), Forbidden> {
        self.check_address(host, address, Some(port))?;
        let at = Some(port);
        let named = self.is_named(host, at) || self.0.allow.iter().any(|rule| rule.holds(address.to_canonical(), at));
        if is_usual(port) || named { Ok(()) } else { Err(Forbidden::Port) }
    }

    /// As [`check`](Self::check), without a look at the port itself; `None` stands for a port that no rule names.
    pub(super) fn check_address(&self, host: &str, address: IpAddr, port: Option<u16>) -> Result<(), Forbidden> {
        let address = address.to_canonical();
        let inner = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(v6) => kinds::embedded(v6).map(IpAddr::V4),
        };
        let denied = |rule: &Rule| {
            rule.names(host, port) || rule.holds(address, port) || inner.is_some_and(|inner| rule.holds(inner, port))
        };
        if self.0.deny.iter().any(denied) {
            return Err(Forbidden::Denied);
        }
        let kind = kinds::kind(address);
        let single_only = kinds::needs_its_own_rule(address);
        let mut allowing = self.0.allow.iter().filter(|rule| rule.is_single() || !single_only);
        if allowing.any(|rule| rule.names(host, port) || rule.holds(address, port)) {
            return Ok(());
        }
        if self.0.only_allowed {
            return Err(Forbidden::NotAllowed);
        }
        let local = self.0.allow_local_network;
        match kind {
            Some(Forbidden::Loopback | Forbidden::LocalNetwork | Forbidden::SharedAddress) if local => Ok(()),
            Some(forbidden) => Err(forbidden),
            None if !local && own::is_own(address) => Err(Forbidden::Loopback),
            None => Ok(()),
        }
    }

    /// Whether rules name this port: what holds for all other ports alike does not hold for it.
    pub(super) fn has_rules_for(&self, port: u16) -> bool {
        self.0.allow.iter().chain(&self.0.deny).any(|rule| rule.port() == Some(port))
    }

    /// Whether a host whose addresses nobody knows may be reached, by way of a proxy that will know them.
    pub(super) fn check_unresolved(&self, host: &str, port: u16) -> Result<(), Forbidden> {
        if self.0.only_allowed && !self.is_named(host, Some(port)) { Err(Forbidden::NotAllowed) } else { Ok(()) }
    }

    fn is_named(&self, host: &str, port: Option<u16>) -> bool {
        self.0.allow.iter().any(|rule| rule.names(host, port))
    }
}

fn is_usual(port: u16) -> bool {
    port >= FIRST_FREE_PORT || USUAL_PORTS.contains(&port)
}

/// Names of this machine, whatever a name server says of them.
fn is_localhost(host: &str) -> bool {
    const NAMES: [&str; 6] = [
        "localhost",
        "localhost.localdomain",
        "localhost6",
        "localhost6.localdomain6",
        "ip6-localhost",
        "ip6-loopback",
    ];
    NAMES.contains(&host) || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str], deny: &[&str]) -> AddressGuard {
        let rules = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        AddressGuard::new(AddressRules { allow: rules(allow), deny: rules(deny), ..AddressRules::default() })
    }

    fn check(guard: &AddressGuard, host: &str, address: &str, port: u16) -> Option<Forbidden> {
        guard.check_host(host, port).and_then(|()| guard.check(host, address.parse().unwrap(), port)).err()
    }

    #[test]
    fn the_local_network_can_be_allowed_but_metadata_and_multicast_cannot() {
        let local = AddressGuard::new(AddressRules { allow_local_network: true, ..AddressRules::default() });
        for text in ["127.0.0.1", "::1", "10.0.0.1", "fd00::1", "100.64.0.1", "::ffff:10.0.0.1"] {
            assert_eq!(check(&local, "host", text, 443), None, "{text}");
        }
        for text in ["169.254.169.254", "fe80::1", "224.0.0.1", "255.255.255.255", "0.0.0.0", "::", "fd00:ec2::254"] {
            assert!(check(&local, "host", text, 443).is_some(), "{text}");
        }
    }

    #[test]
    fn an_allowed_place_passes_and_its_neighbours_do_not() {
        let guard = guard(&["127.0.0.1:8080", "10.1.0.0/16", "*.corp.example", "box.example:2222"], &[]);
        for (host, address, port, expected) in [
            ("127.0.0.1", "127.0.0.1", 8080, None),
            ("127.0.0.1", "127.0.0.1", 8081, Some(Forbidden::Loopback)),
            ("127.0.0.2", "127.0.0.2", 8080, Some(Forbidden::Loopback)),
            ("localhost", "127.0.0.1", 8080, None),
            ("localhost", "127.0.0.1", 8081, Some(Forbidden::Loopback)),
            ("x.example", "10.1.2.3", 443, None),
            ("x.example", "10.2.2.3", 443, Some(Forbidden::LocalNetwork)),
            ("git.corp.example", "192.168.0.1", 443, None),
            ("git.corp.example", "169.254.169.254", 80, Some(Forbidden::LinkLocal)),
            ("git.corp.example", "100.100.100.200", 80, Some(Forbidden::Metadata)),
            ("git.corp.example", "0.0.0.0", 80, Some(Forbidden::Unspecified)),
            ("box.example", "192.168.0.1", 2222, None),
            ("box.example", "192.168.0.1", 443, Some(Forbidden::LocalNetwork)),
        ] {
            assert_eq!(check(&guard, host, address, port), expected, "{host} {address} {port}");
        }
    }

    #[test]
    fn metadata_is_allowed_by_its_one_address_only() {
        let host = "169.254.169.254";
        assert_eq!(check(&guard(&["169.254.0.0/16"], &[]), host, host, 80), Some(Forbidden::LinkLocal));
        assert_eq!(check(&guard(&["64:ff9b::/96"], &[]), "host", "64:ff9b::a9fe:a9fe", 80), Some(Forbidden::LinkLocal));
        assert_eq!(check(&guard(&["169.254.0.0/16"], &[]), "host", "169.254.1.1", 80), None);
        assert_eq!(check(&guard(&[host], &[]), host, host, 80), None);
    }

    #[test]
    fn what_is_denied_is_denied_by_name_by_address_and_in_disguise_whatever_is_allowed() {
        let guard = guard(&["10.0.0.0/8", "*.example"], &["10.6.6.6", "evil.example", "1.2.3.0/24", "*.bad.test:8443"]);
        for (host, address, port) in [
            ("10.6.6.6", "10.6.6.6", 443),
            ("git.example", "10.6.6.6", 443),
            ("evil.example", "1.1.1.1", 443),
            ("git.test", "1.2.3.4", 443),
            ("git.test", "::ffff:1.2.3.4", 443),
            ("git.test", "64:ff9b::102:304", 443),
            ("git.test", "2002:102:304::", 443),
            ("git.bad.test", "1.1.1.1", 8443),
        ] {
            assert_eq!(check(&guard, host, address, port), Some(Forbidden::Denied), "{host} {address}");
        }
        assert_eq!(check(&guard, "git.bad.test", "1.1.1.1", 443), None);
    }

    #[test]
    fn with_only_allowed_nothing_else_passes() {
        let allow = vec!["git.example".parse().unwrap(), "1.2.3.0/24".parse().unwrap()];
        let guard = AddressGuard::new(AddressRules { allow, only_allowed: true, ..AddressRules::default() });
        assert_eq!(check(&guard, "git.example", "1.1.1.1", 443), None);
        assert_eq!(check(&guard, "other.example", "1.2.3.4", 443), None);
        assert_eq!(check(&guard, "other.example", "1.1.1.1", 443), Some(Forbidden::NotAllowed));
        assert_eq!(guard.check_unresolved("git.example", 443), Ok(()));
        assert_eq!(guard.check_unresolved("other.example", 443), Err(Forbidden::NotAllowed));
    }

    #[test]
    fn low_ports_are_for_git_alone_unless_a_rule_names_them() {
        let guard = guard(&["1.1.1.1:25", "*.example"], &[]);
        for port in [22, 80, 443, 1024, 9418, 65535] {
            assert_eq!(check(&guard, "git.test", "1.1.1.1", port), None, "{port}");
        }
        assert_eq!(check(&guard, "git.test", "1.1.1.1", 110), Some(Forbidden::Port));
        assert_eq!(check(&guard, "git.test", "1.1.1.2", 25), Some(Forbidden::Port));
        assert_eq!(check(&guard, "1.1.1.1", "1.1.1.1", 25), None);
        assert_eq!(check(&guard, "git.example", "1.1.1.2", 25), None);
    }

    #[test]
    fn names_of_this_machine_are_loopback_whatever_they_resolve_to() {
        let guard = guard(&[], &[]);
        for host in ["localhost", "a.localhost", "localhost.localdomain", "ip6-localhost", "localhost6"] {
            assert_eq!(guard.check_host(host, 443), Err(Forbidden::Loopback), "{host}");
        }
    }
}
