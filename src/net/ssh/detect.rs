//! Which host keys a server has, each proved by a handshake.

use russh::keys::PublicKey;

use super::handshake::{Handshake, Offer, handshake};
use super::hosts::{KINDS, same_kind};
use crate::net::host_keys::Trusted;
use crate::net::{NetError, Session};

impl Session {
    /// All host keys of the session's server, of every kind that is accepted. Nothing is trusted for it, and nobody logs
    /// in.
    ///
    /// # Errors
    /// [`NetError`] when the server cannot be reached or does not speak SSH.
    pub fn host_keys(&self) -> Result<Vec<PublicKey>, NetError> {
        self.wait(async {
            let mut found: Vec<PublicKey> = Vec::new();
            for kind in KINDS {
                if found.iter().any(|key| same_kind(kind, key)) {
                    continue;
                }
                let offer = Offer { keys: std::slice::from_ref(kind), certificates: &[] };
                if let Handshake::Refused(key, _) = handshake(self, &offer, &Trusted::default()).await? {
                    found.push(key.public_key());
                }
            }
            Ok(found)
        })
    }
}
