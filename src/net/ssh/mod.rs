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

use super::duplex::Ends;
use super::{NetError, Service, Session};

pub use error::SshError;
pub use key::{KeyType, SshKey};

/// Connects, trusts, logs in, and starts the program that serves us.
pub(super) async fn open(session: &Session, service: Service) -> Result<Ends, NetError> {
    let command = command::command(session.url(), service);
    let mut connection = hosts::connect(session).await?;
    login::login(session, &mut connection).await?;
    conversation::start(session, connection, service, command).await
}
