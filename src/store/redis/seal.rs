//! Secrets at rest: each sealed by itself with AES-256-GCM, under a nonce of its own, bound to its mirror, its name, the
//! place it was given for and the way there, so that it opens as nothing else, for no other mirror, and is sent nowhere
//! else and to nobody in between.

use aes_gcm::aead::{Aead, Generate, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac as _};
use serde_json::json;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::super::SecretName;
use crate::mirror::reach::Reach;
use crate::mirror::record::Mirror;

const NONCE_LENGTH: usize = 12;

/// A key that seals secrets.
#[derive(Clone)]
pub struct SealingKey {
    cipher: Aes256Gcm,
    /// Tells keys apart without telling anything about them.
    id: String,
    /// Makes marks, and nothing else.
    marks: Hmac<Sha256>,
}

/// Why a secret could not be sealed or opened, or a key not be read. Holds nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There is no key; the text says why.
    #[error("{0}")]
    NoKey(String),
    /// What should be a key is something else.
    #[error("does not hold 32 bytes in base64")]
    BadKey,
    /// Sealed with another key.
    #[error("A secret of the mirror was sealed with key {sealed_with}, and the configured keys are {configured}.")]
    OtherKey {
        /// The id of the key it was sealed with.
        sealed_with: String,
        /// The ids of ours.
        configured: String,
    },
    /// Damaged, or moved here from another mirror.
    #[error("A sealed secret of the mirror is damaged, or was given for another mirror, host, proxy or certificate.")]
    Damaged,
}

/// A sealed secret taken apart: `v2:<key id>:<base64 of nonce and ciphertext>`. `v1` is how earlier versions sealed
/// logins.
pub(super) struct Sealed<'a> {
    pub(super) version: &'a str,
    pub(super) key_id: &'a str,
    body: &'a str,
}

impl<'a> Sealed<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, SealError> {
        let mut parts = text.splitn(3, ':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(version @ ("v1" | "v2")), Some(key_id), Some(body)) => Ok(Self { version, key_id, body }),
            _ => Err(SealError::Damaged),
        }
    }

    /// Whether it was sealed as secrets are sealed now.
    pub(super) fn is_current(&self) -> bool {
        self.version == "v2"
    }
}

