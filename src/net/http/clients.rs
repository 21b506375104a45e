//! The HTTP clients of the process: one for all that is common, and some for mirrors with an identity of their own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Client, Proxy};
use rustls::ClientConfig;
use secrecy::ExposeSecret;
use sha2::{Digest as _, Sha256};

use super::HttpSettings;
use super::proxy::{Proxies, Via};
use super::tls::Trust;
use crate::net::{HttpAccess, NetError, Resolver};

/// Shorter than the 75 s after which nginx closes an idle connection, longer than a busy host's pauses.
const IDLE_CONNECTION_KEPT: Duration = Duration::from_secs(50);

/// How many clients beside the common one are kept. A client holds its connections and, where there is one, a private
/// key; the one that was not used for longest goes first.
const CLIENTS_KEPT: usize = 64;

/// What one stream may have under way to a reader that is slow. Of the connection as a whole nothing is asked: it is
/// shared by the runs of many mirrors, and a few that index large packs would hold up all others.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// A connection that many runs share is asked whether it still lives; a stall limit would cost each of them.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// All clients.
pub(in crate::net) struct Clients {
    pub(super) proxies: Proxies,
    pub(super) proxy_resolves: bool,
    pub(super) redirects: crate::net::Redirects,
    workshop: Workshop,
    common: Client,
    /// The last used at the end.
    own: Mutex<Vec<(Identity, Client)>>,
}

/// What all clients are made with.
struct Workshop {
    trust: Trust,
    resolver: Resolver,
    connect_timeout: Duration,
    user_agent: String,
}

/// In what clients differ.
#[derive(Clone, Copy)]
struct Difference<'a> {
    access: &'a HttpAccess,
    /// Whether it is for another server than the mirror's own, which is not shown our certificate.
    foreign: bool,
    via: Option<&'a Via>,
    /// The port of who is connected to, where the address guard has rules of its own for it: a client does not tell
    /// its resolver the port.
    ruled_port: Option<u16>,
}

/// A digest of all in which one client differs from another, so that no secret lies here twice.
type Identity = [u8; 32];

impl Clients {
    pub(in crate::net) fn new(
        settings: &HttpSettings,
        resolver: Resolver,
        connect_timeout: Duration,
        user_agent: String,
    ) -> Result<Self, NetError> {
        let workshop = Workshop { trust: Trust::new(settings.ca.as_deref())?, resolver, connect_timeout, user_agent };
        let access = &HttpAccess::default();
        let common = workshop.build(Difference { access, foreign: false, via: None, ruled_port: None })?;
        let proxies = Proxies::new(&settings.proxy, settings.proxy_credentials.as_ref())?;
        let (proxy_resolves, redirects) = (settings.proxy_resolves, settings.redirects);
        Ok(Self { proxies, proxy_resolves, redirects, workshop, common, own: Mutex::default() })
    }

    /// What a TLS connection to a far side with this `access` begins with.
    pub(in crate::net) fn tls(&self, access: &HttpAccess) -> Result<ClientConfig, NetError> {
        self.workshop.trust.config(access, false)
    }

    /// The client for a far side at `port` with this `access`, through this proxy. A `foreign` one is not shown our
    /// certificate.
    pub(super) fn client(
        &self,
        access: &HttpAccess,
        foreign: bool,
        via: Option<&Via>,
        port: u16,
    ) -> Result<Client, NetError> {
        let connected = via.map_or(port, Via::port);
        let ruled_port = self.workshop.resolver.ruled_port(connected);
        let difference = Difference { access, foreign, via, ruled_port };
        let Some(identity) = difference.identity() else { return Ok(self.common.clone()) };
        let lock = || self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = take(&mut lock(), &identity) {
            return Ok(client);
        }
        let built = self.workshop.build(difference)?;
        let mut own = lock();
        // Another run may have been quicker; its connections are worth more than ours.
        let client = take(&mut own, &identity).unwrap_or_else(|| {
            own.push((identity, built.clone()));
            built
        });
        if own.len() > CLIENTS_KEPT {
            own.remove(0);
        }
        Ok(client)
    }
}

/// Finds a client and marks it as the last used.
fn take(own: &mut Vec<(Identity, Client)>, identity: &Identity) -> Option<Client> {
    let at = own.iter().position(|(known, _)| known == identity)?;
    let entry = own.remove(at);
    let client = entry.1.clone();
    own.push(entry);
    Some(client)
}

