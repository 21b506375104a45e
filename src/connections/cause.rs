//! The client library's errors in the words of whoever has to do something about them.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::RedisError;
use rustls::{AlertDescription, CertificateError};

/// What happened, and where it is plain what to do, that too.
pub(super) fn told(error: &RedisError) -> String {
    if let Some(tls) = tls(error) {
        return of_tls(tls);
    }
    if error.is_io_error() {
        let text = error.to_string();
        // The TLS layer's text explains itself with a link.
        let closed = text.contains("close_notify");
        return if closed { "the server closed the connection".to_owned() } else { text };
    }
    let codes = super::refusal::codes(error);
    let advice = |text: &str| format!("{error}; {text}");
    if codes.contains("WRONGPASS") || error.kind() == redis::ErrorKind::AuthenticationFailed {
        advice("the user or the password is not right")
    } else if codes.contains("NOAUTH") {
        advice("a password is needed, in the URL or in mirror.redis.password_file")
    } else if codes.contains("LOADING") {
        "it is still loading its data".to_owned()
    } else {
        match error.kind() {
            redis::ErrorKind::MasterNameNotFoundBySentinel => {
                "the Sentinels know no master of this name that is up and a master".to_owned()
            }
            _ => error.to_string(),
        }
    }
}

/// Adds what may be behind a server that is there but says nothing when a connection is made.
pub(super) fn of_connecting(error: RedisError, over_tls: bool) -> RedisError {
    let advice = if over_tls && error.is_timeout() {
        "if it does not speak TLS on this port, redis:// is right"
    } else if !over_tls && error.is_connection_dropped() && !error.is_connection_refusal() {
        "if it asks for TLS, rediss:// is right"
    } else {
        return error;
    };
    let kind = if over_tls { io::ErrorKind::TimedOut } else { io::ErrorKind::ConnectionReset };
    io::Error::new(kind, format!("{error}; {advice}")).into()
}

/// The error of the TLS layer behind it.
fn tls(error: &RedisError) -> Option<&rustls::Error> {
    // The library hands its source out inside of the pointer in which it keeps it.
    let source = error.source()?;
    let source: &(dyn Error + 'static) = match source.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        Some(shared) => &**shared,
        None => source,
    };
    if let Some(tls) = source.downcast_ref() {
        return Some(tls);
    }
    source.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
}

fn of_tls(error: &rustls::Error) -> String {
    let advice = match error {
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature | CertificateError::InvalidPurpose,
        ) => "its certificate is of no CA that is trusted here; mirror.redis.ca_file names a private one",
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "its certificate has expired"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another name than the one in the URL",
        rustls::Error::InvalidMessage(_) => "it does not speak TLS on this port; redis:// is without TLS",
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure) => {
            "it asks for a client certificate: mirror.redis.certificate_file and key_file"
        }
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA | AlertDescription::BadCertificate | AlertDescription::CertificateExpired,
        ) => "it does not accept our client certificate (mirror.redis.certificate_file)",
        _ => return format!("TLS: {error}"),
    };
    format!("TLS: {advice} ({error})")
}
