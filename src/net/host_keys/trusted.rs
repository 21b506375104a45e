//! What is trusted of one host, and what follows for a key that it shows.

use std::time::SystemTime;

use russh::keys::{Algorithm, PublicKey, PublicKeyOrCertificate};

use super::certificate;

/// What is stored for one host. The default trusts nothing.
#[derive(Debug, Clone, Default)]
pub struct Trusted {
    host: String,
    keys: Vec<PublicKey>,
    authorities: Vec<PublicKey>,
    revoked: Vec<PublicKey>,
}

/// What is to be thought of a host key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the host's.
    Trusted,
    /// Nothing speaks for it.
    Unknown,
    /// It must not be trusted, whatever else speaks for it.
    Revoked,
    /// A certificate that does not hold, and why.
    BadCertificate(String),
}

impl Trusted {
    pub(super) fn nothing(host: &str) -> Self {
        Self { host: host.to_owned(), ..Self::default() }
    }

    pub(super) fn add_key(&mut self, key: PublicKey) {
        self.keys.push(key);
    }

    pub(super) fn add_authority(&mut self, key: PublicKey) {
        self.authorities.push(key);
    }

    pub(super) fn revoke(&mut self, key: PublicKey) {
        self.revoked.push(key);
    }

    /// The keys that are stored as the host's own.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter()
    }

    /// Whether neither a key nor an authority is stored.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.authorities.is_empty()
    }

    /// Whether the host may prove itself by a certificate.
    pub fn has_authority(&self) -> bool {
        !self.authorities.is_empty()
    }

    /// Whether a key is stored that this algorithm can prove.
    pub fn has_key_of(&self, kind: &Algorithm) -> bool {
        self.keys.iter().any(|key| match kind {
            Algorithm::Rsa { .. } => key.algorithm().is_rsa(),
            kind => key.algorithm() == *kind,
        })
    }

    /// What to think of what the host has proved.
    pub fn judge(&self, shown: &PublicKeyOrCertificate) -> Verdict {
        let key = shown.public_key();
        if holds(&self.revoked, &key) {
            return Verdict::Revoked;
        }
        let Some(certificate) = shown.certificate() else {
            return if holds(&self.keys, &key) { Verdict::Trusted } else { Verdict::Unknown };
        };
        let authority = PublicKey::new(certificate.signature_key().clone(), "");
        if holds(&self.revoked, &authority) {
            return Verdict::Revoked;
        }
        if !holds(&self.authorities, &authority) {
            return Verdict::BadCertificate("it was not signed by an authority that is trusted".to_owned());
        }
        match certificate::flaw(certificate, &self.host, SystemTime::now()) {
            Some(flaw) => Verdict::BadCertificate(flaw),
            None => Verdict::Trusted,
        }
    }
}

/// Comments are no part of a key.
fn holds(keys: &[PublicKey], key: &PublicKey) -> bool {
    keys.iter().any(|held| held.key_data() == key.key_data())
}
