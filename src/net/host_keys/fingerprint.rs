//! A public key, short enough to be read out.

use std::fmt;

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKey};
use serde::Serialize;

/// What `ssh-keygen -l` shows of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fingerprint {
    /// The key's length.
    pub bits: u32,
    /// `rsa`, `dsa`, `ecdsa`, `ed25519`, and so on.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `SHA256:` and base64.
    #[serde(rename = "fingerprint_sha256")]
    pub sha256: String,
    /// MD5 as pairs of hexadecimal digits with colons between, as old servers and web pages show it.
    #[serde(rename = "fingerprint")]
    pub md5: String,
}

impl Fingerprint {
    /// Of a key.
    pub fn of(key: &PublicKey) -> Self {
        let (bits, kind) = match (key.key_data(), key.algorithm()) {
            (KeyData::Rsa(rsa), _) => (rsa.key_size(), "rsa"),
            (_, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }) => (256, "ecdsa"),
            (_, Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 }) => (384, "ecdsa"),
            (_, Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 }) => (521, "ecdsa"),
            (_, Algorithm::Ed25519) => (256, "ed25519"),
            (_, Algorithm::SkEcdsaSha2NistP256) => (256, "ecdsa_sk"),
            (_, Algorithm::SkEd25519) => (256, "ed25519_sk"),
            (_, Algorithm::Dsa) => (1024, "dsa"),
            _ => (0, "unknown"),
        };
        let bytes = key.to_bytes().unwrap_or_default();
        let md5: Vec<String> = md5::compute(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { bits, kind, sha256: key.fingerprint(HashAlg::Sha256).to_string(), md5: md5.join(":") }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.sha256, self.kind.to_uppercase())
    }
}