impl SealingKey {
    /// Reads a key: 32 bytes in base64, as `head -c 32 /dev/urandom | base64` makes them.
    ///
    /// # Errors
    /// [`SealError::BadKey`].
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let raw = Zeroizing::new(BASE64_STANDARD.decode(text.trim()).map_err(|_| SealError::BadKey)?);
        let raw: &[u8; 32] = raw.as_slice().try_into().map_err(|_| SealError::BadKey)?;
        let id = Sha256::digest(raw).iter().take(4).fold(String::new(), |id, byte| id + &format!("{byte:02x}"));
        let mut marks = Hmac::<Sha256>::new_from_slice(raw).map_err(|_| SealError::BadKey)?;
        marks.update(b"sidemirror marks");
        let raw = Zeroizing::new(Key::<Aes256Gcm>::from(*raw));
        Ok(Self { cipher: Aes256Gcm::new(&raw), id, marks })
    }

    /// Sixteen hexadecimal digits that are the same for the same text, and tell nothing about it without the key.
    pub(super) fn mark(&self, text: &[u8]) -> String {
        let mark = self.marks.clone().chain_update(text).finalize().into_bytes();
        mark.iter().take(8).fold(String::new(), |mark, byte| mark + &format!("{byte:02x}"))
    }

    /// Eight hexadecimal digits that tell this key from others, and nothing about it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals a secret of this mirror.
    pub(super) fn seal(&self, mirror: &Mirror, name: &SecretName, plain: &[u8]) -> Result<String, SealError> {
        let nonce = Nonce::generate();
        let aad = bound_to(mirror, name);
        let sealed = self.cipher.encrypt(&nonce, Payload { msg: plain, aad: aad.as_bytes() });
        let sealed = sealed.map_err(|_| SealError::Damaged)?;
        Ok(format!("v2:{}:{}", self.id, BASE64_STANDARD.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// Opens what was sealed for the same mirror, under the same name, for the same place.
    pub(super) fn open(
        &self,
        mirror: &Mirror,
        name: &SecretName,
        sealed: &Sealed<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let raw = BASE64_STANDARD.decode(sealed.body).map_err(|_| SealError::Damaged)?;
        let (nonce, body) = raw.split_at_checked(NONCE_LENGTH).ok_or(SealError::Damaged)?;
        let nonce = Nonce::try_from(nonce).map_err(|_| SealError::Damaged)?;
        let aad = if sealed.is_current() { bound_to(mirror, name) } else { bound_to_in_v1(mirror, name)? };
        let plain = self.cipher.decrypt(&nonce, Payload { msg: body, aad: aad.as_bytes() });
        plain.map(Zeroizing::new).map_err(|_| SealError::Damaged)
    }
}

/// What a sealed secret opens for. The key for SSH is never sent, so that it may follow its mirror to another host.
pub(super) fn bound_to(mirror: &Mirror, name: &SecretName) -> String {
    let reach = &mirror.settings.reach;
    let place = match name {
        SecretName::Login | SecretName::Bearer | SecretName::Header(_) | SecretName::ClientKey => {
            format!("{} {}", mirror.settings.origin(), way(reach))
        }
        SecretName::ProxyLogin => way(reach),
        SecretName::SshKey | SecretName::SshPassphrase => String::new(),
    };
    format!("v2 {} {name} {place}", mirror.key())
}

/// A digest of what decides who gets to see what is sent: the proxy, and what the far side is known by.
fn way(reach: &Reach) -> String {
    // Whoever adds an option decides here whether it belongs to the way.
    let Reach { proxy, ca, certificate_fingerprint, client_certificate, known_hosts, auth_method: _, redirects: _ } =
        reach;
    let way = json!([proxy, ca, certificate_fingerprint, client_certificate, known_hosts]).to_string();
    BASE64_STANDARD.encode(Sha256::digest(way))
}

/// Version 1 sealed nothing but logins, and no mirror of it had a way of its own.
fn bound_to_in_v1(mirror: &Mirror, name: &SecretName) -> Result<String, SealError> {
    let as_it_was = *name == SecretName::Login && way(&mirror.settings.reach) == way(&Reach::default());
    let bound_to = || format!("{} {}", mirror.key(), mirror.settings.origin());
    as_it_was.then(bound_to).ok_or(SealError::Damaged)
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

    const SECRET: &[u8] = "ab+cd/é%40 z".as_bytes();

    fn key(byte: u8) -> SealingKey {
        SealingKey::parse(&(BASE64_STANDARD.encode([byte; 32]) + "\n")).unwrap()
    }

    fn mirror(id: u64, url: &str, proxy: Option<&str>) -> Mirror {
        let mut settings = Settings::new(Direction::Pull, "g/p.git".into(), url.into());
        settings.reach.proxy = proxy.map(ToOwned::to_owned);
        Mirror { id: MirrorId(id), settings, state: RunState::default() }
    }

    fn seven() -> Mirror {
        mirror(7, "https://git.example.com/a.git", None)
    }

    fn opens(mirror: &Mirror, name: &SecretName, sealed: &str) -> bool {
        let opened = key(1).open(mirror, name, &Sealed::parse(sealed).unwrap());
        assert!(opened.as_ref().is_ok_and(|plain| plain.as_slice() == SECRET) || opened == Err(SealError::Damaged));
        opened.is_ok()
    }

    #[test]
    fn a_secret_opens_for_its_mirror_its_name_and_its_place_alone() {
        let moved = mirror(7, "https://git.example.com/moved.git", None);
        let elsewhere = mirror(7, "https://elsewhere.example.com/a.git", None);
        for name in [SecretName::Login, SecretName::Bearer, SecretName::Header("x".into()), SecretName::ClientKey] {
            let sealed = key(1).seal(&seven(), &name, SECRET).unwrap();
            assert!(opens(&moved, &name, &sealed), "{name}");
            assert!(!opens(&elsewhere, &name, &sealed), "{name}");
            assert!(!opens(&mirror(8, "https://git.example.com/a.git", None), &name, &sealed), "{name}");
            assert!(!opens(&seven(), &SecretName::Header("y".into()), &sealed), "{name}");
        }
        for name in [SecretName::SshKey, SecretName::SshPassphrase] {
            let sealed = key(1).seal(&seven(), &name, SECRET).unwrap();
            assert!(opens(&elsewhere, &name, &sealed), "{name} follows its mirror");
        }
        let name = SecretName::ProxyLogin;
        let proxied = |proxy| mirror(7, "https://git.example.com/a.git", Some(proxy));
        let sealed = key(1).seal(&proxied("http://a:1"), &name, SECRET).unwrap();
        assert!(opens(&proxied("http://a:1"), &name, &sealed));
        assert!(!opens(&proxied("http://b:1"), &name, &sealed));
    }

    #[test]
    fn a_secret_does_not_open_where_somebody_else_would_see_it_on_its_way() {
        let sent = [
            SecretName::Login,
            SecretName::Bearer,
            SecretName::Header("x".into()),
            SecretName::ClientKey,
            SecretName::ProxyLogin,
        ];
        let changes: [fn(&mut Reach); 5] = [
            |reach| reach.proxy = Some("http://evil.example.com:1".into()),
            |reach| reach.ca = Some("theirs".into()),
            |reach| reach.certificate_fingerprint = Some("ab".repeat(32)),
            |reach| reach.client_certificate = Some("theirs".into()),
            |reach| reach.known_hosts = "git.example.com ssh-ed25519 AAAA".into(),
        ];
        for name in sent {
            let sealed = key(1).seal(&seven(), &name, SECRET).unwrap();
            assert!(opens(&seven(), &name, &sealed), "{name}");
            for (at, change) in changes.iter().enumerate() {
                let mut other = seven();
                change(&mut other.settings.reach);
                assert!(!opens(&other, &name, &sealed), "{name}, change {at}");
            }
        }
    }

    #[test]
    fn an_address_with_a_second_host_in_it_opens_nothing() {
        let ours = mirror(7, "ssh://git@git.example.com/a.git", None);
        let sealed = key(1).seal(&ours, &SecretName::Login, SECRET).unwrap();
        assert!(opens(&ours, &SecretName::Login, &sealed));
        let theirs = mirror(7, "ssh://git@git.example.com/x@evil.example.com/a.git", None);
        assert!(!opens(&theirs, &SecretName::Login, &sealed));
    }

    #[test]
    fn what_version_1_sealed_opens_as_a_login_and_only_without_a_way_of_its_own() {
        let nonce = Nonce::generate();
        let payload = Payload { msg: SECRET, aad: b"pull:7 https://git.example.com" };
        let body = key(1).cipher.encrypt(&nonce, payload).unwrap();
        let sealed = format!("v1:{}:{}", key(1).id(), BASE64_STANDARD.encode([nonce.as_slice(), &body].concat()));
        assert!(opens(&seven(), &SecretName::Login, &sealed));
        assert!(!opens(&seven(), &SecretName::Bearer, &sealed));
        let proxied = mirror(7, "https://git.example.com/a.git", Some("http://evil.example.com:1"));
        assert!(!opens(&proxied, &SecretName::Login, &sealed));
    }

    #[test]
    fn the_same_secret_never_looks_the_same() {
        let seal = || key(1).seal(&seven(), &SecretName::Bearer, SECRET).unwrap();
        assert_ne!(seal(), seal());
    }

    #[test]
    fn what_is_damaged_does_not_open() {
        for sealed in ["", "v1:", "v3:zz:AAAA", "plain"] {
            assert!(Sealed::parse(sealed).is_err(), "{sealed}");
        }
        let sealed = key(1).seal(&seven(), &SecretName::Login, SECRET).unwrap();
        let at = sealed.len() - 12;
        let other = if sealed[at..].starts_with('A') { "B" } else { "A" };
        let damaged = [&sealed[..at], other, &sealed[at + 1..]].concat();
        assert!(!opens(&seven(), &SecretName::Login, &damaged));
        assert!(!opens(&seven(), &SecretName::Login, "v2:00000000:AAAA"));
    }
}
