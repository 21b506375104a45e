//! A program at the far side, its two streams, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use russh::{ChannelMsg, ChannelReadHalf, Disconnect};
use tokio::io::{AsyncWriteExt as _, DuplexStream};
use tokio::runtime::Handle as Runtime;
use tokio::time::timeout;

use super::SshError;
use super::handshake::{Connection, explained};
use super::login::user;
use crate::net::duplex::{Ending, Ends, Line};
use crate::net::http::LONGEST_REMOTE_TEXT;
use crate::net::{NetError, RemoteText, Service, Session};

/// What has arrived and was not read yet. A program that says more while we still write waits, and so do we, up to the
/// stall limit.
const ARRIVED: usize = 1024 * 1024;

/// How long a connection that is not needed any more may take to say so.
const PARTING: Duration = Duration::from_secs(1);

/// Starts `command`. Whether the server lets us is heard along with its first bytes, which saves a round trip.
pub(super) async fn start(
    session: &Session,
    connection: Connection,
    service: Service,
    command: String,
) -> Result<Ends, NetError> {
    let refused = || SshError::CommandRefused {
        authority: session.url().authority(),
        user: user(session).to_owned(),
        program: service.program(),
        remote: connection.farewell.remote(session),
    };
    let channel = match connection.handle.channel_open_session().await {
        Ok(channel) => channel,
        Err(russh::Error::ChannelOpenFailure(_)) => return Err(refused().into()),
        Err(error) => return Err(explained(session, &error, &connection.farewell)),
    };
    if let Err(error) = channel.exec(true, command).await {
        return Err(explained(session, &error, &connection.farewell));
    }
    let (heard, said) = channel.split();
    let (near, far) = tokio::io::duplex(ARRIVED);
    let ending = Arc::new(Ending::default());
    let writer = said.make_writer();
    let listener = Listener {
        session: session.clone(),
        service,
        farewell: connection.farewell.clone(),
        aside: Vec::new(),
        ended: None,
        heard_any: false,
    };
    let told = Arc::clone(&ending);
    tokio::spawn(async move {
        if let Some(failure) = listener.listen(heard, far).await {
            // It is told once, and this is the only place that does.
            let _ = told.failure.set(failure);
        }
        told.over.cancel();
    });
    let held = Held { connection: Some(connection), runtime: session.door().runtime.clone() };
    Ok((Box::new(near), Box::new(writer), Line { _held: Some(Box::new(held)), ending: Some(ending) }))
}

/// Sorts what comes from the far side.
struct Listener {
    session: Session,
    service: Service,
    farewell: super::handshake::Farewell,
    /// What the program said on the side.
    aside: Vec<u8>,
    /// `None` while it was not told; the empty text is a good end.
    ended: Option<String>,
    heard_any: bool,
}

impl Listener {
    /// Until the program has ended; then what was wrong about that, if anything.
    async fn listen(mut self, mut heard: ChannelReadHalf, pipe: DuplexStream) -> Option<NetError> {
        let mut pipe = Some(pipe);
        loop {
            match heard.wait().await {
                Some(ChannelMsg::Data { data }) => {
                    self.heard_any = true;
                    // A reader that is gone wants nothing more, but how the program ends is still of interest.
                    if let Some(open) = &mut pipe
                        && open.write_all(&data).await.is_err()
                    {
                        pipe = None;
                    }
                }
                Some(ChannelMsg::ExtendedData { data, ext: 1 }) => {
                    let room = LONGEST_REMOTE_TEXT.saturating_sub(self.aside.len());
                    self.aside.extend_from_slice(&data[..data.len().min(room)]);
                }
                Some(ChannelMsg::Failure) => return Some(self.not_started()),
                Some(ChannelMsg::Eof) => pipe = None,
                Some(ChannelMsg::ExitStatus { exit_status: 0 }) => self.ended = Some(String::new()),
                Some(ChannelMsg::ExitStatus { exit_status }) => self.ended = Some(format!("status {exit_status}")),
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    let signal = format!("signal {signal_name:?}");
                    self.ended = Some(signal.chars().filter(|letter| !letter.is_control()).take(40).collect());
                }
                Some(ChannelMsg::Close) => return self.verdict(true),
                Some(_) => {}
                None => return self.verdict(false),
            }
        }
    }

    fn verdict(&self, closed: bool) -> Option<NetError> {
        let ending = match self.ended.as_deref() {
            Some("") => return None,
            Some(ending) => ending.to_owned(),
            None if closed && self.heard_any => return None,
            None if closed => "no word about how".to_owned(),
            None => return Some(explained(&self.session, &russh::Error::Disconnect, &self.farewell)),
        };
        let (authority, program) = (self.session.url().authority(), self.service.program());
        Some(SshError::Program { authority, program, ending, remote: self.said() }.into())
    }

    fn not_started(&self) -> NetError {
        let (authority, user) = (self.session.url().authority(), user(&self.session).to_owned());
        SshError::CommandRefused { authority, user, program: self.service.program(), remote: self.said() }.into()
    }

    fn said(&self) -> RemoteText {
        RemoteText::said(&self.aside, &self.session)
    }
}

/// Keeps the connection; dropped, says good-bye and hangs up, while nobody waits for it.
struct Held {
    connection: Option<Connection>,
    runtime: Runtime,
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(Connection { handle, hang_up, .. }) = self.connection.take() else { return };
        self.runtime.spawn(async move {
            let parting = async {
                if handle.disconnect(Disconnect::ByApplication, "", "").await.is_ok() {
                    let _ = handle.await;
                }
            };
            // A server that does not listen any more is hung up on.
            let _ = timeout(PARTING, parting).await;
            drop(hang_up);
        });
    }
}
