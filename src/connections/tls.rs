//! What TLS to Redis needs beside the address: whom to trust and who we are.

use std::fmt;
use std::sync::Arc;

use redis::{ClientTlsConfig, TlsCertificates};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// A private CA and a certificate of our own, each if there is one. Without a CA the system's are trusted. Shows
/// nothing of them when it is printed.
#[derive(Clone, Default)]
pub struct Tls(Option<Arc<TlsCertificates>>);

impl Tls {
    /// Takes texts in PEM: certificates of CAs that are trusted instead of the system's, and our own certificate
    /// with its key.
    ///
    /// # Errors
    /// When a text holds nothing of what it should, or the key does not belong to the certificate.
    pub fn new(ca: Option<&[u8]>, identity: Option<(&[u8], &[u8])>) -> Result<Self, BadTls> {
        use_ring();
        let mut roots = RootCertStore::empty();
        if let Some(ca) = ca {
            for certificate in certificates(ca).ok_or(BadTls::Ca)? {
                roots.add(certificate).map_err(|_| BadTls::Ca)?;
            }
        }
        if let Some((certificate, key)) = identity {
            let chain = certificates(certificate).ok_or(BadTls::Certificate)?;
            let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| BadTls::Key)?;
            let config = ClientConfig::builder().with_root_certificates(roots);
            config.with_client_auth_cert(chain, key).map_err(|_| BadTls::Mismatch)?;
        }
        let identity = identity
            .map(|(certificate, key)| ClientTlsConfig { client_cert: certificate.to_vec(), client_key: key.to_vec() });
        let own = ca.is_some() || identity.is_some();
        let all = TlsCertificates { client_tls: identity, root_cert: ca.map(<[u8]>::to_vec) };
        Ok(Self(own.then(|| Arc::new(all))))
    }

    /// In the library's words; `None` if the system's CAs and no certificate are all.
    pub(super) fn certificates(&self) -> Option<&TlsCertificates> {
        self.0.as_deref()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// The library takes the process's default; here nobody else sets another one.
pub(super) fn use_ring() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// `None` if there is not a single one, or one is broken.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    (!all.is_empty()).then_some(all)
}

/// Why TLS cannot be set up with what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTls {
    /// The trusted CAs.
    #[error("holds no usable certificate of a CA")]
    Ca,
    /// Our certificate.
    #[error("holds no usable certificate")]
    Certificate,
    /// Its key.
    #[error("holds no private key without a passphrase")]
    Key,
    /// The two do not belong together.
    #[error("does not hold the key of the certificate")]
    Mismatch,
}
