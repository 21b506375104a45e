//! The way to a far side one step at a time, for whoever has to find out where it ends. A run takes all of them at
//! once, by [`Session::get`] or [`Session::open`].

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ProtocolVersion;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::host_keys::Fingerprint;
use super::{NetError, Session, ssh};

/// What a TLS handshake showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSeen {
    /// Such as `TLS 1.3`.
    pub version: String,
    /// SHA-256 of the server's certificate, in lowercase hex.
    pub fingerprint: String,
}

impl Session {
    /// The proxy on the way, as `host:port`; `None` where the way is straight.
    ///
    /// # Errors
    /// [`NetError::Unusable`] for one that cannot be used.
    pub fn proxy(&self) -> Result<Option<String>, NetError> {
        self.by_proxy().map_err(|error| self.failed(error))
    }

    /// The host's addresses, all of which may be reached.
    ///
    /// # Errors
    /// [`NetError::Unresolved`], [`NetError::Forbidden`] and the session's limits.
    pub fn addresses(&self) -> Result<Vec<SocketAddr>, NetError> {
        self.wait(self.door().resolver.resolve(self.url().host(), self.url().port()))
    }

    /// Connects, and hangs up; answers the address that took the connection.
    ///
    /// # Errors
    /// [`NetError`] if nobody takes it.
    pub fn knock(&self) -> Result<SocketAddr, NetError> {
        self.wait(async {
            let stream = self.connect().await?;
            stream.peer_addr().map_err(|error| self.broken(error.to_string()))
        })
    }

    /// Shakes hands over TLS, and hangs up. Whom the session trusts is trusted, and nobody else.
    ///
    /// # Errors
    /// [`NetError`], with what is wrong about the certificate.
    pub fn shake_hands(&self) -> Result<TlsSeen, NetError> {
        let limit = self.door().connect_timeout;
        let timed_out = |_| NetError::ConnectTimeout { authority: self.url().authority(), limit };
        self.wait(async {
            let stream = self.connect().await?;
            timeout(limit, self.over_tls(stream)).await.map_err(timed_out)?
        })
    }

    async fn over_tls(&self, stream: TcpStream) -> Result<TlsSeen, NetError> {
        let config = self.door().clients.tls(&self.access().http)?;
        let host = self.url().host().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(|error| self.broken(error.to_string()))?;
        let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        let stream = shaken.map_err(|error| NetError::of_handshake(&error, self.url().authority()))?;
        let (_, seen) = stream.get_ref();
        let certificate = seen.peer_certificates().and_then(<[_]>::first);
        Ok(TlsSeen {
            version: seen.protocol_version().map_or_else(String::new, named),
            fingerprint: certificate.map(super::http::fingerprint).unwrap_or_default(),
        })
    }

    /// Has the server prove a host key that is trusted, and hangs up; answers the key's fingerprint.
    ///
    /// # Errors
    /// [`NetError::Ssh`] if none is.
    pub fn prove_host_key(&self) -> Result<String, NetError> {
        self.wait(async { Ok(Fingerprint::of(&ssh::trusted_host_key(self).await?).to_string()) })
    }

    /// Logs in over SSH, and hangs up; answers as whom.
    ///
    /// # Errors
    /// [`NetError::Ssh`] if the server does not let us in.
    pub fn log_in(&self) -> Result<String, NetError> {
        self.wait(ssh::log_in(self))
    }

    fn broken(&self, reason: String) -> NetError {
        NetError::Broken { authority: self.url().authority(), reason }
    }
}

/// `TLS 1.3` for what the library calls `TLSv1_3`.
fn named(version: ProtocolVersion) -> String {
    format!("{version:?}").replace("TLSv", "TLS ").replace('_', ".")
}
