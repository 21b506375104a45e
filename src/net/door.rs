//! What all runs share on their way to the network.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::http::{Clients, HttpSettings};
use super::{Access, AddressGuard, Allowance, NetError, RemoteUrl, Session};

/// What the operator decides about the network.
#[derive(Debug, Clone)]
pub struct DoorSettings {
    /// Whether mirrors may reach loopback, private and shared addresses.
    pub allow_local_network: bool,
    /// For resolving, connecting and TLS together.
    pub connect_timeout: Duration,
    /// The longest time without a byte in either direction.
    pub stall_timeout: Duration,
    /// What we call ourselves. Git hosts tell git clients from browsers by the `git/` at its start.
    pub user_agent: String,
    /// Proxies, authorities, redirects.
    pub http: HttpSettings,
}

impl Default for DoorSettings {
    fn default() -> Self {
        Self {
            allow_local_network: false,
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_mins(1),
            // Some hosts serve git only to what looks like git.
            user_agent: concat!("git/2.0 (sidemirror ", env!("CARGO_PKG_VERSION"), ")").to_owned(),
            http: HttpSettings::default(),
        }
    }
}

/// The door to the network: built once, asked for a [`Session`] by every run.
#[derive(Clone)]
pub struct Door {
    pub(super) clients: Arc<Clients>,
    pub(super) guard: AddressGuard,
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
        let guard = AddressGuard { allow_local_network: settings.allow_local_network };
        // With a connect limit above the stall limit, silence while connecting would be told as silence afterwards.
        let connect_timeout = settings.connect_timeout.min(settings.stall_timeout);
        let clients = Arc::new(Clients::new(&settings.http, guard, connect_timeout, settings.user_agent)?);
        Ok(Self { clients, guard, runtime, connect_timeout, stall_timeout: settings.stall_timeout })
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