impl Difference<'_> {
    /// `None` where nothing differs from what is common.
    fn identity(self) -> Option<Identity> {
        let Self { access, foreign, via, ruled_port } = self;
        let HttpAccess { ca, certificate_fingerprint, client_certificate, .. } = access;
        let certificate = client_certificate.as_ref().filter(|_| !foreign);
        let port = ruled_port.map(u16::to_be_bytes);
        let parts: [Option<&[u8]>; 9] = [
            ca.as_ref().map(String::as_bytes),
            certificate_fingerprint.as_ref().map(String::as_bytes),
            certificate.map(|(certificate, _)| certificate.as_bytes()),
            certificate.map(|(_, key)| key.expose_secret().as_bytes()),
            via.map(|via| via.url.as_str().as_bytes()),
            via.and_then(|via| via.login.as_ref()).map(HeaderValue::as_bytes),
            via.filter(|via| via.trusted).map(|_| b"trusted".as_slice()),
            via.filter(|via| via.tunnels).map(|_| b"tunnels".as_slice()),
            port.as_ref().map(<[u8; 2]>::as_slice),
        ];
        if parts.iter().all(Option::is_none) {
            return None;
        }
        let mut digest = Sha256::new();
        for part in parts {
            // Lengths keep the parts apart.
            digest.update(part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
            digest.update(part.unwrap_or_default());
        }
        Some(digest.finalize().into())
    }
}

impl Workshop {
    fn build(&self, difference: Difference<'_>) -> Result<Client, NetError> {
        let Difference { access, foreign, via, ruled_port } = difference;
        let builder = Client::builder()
            .tls_backend_preconfigured(self.trust.config(access, foreign)?)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .tcp_nodelay(true)
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(IDLE_CONNECTION_KEPT)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(PING_EVERY)
            .http2_keep_alive_timeout(PING_ANSWERED_WITHIN)
            .user_agent(&self.user_agent);
        let builder = match via {
            // Then the client resolves nothing but the proxy's name, and the operator's may be anywhere.
            Some(via) if via.trusted => builder,
            _ => builder.dns_resolver(Arc::new(self.resolver.for_client(ruled_port))),
        };
        let setup = |error: reqwest::Error| NetError::Setup(innermost(&error));
        let builder = match via {
            None => builder,
            Some(via) => {
                let mut proxy = Proxy::all(via.url.as_str()).map_err(setup)?;
                if let Some(login) = &via.login {
                    proxy = proxy.custom_http_auth(login.clone());
                }
                // Many a proxy closes its connection behind each answer without saying so, and what is posted then
                // into it is lost.
                let kept = if via.tunnels { usize::MAX } else { 0 };
                builder.proxy(proxy).pool_max_idle_per_host(kept)
            }
        };
        builder.build().map_err(setup)
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::AddressGuard;

    fn identity(access: &HttpAccess) -> Option<Identity> {
        Difference { access, foreign: false, via: None, ruled_port: None }.identity()
    }

    #[tokio::test]
    async fn only_so_many_clients_are_kept_and_the_last_used_stay() {
        let resolver = Resolver::new(AddressGuard::default(), &[], PING_EVERY).unwrap();
        let clients = Clients::new(&HttpSettings::default(), resolver, PING_EVERY, "git/2".to_owned()).unwrap();
        let access = |number: usize| HttpAccess {
            certificate_fingerprint: Some(format!("{number:064x}")),
            ..HttpAccess::default()
        };
        for number in 0..CLIENTS_KEPT + 10 {
            clients.client(&access(number), false, None, 443).unwrap();
            clients.client(&access(0), false, None, 443).unwrap();
        }
        let own = clients.own.lock().unwrap();
        assert_eq!(own.len(), CLIENTS_KEPT);
        let kept = |number| own.iter().any(|(known, _)| Some(*known) == identity(&access(number)));
        assert!(kept(0) && kept(CLIENTS_KEPT + 9) && !kept(1));
    }

    #[test]
    fn what_is_common_has_no_identity_and_each_part_makes_another() {
        let own = |change: fn(&mut HttpAccess)| {
            let mut access = HttpAccess::default();
            change(&mut access);
            identity(&access)
        };
        assert_eq!(own(|_| {}), None);
        assert_eq!(own(|access| access.bearer = Some("x".into())), None);
        let made = [
            own(|access| access.ca = Some("x".to_owned())),
            own(|access| access.certificate_fingerprint = Some("x".to_owned())),
            own(|access| access.client_certificate = Some(("x".to_owned(), "y".into()))),
            own(|access| access.client_certificate = Some(("x".to_owned(), "z".into()))),
        ];
        for (at, one) in made.iter().enumerate() {
            assert!(one.is_some() && !made[at + 1..].contains(one));
        }
    }
}
