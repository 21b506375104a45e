//! Whether a host certificate holds for a host.

use std::time::{SystemTime, UNIX_EPOCH};

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, HashAlg};

use super::names::fits;

/// What is wrong with a certificate whose authority is trusted.
pub(super) fn flaw(certificate: &Certificate, host: &str, now: SystemTime) -> Option<String> {
    let said = |text: &str| Some(text.to_owned());
    if certificate.cert_type() != CertType::Host {
        return said("it is not one for hosts");
    }
    if matches!(certificate.signature().algorithm(), Algorithm::Rsa { hash: None } | Algorithm::Dsa) {
        return said("it was signed with SHA-1, which is no longer safe");
    }
    let principals = certificate.valid_principals();
    if !principals.is_empty() && !principals.iter().any(|name| fits(name, host)) {
        return Some(format!("it is not for {host}"));
    }
    if certificate.critical_options().iter().next().is_some() {
        return said("it has conditions that are not known");
    }
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if now < certificate.valid_after() {
        return said("it is not valid yet");
    }
    if now >= certificate.valid_before() {
        return said("it has expired");
    }
    // The one that signed it is trusted, as its caller knows; what is left is the signature.
    let authority = certificate.signature_key().fingerprint(HashAlg::Sha256);
    match certificate.validate_at(now, [&authority]) {
        Ok(()) => None,
        Err(_) => said("its signature is wrong"),
    }
}
