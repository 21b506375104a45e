//! Names become addresses here, and nowhere else: what has been checked is what is connected to.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::timeout;

use super::error::is_ours;
use super::lookups::Lookups;
use super::url::host_name;
use super::{AddressGuard, Forbidden, NetError};

/// As many addresses of one name are looked at and used. Big hosts have a dozen.
const MOST_ADDRESSES: usize = 32;

/// Resolves and checks, anew for every connection. An answer that holds one forbidden address is refused whole, since
/// whoever mixes those with public ones is up to something.
#[derive(Clone)]
pub struct Resolver {
    guard: AddressGuard,
    source: Source,
    limit: Duration,
}

#[derive(Clone)]
enum Source {
    /// `getaddrinfo`: the files and servers of this machine.
    System(Lookups),
    /// Name servers of the operator's choice.
    Servers(Arc<TokioResolver>),
}

impl Resolver {
    /// Asks `nameservers`, or the system's resolver where there are none, and never for longer than `limit`.
    ///
    /// # Errors
    /// [`NetError::Setup`].
    pub fn new(guard: AddressGuard, nameservers: &[SocketAddr], limit: Duration) -> Result<Self, NetError> {
        let source = if nameservers.is_empty() {
            Source::System(Lookups::default())
        } else {
            Source::Servers(Arc::new(asking(nameservers)?))
        };
        Ok(Self { guard, source, limit })
    }

    /// The addresses of `host`, each of which may be connected to at `port`. An address stands for itself, in every
    /// spelling.
    ///
    /// # Errors
    /// [`NetError::Forbidden`], [`NetError::Unresolved`], or [`NetError::ConnectTimeout`].
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, NetError> {
        let host = self.check(host, port)?;
        let found = timeout(self.limit, self.addresses(&host)).await;
        let authority = || format!("{host}:{port}");
        let found = found.map_err(|_| NetError::ConnectTimeout { authority: authority(), limit: self.limit })??;
        for address in &found {
            self.guard.check(&host, *address, port).map_err(forbidden(&host))?;
        }
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    /// Whether a proxy may be asked to connect to `host`. What has no address here may have one there.
    ///
    /// # Errors
    /// [`NetError::Forbidden`], or [`NetError::ConnectTimeout`].
    pub async fn check_for_proxy(&self, host: &str, port: u16) -> Result<(), NetError> {
        match self.resolve(host, port).await {
            Err(NetError::Unresolved { host }) => self.guard.check_unresolved(&host, port).map_err(forbidden(&host)),
            other => other.map(drop),
        }
    }

    /// What can be said before the name is resolved; gives back the host as the network knows it.
    ///
    /// # Errors
    /// [`NetError::Forbidden`], or [`NetError::Unresolved`] where it cannot be a host at all.
    pub fn check(&self, host: &str, port: u16) -> Result<String, NetError> {
        let known = host_name(host).map_err(|_| NetError::Unresolved { host: host.to_owned() })?;
        self.guard.check_host(&known, port).map_err(forbidden(&known))?;
        Ok(known)
    }

    /// The port, if there are rules of its own for it.
    pub(super) fn ruled_port(&self, port: u16) -> Option<u16> {
        self.guard.has_rules_for(port).then_some(port)
    }

    /// For an HTTP client that is used for this port, or for all those without rules of their own.
    pub(super) fn for_client(&self, port: Option<u16>) -> ClientResolver {
        ClientResolver { resolver: self.clone(), port }
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, NetError> {
        if let Ok(literal) = host.trim_matches(['[', ']']).parse() {
            return Ok(vec![literal]);
        }
        let found: Option<Vec<IpAddr>> = match &self.source {
            Source::System(lookups) => {
                let name = host.to_owned();
                let found = match lookups.run(move || (name.as_str(), 0).to_socket_addrs()).await {
                    Err(error) if is_ours(&error) => {
                        return Err(NetError::NotFromHere { authority: host.to_owned(), reason: error.to_string() });
                    }
                    found => found.ok(),
                };
                found.map(|found| found.map(|address| address.ip()).take(MOST_ADDRESSES).collect())
            }
            Source::Servers(servers) => {
                // The dot keeps the name from being completed.
                let found = servers.lookup_ip(format!("{host}.")).await.ok();
                found.map(|found| found.iter().take(MOST_ADDRESSES).collect())
            }
        };
        found.filter(|found| !found.is_empty()).ok_or_else(|| NetError::Unresolved { host: host.to_owned() })
    }
}

fn forbidden(host: &str) -> impl FnOnce(Forbidden) -> NetError + '_ {
    move |kind| NetError::Forbidden { host: host.to_owned(), kind }
}

/// No cache, so that an answer that changes is checked when it is used; no hosts file and no search list, since those
/// are the system's.
fn asking(nameservers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let server = |address: &SocketAddr| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = address.port();
            connection
        });
        NameServerConfig::new(address.ip(), true, connections.into())
    };
    let config = ResolverConfig::from_name_servers(nameservers.iter().map(server).collect());
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options: &mut ResolverOpts = builder.options_mut();
    options.cache_size = 0;
    options.positive_max_ttl = Some(Duration::ZERO);
    options.negative_max_ttl = Some(Duration::ZERO);
    options.use_hosts_file = ResolveHosts::Never;
    builder.build().map_err(|error| NetError::Setup(error.to_string()))
}

/// The resolver of an HTTP client, whose connect limit is its time limit. The client does not tell it the port, so
/// each port with a rule of its own has a client of its own.
pub(super) struct ClientResolver {
    resolver: Resolver,
    port: Option<u16>,
}

impl Resolve for ClientResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, port) = (self.resolver.clone(), self.port);
        Box::pin(async move {
            let host = name.as_str();
            let host = host_name(host).map_err(|_| NetError::Unresolved { host: host.to_owned() })?;
            let found = resolver.addresses(&host).await?;
            for address in &found {
                let checked = match port {
                    Some(port) => resolver.guard.check(&host, *address, port),
                    None => resolver.guard.check_address(&host, *address, None),
                };
                checked.map_err(forbidden(&host))?;
            }
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}
