//! Finds a host key that is trusted among those that the server has.
//!
//! One handshake proves one key, and the server chooses which. So what is offered are the kinds of key that are stored,
//! and a kind whose key turned out to be another one is left out of the next attempt: a server is accepted when it can
//! prove at least one stored key.

use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyOrCertificate};

use super::SshError;
use super::handshake::{Connection, Handshake, Offer, handshake};
use crate::net::host_keys::{Fingerprint, KnownHosts, Trusted, Verdict};
use crate::net::{NetError, Session};

/// The kinds of host key that are taken at all, best first. `ssh-rsa`, whose signatures are made with SHA-1, and DSA are
/// not among them: an RSA key is proved with SHA-2 by every server of the last ten years.
pub(super) const KINDS: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// Connects to the session's host, if it proves a key that is stored for it.
pub(super) async fn connect(session: &Session) -> Result<Connection, NetError> {
    let url = session.url();
    let known = KnownHosts::parse(&session.access().ssh.known_hosts);
    let trusted = known.of(url.host(), url.port());
    let mut keys: Vec<Algorithm> = KINDS.iter().filter(|kind| trusted.has_key_of(kind)).cloned().collect();
    let mut certificates = if trusted.has_authority() { KINDS } else { &[] };
    let mut refused = Refused { shown: Vec::new(), certificate: None };
    while !keys.is_empty() || !certificates.is_empty() {
        match handshake(session, &Offer { keys: &keys, certificates }, &trusted).await? {
            Handshake::Trusted(connection) => return Ok(*connection),
            Handshake::NoSuchKey => break,
            Handshake::Refused(key, verdict) => {
                if key.certificate().is_some() {
                    certificates = &[];
                } else {
                    keys.retain(|kind| !same_kind(kind, &key.public_key()));
                }
                refused.add(session, &key, verdict)?;
            }
        }
    }
    if refused.shown.is_empty() {
        // Nobody has seen yet what it has.
        if let Handshake::Refused(key, verdict) =
            handshake(session, &Offer { keys: KINDS, certificates: &[] }, &trusted).await?
        {
            refused.add(session, &key, verdict)?;
        }
    }
    Err(refused.told(session, &trusted))
}

/// Whether a key is one that this algorithm proves.
pub(super) fn same_kind(kind: &Algorithm, key: &PublicKey) -> bool {
    match kind {
        Algorithm::Rsa { .. } => matches!(key.algorithm(), Algorithm::Rsa { .. }),
        kind => key.algorithm() == *kind,
    }
}

/// What the server showed and was not believed.
struct Refused {
    shown: Vec<String>,
    certificate: Option<String>,
}

impl Refused {
    /// Remembers it, unless it is one that ends all attempts.
    fn add(&mut self, session: &Session, key: &PublicKeyOrCertificate, verdict: Verdict) -> Result<(), NetError> {
        let shown = Fingerprint::of(&key.public_key()).to_string();
        match verdict {
            Verdict::Revoked => {
                return Err(SshError::HostKeyRevoked { authority: session.url().authority(), shown }.into());
            }
            Verdict::BadCertificate(reason) => self.certificate = Some(reason),
            Verdict::Unknown | Verdict::Trusted => self.shown.push(shown),
        }
        Ok(())
    }

    fn told(self, session: &Session, trusted: &Trusted) -> NetError {
        let authority = session.url().authority();
        let shown =
            if self.shown.is_empty() { "none of a kind that is accepted".to_owned() } else { self.shown.join(", ") };
        let stored: Vec<String> = trusted.keys().map(|key| Fingerprint::of(key).to_string()).collect();
        match self.certificate {
            Some(reason) if stored.is_empty() => SshError::HostCertificate { authority, reason },
            _ if trusted.is_empty() => SshError::HostKeyUnknown { authority, shown },
            _ if stored.is_empty() => {
                let reason = format!("it has no certificate of a trusted authority (it shows {shown})");
                SshError::HostCertificate { authority, reason }
            }
            _ => SshError::HostKeyChanged { authority, shown, stored: stored.join(", ") },
        }
        .into()
    }
}
