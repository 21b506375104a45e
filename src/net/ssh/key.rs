//! The mirror's own key, in memory only.

use std::sync::Arc;

use rsa::pkcs1::EncodeRsaPrivateKey as _;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{KeypairData, RsaKeypair};
use russh::keys::{self, Algorithm, PrivateKey, decode_secret_key};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::SshError;
use crate::net::host_keys::Fingerprint;

/// The length of an RSA key that we make, in bits.
const RSA_BITS: usize = 4096;

/// A private key that can be used.
#[derive(Clone)]
pub struct SshKey(Arc<PrivateKey>);

/// Kinds of key that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// RSA with 4096 bits, which every server takes.
    Rsa,
    /// Ed25519: shorter and quicker.
    Ed25519,
}

impl SshKey {
    /// Reads a key in PEM (PKCS#1, PKCS#8, SEC1), in the format of OpenSSH or of `PuTTY`.
    ///
    /// # Errors
    /// [`SshError::Key`]
    pub fn read(text: &SecretString, passphrase: Option<&SecretString>) -> Result<Self, SshError> {
        let passphrase = passphrase.map(ExposeSecret::expose_secret);
        let key = match decode_secret_key(text.expose_secret(), passphrase) {
            Ok(key) => key,
            Err(keys::Error::KeyIsEncrypted) => {
                return Err(SshError::Key("it is encrypted, and there is no passphrase"));
            }
            Err(_) if passphrase.is_some() => return Err(SshError::Key("its passphrase does not open it")),
            Err(_) => return Err(SshError::Key("it is not a private key that can be read")),
        };
        Ok(Self(Arc::new(key)))
    }

    /// Makes a new key.
    ///
    /// # Errors
    /// [`SshError::Key`] if the library cannot.
    pub fn generate(kind: KeyType) -> Result<Self, SshError> {
        let mut random = rand::rng();
        let made = match kind {
            KeyType::Rsa => RsaKeypair::random(&mut random, RSA_BITS).map(PrivateKey::from),
            KeyType::Ed25519 => PrivateKey::random(&mut random, Algorithm::Ed25519),
        };
        Ok(Self(Arc::new(made.map_err(|_| SshError::Key("none could be made"))?)))
    }

    /// The private key as text: RSA as PEM (PKCS#1), as forges keep it, all else in OpenSSH's format.
    ///
    /// # Errors
    /// [`SshError::Key`] if the library cannot.
    pub fn to_text(&self) -> Result<SecretString, SshError> {
        let impossible = || SshError::Key("it cannot be written down");
        let text: Zeroizing<String> = match self.0.key_data() {
            KeypairData::Rsa(pair) => {
                let key = rsa::RsaPrivateKey::try_from(pair).map_err(|_| impossible())?;
                key.to_pkcs1_pem(LineEnding::LF).map_err(|_| impossible())?
            }
            _ => self.0.to_openssh(LineEnding::LF).map_err(|_| impossible())?,
        };
        Ok(SecretString::from(text.as_str()))
    }

    /// The public key as a line for `authorized_keys`.
    ///
    /// # Errors
    /// [`SshError::Key`] if the library cannot.
    pub fn public_line(&self, comment: &str) -> Result<String, SshError> {
        let mut public = self.0.public_key().clone();
        public.set_comment(comment);
        public.to_openssh().map_err(|_| SshError::Key("it cannot be written down"))
    }

    /// The public key's fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.0.public_key())
    }

    pub(super) fn private(&self) -> Arc<PrivateKey> {
        Arc::clone(&self.0)
    }
}

impl std::fmt::Debug for SshKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SshKey({})", self.fingerprint())
    }
}
