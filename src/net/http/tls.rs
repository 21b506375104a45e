//! Whom we believe to be the server, and who we say we are.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use secrecy::ExposeSecret;

use super::certificate::{CertificateProblem, fingerprint};
use crate::net::{HttpAccess, NetError};

/// Whom every mirror trusts: the system's authorities and the operator's. Read once.
pub(super) struct Trust {
    provider: Arc<CryptoProvider>,
    roots: RootCertStore,
    webpki: Arc<WebPkiServerVerifier>,
}

impl Trust {
    /// With the operator's own authorities (PEM), if there are any.
    pub(super) fn new(ca: Option<&str>) -> Result<Self, NetError> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        if let Some(ca) = ca {
            add(&mut roots, ca)?;
        }
        let webpki = webpki(&provider, roots.clone())?;
        Ok(Self { provider, roots, webpki })
    }

    /// What one far side needs. Our certificate goes to that far side and not, through a redirect, to a `foreign` one.
    pub(super) fn config(&self, access: &HttpAccess, foreign: bool) -> Result<ClientConfig, NetError> {
        let webpki = match &access.ca {
            None => self.webpki.clone(),
            Some(ca) => {
                let mut roots = self.roots.clone();
                add(&mut roots, ca)?;
                webpki(&self.provider, roots)?
            }
        };
        let accepted = access.certificate_fingerprint.as_deref().map(normal_fingerprint).transpose()?;
        let verifier = Arc::new(Verifier { provider: self.provider.clone(), webpki, accepted });
        let config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| NetError::Setup(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match access.client_certificate.as_ref().filter(|_| !foreign) {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate).ok_or_else(|| unusable("client certificate", "no PEM"))?;
                let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes())
                    .map_err(|_| unusable("client certificate", "its key is not an unencrypted private key in PEM"))?;
                let config = config.with_client_auth_cert(chain, key);
                config.map_err(|_| unusable("client certificate", "its key is another certificate's"))?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// Whether `pem` holds certificates of authorities.
///
/// # Errors
/// [`NetError::Unusable`].
pub fn check_authorities(pem: &str) -> Result<(), NetError> {
    add(&mut RootCertStore::empty(), pem)
}

fn webpki(provider: &Arc<CryptoProvider>, roots: RootCertStore) -> Result<Arc<WebPkiServerVerifier>, NetError> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build();
    verifier.map_err(|error| NetError::Setup(error.to_string()))
}

fn add(roots: &mut RootCertStore, pem: &str) -> Result<(), NetError> {
    let broken = || unusable("CA certificates", "no usable certificate in PEM");
    for certificate in certificates(pem).ok_or_else(broken)? {
        roots.add(certificate).map_err(|_| broken())?;
    }
    Ok(())
}

/// `None` if there is not a single one, or one is broken.
fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().ok()?;
    (!all.is_empty()).then_some(all)
}

/// People copy it with colons, in capitals and behind a name, as `openssl x509 -fingerprint` prints it.
fn normal_fingerprint(text: &str) -> Result<String, NetError> {
    let digits = text.rsplit('=').next().unwrap_or_default().trim().replace(':', "").to_ascii_lowercase();
    let valid = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then_some(digits).ok_or_else(|| unusable("certificate fingerprint", "a SHA-256 has 64 hexadecimal digits"))
}

fn unusable(what: &str, problem: &str) -> NetError {
    NetError::Unusable { what: what.to_owned(), problem: problem.to_owned() }
}

/// Accepts what the authorities have signed; or, where the mirror names one certificate, that one and no other.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    webpki: Arc<WebPkiServerVerifier>,
    /// SHA-256 of the one certificate. Neither its names nor its dates nor who signed it are looked at then: somebody
    /// has vouched for just this one, and that the server has its key is proved by the handshake.
    accepted: Option<String>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let problem = match &self.accepted {
            Some(accepted) => {
                let found = fingerprint(end_entity);
                if found == *accepted {
                    return Ok(ServerCertVerified::assertion());
                }
                CertificateProblem::OtherFingerprint { found, accepted: accepted.clone() }
            }
            None => match self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
                Ok(verified) => return Ok(verified),
                Err(error) => CertificateProblem::new(end_entity, &error),
            },
        };
        Err(CertificateError::Other(OtherError(Arc::new(problem))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
