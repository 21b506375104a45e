//! One connection up to the point where the server has proved a host key.

use std::borrow::Cow;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg};
use russh::keys::{Algorithm, PublicKey, PublicKeyOrCertificate};
use russh::{AlgorithmKind, Channel, Preferred};
use tokio::time::{Instant, timeout_at};

use super::SshError;
use crate::net::connect::HangUp;
use crate::net::counted::Counted;
use crate::net::host_keys::{Trusted, Verdict};
use crate::net::http::LONGEST_REMOTE_TEXT;
use crate::net::{NetError, RemoteText, Session};

/// What the far side may send before we have read it.
const WINDOW: u32 = 2 * 1024 * 1024;

/// Messages that wait for us; the bytes wait in a pipe behind them.
const WAITING_MESSAGES: usize = 16;

/// The longest farewell that is repeated to the mirror's owner.
const LONGEST_FAREWELL: usize = 300;

/// A connection whose host key is trusted.
pub(super) struct Connection {
    pub(super) handle: client::Handle<Witness>,
    pub(super) host_key: PublicKey,
    pub(super) hang_up: HangUp,
    pub(super) farewell: Farewell,
}

/// How a handshake ended.
pub(super) enum Handshake {
    /// With a host key that is trusted.
    Trusted(Box<Connection>),
    /// With another one, and why it is not.
    Refused(Box<PublicKeyOrCertificate>, Verdict),
    /// The server has no host key of the wanted kinds.
    NoSuchKey,
}

/// The algorithms that a handshake offers.
pub(super) struct Offer<'a> {
    /// For plain host keys.
    pub(super) keys: &'a [Algorithm],
    /// For host certificates.
    pub(super) certificates: &'a [Algorithm],
}

/// Connects and shakes hands, within the connect limit.
pub(super) async fn handshake(session: &Session, offer: &Offer<'_>, trusted: &Trusted) -> Result<Handshake, NetError> {
    let limit = session.door().connect_timeout;
    let end = Instant::now() + limit;
    let stream = session.connect().await?;
    let (stream, hang_up) = HangUp::of(stream).map_err(|error| broken(session, error.to_string()))?;
    let seen = Arc::new(Mutex::new(None));
    let farewell = Farewell::default();
    let witness = Witness { trusted: trusted.clone(), seen: Arc::clone(&seen), farewell: farewell.clone() };
    let shaken =
        timeout_at(end, client::connect_stream(Arc::new(settings(offer)), Counted::new(stream, session), witness))
            .await;
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (shaken, seen) {
        (_, Some((key, verdict))) if verdict != Verdict::Trusted => Ok(Handshake::Refused(Box::new(key), verdict)),
        (Ok(Ok(handle)), Some((key, _))) => {
            session.reach();
            let host_key = key.public_key();
            Ok(Handshake::Trusted(Box::new(Connection { handle, host_key, hang_up, farewell })))
        }
        (Ok(Ok(_)), None) => Err(broken(session, "it has shown no host key".to_owned())),
        (Ok(Err(russh::Error::NoCommonAlgo { kind: AlgorithmKind::Key, .. })), _) => Ok(Handshake::NoSuchKey),
        (Ok(Err(error)), _) => Err(explained(session, &error, &farewell)),
        (Err(_), _) => Err(SshError::HandshakeTimeout { authority: session.url().authority(), limit }.into()),
    }
}

fn settings(offer: &Offer<'_>) -> client::Config {
    client::Config {
        preferred: Preferred {
            key: Cow::Owned(offer.keys.to_vec()),
            host_key_certificates: Cow::Owned(offer.certificates.to_vec()),
            // Packs are compressed already.
            compression: Cow::Borrowed(&[russh::compression::NONE]),
            ..Preferred::DEFAULT
        },
        window_size: WINDOW,
        channel_buffer_size: WAITING_MESSAGES,
        // A tool that keeps a session alive hides a server that does not serve: the stall limit is the session's.
        keepalive_interval: None,
        inactivity_timeout: None::<Duration>,
        ..client::Config::default()
    }
}

