//! What all runs share on their way to the network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::http::{Clients, HttpSettings};
use super::{
    Access, AddressGuard, AddressRules, Allowance, LocalSettings, NetError, RemoteUrl, Resolver, Rule, Session,
};

/// What the operator decides about the network.
#[derive(Debug, Clone)]
pub struct DoorSettings {
    /// Whether mirrors may reach loopback, private and shared addresses.
    pub allow_local_network: bool,
    /// What passes in spite of that.
    pub allow: Vec<Rule>,
    /// What never passes.
    pub deny: Vec<Rule>,
    /// Whether nothing passes but what `allow` names.
    pub only_allowed: bool,
    /// Asked for the addresses of hosts, in the place of the system's resolver.
    pub nameservers: Vec<SocketAddr>,
    /// For resolving, connecting and TLS together.
    pub connect_timeout: Duration,
    /// The longest time without a byte in either direction.
    pub stall_timeout: Duration,
    /// What we call ourselves. Git hosts tell git clients from browsers by the `git/` at its start.
    pub user_agent: String,
    /// Proxies, authorities, redirects.
    pub http: HttpSettings,
    /// Folders of this machine.
    pub local: LocalSettings,
}

impl Default for DoorSettings {
    fn default() -> Self {
        Self {
            allow_local_network: false,
            allow: Vec::new(),
            deny: Vec::new(),
            only_allowed: false,
            nameservers: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_mins(1),
            // Some hosts serve git only to what looks like git.
            user_agent: concat!("git/2.0 (sidemirror ", env!("CARGO_PKG_VERSION"), ")").to_owned(),
            http: HttpSettings::default(),
            local: LocalSettings::default(),
        }
    }
}

/// The door to the network: built once, asked for a [`Session`] by every run.
#[derive(Clone)]
pub struct Door {
    pub(super) clients: Arc<Clients>,
    pub(super) resolver: Resolver,
    pub(super) local: Arc<LocalSettings>,
    pub(super) runtime: Handle,
    pub(super) connect_timeout: Duration,
    pub(super) stall_timeout: Duration,
}

impl Door {
    /// Sets up the HTTP client. To be called inside the runtime on which the connections will live.
    ///
    /// # Errors
    /// [`NetError::Setup`], for example on a machine without CA certificates.
    pub fn new(settings: DoorSettings) -> Result<Self, NetError> {
        let runtime = Handle::try_current().map_err(|error| NetError::Setup(error.to_string()))?;
        // With a connect limit above the stall limit, silence while connecting would be told as silence afterwards.
        let connect_timeout = settings.connect_timeout.min(settings.stall_timeout);
        let guard = AddressGuard::new(AddressRules {
            allow_local_network: settings.allow_local_network,
            allow: settings.allow,
            deny: settings.deny,
            only_allowed: settings.only_allowed,
        });
        let resolver = Resolver::new(guard, &settings.nameservers, connect_timeout)?;
        let clients = Clients::new(&settings.http, resolver.clone(), connect_timeout, settings.user_agent)?;
        let (clients, local) = (Arc::new(clients), Arc::new(settings.local));
        Ok(Self { clients, resolver, local, runtime, connect_timeout, stall_timeout: settings.stall_timeout })
    }

    /// Names become addresses there, for every transport.
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// One run's permission to talk to `url`. Where `access` has no credentials, those written in the URL are used.
    pub fn session(
        &self,
        url: RemoteUrl,
        mut access: Access,
        allowance: Allowance,
        cancel: CancellationToken,
    ) -> Session {
        access.credentials = access.credentials.or_else(|| url.credentials().cloned());
        Session::new(self.clone(), url, access, allowance, cancel)
    }
}
