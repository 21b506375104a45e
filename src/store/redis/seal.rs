//! Logins at rest: sealed with AES-256-GCM, each under a nonce of its own and bound to its mirror and the host it was
//! given for, so that it opens for no other mirror, and is sent to no other host.

use std::path::Path;

use aes_gcm::aead::{Aead, Generate, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::super::Login;
use crate::mirror::record::Mirror;

const NONCE_LENGTH: usize = 12;

/// The key that seals logins.
pub struct SealingKey {
    cipher: Aes256Gcm,
    /// Tells keys apart without telling anything about them.
    id: String,
}

/// Why a login could not be sealed or opened, or a key not be read. Holds nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key file is not there or not for us.
    #[error("cannot be read: {0}")]
    UnreadableKey(String),
    /// The key file holds something else.
    #[error("does not hold 32 bytes in base64")]
    BadKey,
    /// Sealed with another key.
    #[error("The password was sealed with key {sealed_with}, but the configured key is {configured}.")]
    OtherKey {
        /// The id of the key it was sealed with.
        sealed_with: String,
        /// The id of ours.
        configured: String,
    },
    /// Damaged, or moved here from another mirror.
    #[error("The sealed password is damaged, or was given for another mirror or host.")]
    Damaged,
}

impl SealingKey {
    /// Reads the key from a file: 32 bytes in base64, as `head -c 32 /dev/urandom | base64` makes them.
    pub fn read(path: &Path) -> Result<Self, SealError> {
        let text = std::fs::read_to_string(path).map_err(|error| SealError::UnreadableKey(error.to_string()))?;
        let text = Zeroizing::new(text);
        let raw = Zeroizing::new(BASE64_STANDARD.decode(text.trim()).map_err(|_| SealError::BadKey)?);
        let raw: &[u8; 32] = raw.as_slice().try_into().map_err(|_| SealError::BadKey)?;
        let id = Sha256::digest(raw).iter().take(4).fold(String::new(), |id, byte| id + &format!("{byte:02x}"));
        Ok(Self { cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(*raw)), id })
    }

    /// Seals a login as `v1:<key id>:<base64 of nonce and ciphertext>`.
    pub(super) fn seal(&self, mirror: &Mirror, login: &Login) -> Result<String, SealError> {
        let plain = serde_json::json!([login.user, login.password.expose_secret()]).to_string();
        let plain = Zeroizing::new(plain.into_bytes());
        let nonce = Nonce::generate();
        let aad = bound_to(mirror);
        let sealed = self.cipher.encrypt(&nonce, Payload { msg: &plain, aad: aad.as_bytes() });
        let sealed = sealed.map_err(|_| SealError::Damaged)?;
        Ok(format!("v1:{}:{}", self.id, BASE64_STANDARD.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// Opens what [`SealingKey::seal`] sealed for the same mirror.
    pub(super) fn open(&self, mirror: &Mirror, sealed: &str) -> Result<Login, SealError> {
        let Some((id, text)) = sealed.strip_prefix("v1:").and_then(|rest| rest.split_once(':')) else {
            return Err(SealError::Damaged);
        };
        if id != self.id {
            return Err(SealError::OtherKey { sealed_with: id.to_owned(), configured: self.id.clone() });
        }
        let raw = BASE64_STANDARD.decode(text).map_err(|_| SealError::Damaged)?;
        let (nonce, sealed) = raw.split_at_checked(NONCE_LENGTH).ok_or(SealError::Damaged)?;
        let nonce = Nonce::try_from(nonce).map_err(|_| SealError::Damaged)?;
        let aad = bound_to(mirror);
        let plain = self.cipher.decrypt(&nonce, Payload { msg: sealed, aad: aad.as_bytes() });
        let plain = Zeroizing::new(plain.map_err(|_| SealError::Damaged)?);
        let (user, password): (String, String) = serde_json::from_slice(&plain).map_err(|_| SealError::Damaged)?;
        Ok(Login { user, password: SecretString::from(password) })
    }
}

/// What a sealed login opens for.
fn bound_to(mirror: &Mirror) -> String {
    format!("{} {}", mirror.key(), mirror.settings.origin())
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealingKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::key::{Direction, MirrorId};
    use crate::mirror::record::Settings;
    use crate::mirror::state::RunState;

    fn key(byte: u8) -> SealingKey {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), BASE64_STANDARD.encode([byte; 32]) + "\n").unwrap();
        SealingKey::read(file.path()).unwrap()
    }

    fn login() -> Login {
        Login { user: "bob".into(), password: "ab+cd/é%40 z".to_owned().into() }
    }

    fn mirror(id: u64, url: &str) -> Mirror {
        let settings = Settings::new(Direction::Pull, "g/p.git".into(), url.into());
        Mirror { id: MirrorId(id), settings, state: RunState::default() }
    }

    fn seven() -> Mirror {
        mirror(7, "https://git.example.com/a.git")
    }

    #[test]
    fn a_login_opens_with_the_key_and_for_the_mirror_and_host_it_was_sealed_for() {
        let sealed = key(1).seal(&seven(), &login()).unwrap();
        let opened = key(1).open(&mirror(7, "https://git.example.com/moved.git"), &sealed).unwrap();
        assert_eq!((opened.user.as_str(), opened.password.expose_secret()), ("bob", "ab+cd/é%40 z"));
        for other in [mirror(8, "https://git.example.com/a.git"), mirror(7, "https://elsewhere.example.com/a.git")] {
            assert_eq!(key(1).open(&other, &sealed).unwrap_err(), SealError::Damaged);
        }
        assert!(matches!(key(2).open(&seven(), &sealed), Err(SealError::OtherKey { .. })));
    }

    #[test]
    fn the_same_login_never_looks_the_same() {
        assert_ne!(key(1).seal(&seven(), &login()).unwrap(), key(1).seal(&seven(), &login()).unwrap());
    }

    #[test]
    fn what_is_damaged_does_not_open() {
        for sealed in ["", "v1:", "v1:zz:AAAA", "plain"] {
            assert!(key(1).open(&seven(), sealed).is_err(), "{sealed}");
        }
        let sealed = key(1).seal(&seven(), &login()).unwrap();
        let at = sealed.len() - 12;
        let other = if sealed[at..].starts_with('A') { "B" } else { "A" };
        let damaged = [&sealed[..at], other, &sealed[at + 1..]].concat();
        assert!(key(1).open(&seven(), &damaged).is_err());
    }
}