/// The library's error as ours.
pub(super) fn explained(session: &Session, error: &russh::Error, farewell: &Farewell) -> NetError {
    if let Err(over) = session.within_budget() {
        return over;
    }
    let authority = session.url().authority();
    let reason = match error {
        russh::Error::NoCommonAlgo { kind, theirs, .. } => {
            let kind = format!("{kind:?}").to_lowercase();
            format!(
                "no {kind} algorithm in common (the server has {})",
                session.shown(&theirs.join(", "), LONGEST_FAREWELL)
            )
        }
        russh::Error::Version => "it does not answer like an SSH server".to_owned(),
        russh::Error::HUP | russh::Error::Disconnect | russh::Error::SendError | russh::Error::RecvError => {
            let said = farewell.text(session);
            return broken(session, if said.is_empty() { "closed by the server".to_owned() } else { said });
        }
        russh::Error::IO(error) => return broken(session, error.to_string()),
        error => session.shown(&error.to_string(), LONGEST_FAREWELL),
    };
    SshError::Protocol { authority, reason }.into()
}

fn broken(session: &Session, reason: String) -> NetError {
    NetError::Broken { authority: session.url().authority(), reason }
}

/// What the server said when it closed the connection.
#[derive(Clone, Default)]
pub(super) struct Farewell(Arc<Mutex<Vec<u8>>>);

impl Farewell {
    /// On one line and without the session's secrets; empty if nothing was said.
    pub(super) fn text(&self, session: &Session) -> String {
        session
            .shown(&String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)), LONGEST_FAREWELL)
    }

    /// The same as a paragraph of its own.
    pub(super) fn remote(&self, session: &Session) -> RemoteText {
        RemoteText::said(&self.0.lock().unwrap_or_else(PoisonError::into_inner), session)
    }

    /// Of a longer text as much as a [`RemoteText`] is made of, which knows by its length that it was cut.
    fn set(&self, text: &str) {
        let kept = &text.as_bytes()[..text.len().min(LONGEST_REMOTE_TEXT)];
        kept.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

type Seen = Arc<Mutex<Option<(PublicKeyOrCertificate, Verdict)>>>;

/// Looks at the host key. The library has by then verified that the server holds it.
pub(super) struct Witness {
    trusted: Trusted,
    seen: Seen,
    farewell: Farewell,
}

/// A server may not open anything on our side. A handle that is dropped is a refusal.
macro_rules! refused {
    ($($name:ident($($argument:ty),*);)*) => {$(
        fn $name(
            &mut self,
            _: Channel<Msg>,
            $(_: $argument,)*
            _: ChannelOpenHandle,
            _: &mut client::Session,
        ) -> impl Future<Output = Result<(), russh::Error>> + Send {
            async { Ok(()) }
        }
    )*};
}

impl client::Handler for Witness {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let verdict = self.trusted.judge(key);
        let trusted = verdict == Verdict::Trusted;
        let key = match key {
            PublicKeyOrCertificate::Certificate(certificate) => certificate.clone().into(),
            PublicKeyOrCertificate::PublicKey { key, .. } => key.clone().into(),
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((key, verdict));
        Ok(trusted)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<russh::Error>) -> Result<(), russh::Error> {
        match reason {
            DisconnectReason::ReceivedDisconnect(said) => {
                self.farewell.set(&said.message);
                Ok(())
            }
            DisconnectReason::Error(error) => Err(error),
        }
    }

    refused! {
        server_channel_open_forwarded_tcpip(&str, u32, &str, u32);
        server_channel_open_forwarded_streamlocal(&str);
        server_channel_open_agent_forward();
        server_channel_open_session();
        server_channel_open_direct_tcpip(&str, u32, &str, u32);
        server_channel_open_direct_streamlocal(&str);
        server_channel_open_x11(&str, u32);
    }
}
