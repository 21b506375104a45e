//! Names to addresses, through the guard: what was checked is what is connected to.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{AddressGuard, NetError};

/// The client's resolver. An answer that holds one forbidden address is refused whole, since whoever mixes those with
/// public ones is up to something. The client's connect limit is its time limit.
pub(super) struct GuardedResolver {
    pub(super) guard: AddressGuard,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.guard;
        Box::pin(async move { Ok(Box::new(resolve(guard, name.as_str()).await?.into_iter()) as Addrs) })
    }
}

/// The addresses behind a name, if all of them may be reached. Without a time limit of its own.
pub(super) async fn resolve(guard: AddressGuard, host: &str) -> Result<Vec<SocketAddr>, NetError> {
    let unresolved = || NetError::Unresolved { host: host.to_owned() };
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await.map_err(|_| unresolved())?.collect();
    if found.is_empty() {
        return Err(unresolved());
    }
    for address in &found {
        guard.check(address.ip()).map_err(|kind| NetError::Forbidden { host: host.to_owned(), kind })?;
    }
    Ok(found)
}
