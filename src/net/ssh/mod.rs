//! SSH: one connection for one conversation with a git program at the far side.
//!
//! The story of an opening: `hosts` finds a host key that is trusted, one `handshake` after the other; `login` says who
//! we are; `conversation` starts the program and carries what both sides say. `detect` looks which host keys there are.

mod command;
mod conversation;
mod detect;
mod error;
mod handshake;
mod hosts;
mod key;
mod login;

use russh::keys::PublicKey;

use super::duplex::Ends;
use super::{NetError, Service, Session};

pub use error::SshError;
pub use key::{KeyType, SshKey};

/// The host key, among those that are trusted, that the server proves.
pub(super) async fn trusted_host_key(session: &Session) -> Result<PublicKey, NetError> {
    Ok(hosts::connect(session).await?.host_key)
}

/// Logs in and hangs up; answers as whom.
pub(super) async fn log_in(session: &Session) -> Result<String, NetError> {
    let mut connection = hosts::connect(session).await?;
    login::login(session, &mut connection).await?;
    Ok(login::user(session).to_owned())
}

/// Connects, trusts, logs in, and starts the program that serves us.
pub(super) async fn open(session: &Session, service: Service) -> Result<Ends, NetError> {
    let command = command::command(session.url(), service);
    let mut connection = hosts::connect(session).await?;
    login::login(session, &mut connection).await?;
    conversation::start(session, connection, service, command).await
}
