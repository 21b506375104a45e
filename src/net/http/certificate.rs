//! Why a server's certificate is not accepted, in words that say what can be done about it.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};
use sha2::{Digest as _, Sha256};

/// Why a server's certificate is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// It vouches for itself.
    #[error(
        "its certificate is signed by nobody but itself; if SHA-256 {fingerprint} is the right one, give the mirror \
         this fingerprint"
    )]
    SelfSigned {
        /// SHA-256 of the certificate.
        fingerprint: String,
    },
    /// Signed by somebody we do not know.
    #[error(
        "its certificate is signed by an authority that is not trusted here; give the mirror that authority's \
         certificate, or the fingerprint of the server's own if SHA-256 {fingerprint} is the right one"
    )]
    UnknownIssuer {
        /// SHA-256 of the certificate.
        fingerprint: String,
    },
    /// Its time is over.
    #[error("its certificate expired on {}, and has to be renewed there", date(*at))]
    Expired {
        /// The end of its validity.
        at: SystemTime,
    },
    /// Its time has not come.
    #[error("its certificate is not valid before {}; look at the clocks of both machines", date(*from))]
    NotYetValid {
        /// The beginning of its validity.
        from: SystemTime,
    },
    /// It is another host's.
    #[error("its certificate is for {names} and not for this host; correct the host in the mirror's URL")]
    OtherHost {
        /// The names in it; some of them, if there are many.
        names: String,
    },
    /// The mirror accepts one certificate, and this is not it.
    #[error("its certificate has the SHA-256 fingerprint {found}, and the mirror accepts only {accepted}")]
    OtherFingerprint {
        /// What the server showed.
        found: String,
        /// What the mirror accepts.
        accepted: String,
    },
    /// Anything else.
    #[error("its certificate is not accepted ({0})")]
    Other(String),
}

impl CertificateProblem {
    /// In our words what the TLS library has found wrong with `certificate`.
    pub(super) fn new(certificate: &CertificateDer<'_>, error: &rustls::Error) -> Self {
        let fingerprint = || fingerprint(certificate);
        match error {
            rustls::Error::InvalidCertificate(problem) => match problem {
                // It may also call itself an authority's, as those of many self-hosted servers do.
                CertificateError::UnknownIssuer | CertificateError::Other(_) if is_self_signed(certificate) => {
                    Self::SelfSigned { fingerprint: fingerprint() }
                }
                CertificateError::UnknownIssuer => Self::UnknownIssuer { fingerprint: fingerprint() },
                CertificateError::ExpiredContext { not_after, .. } => Self::Expired { at: moment(*not_after) },
                CertificateError::NotValidYetContext { not_before, .. } => {
                    Self::NotYetValid { from: moment(*not_before) }
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Self::OtherHost { names: names_in(certificate) }
                }
                other => Self::Other(other.to_string()),
            },
            other => Self::Other(other.to_string()),
        }
    }
}

/// SHA-256 of a certificate, as lowercase hex.
pub(in crate::net) fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    Sha256::digest(certificate).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    webpki::EndEntityCert::try_from(certificate).is_ok_and(|parsed| parsed.issuer() == parsed.subject())
}

/// The server chooses them, so they are shown with care.
fn names_in(certificate: &CertificateDer<'_>) -> String {
    const SHOWN: usize = 4;
    let Ok(parsed) = webpki::EndEntityCert::try_from(certificate) else { return "no host".to_owned() };
    let mut names = parsed.valid_dns_names().map(super::printable);
    let mut shown: Vec<String> = names.by_ref().take(SHOWN).collect();
    match names.count() {
        0 if shown.is_empty() => shown.push("no name at all".to_owned()),
        0 => {}
        more => shown.push(format!("{more} more")),
    }
    shown.join(", ")
}

fn moment(time: UnixTime) -> SystemTime {
    UNIX_EPOCH + std::time::Duration::from_secs(time.as_secs())
}

fn date(at: SystemTime) -> String {
    let text = humantime::format_rfc3339_seconds(at).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}
