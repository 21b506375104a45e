//! Everything that can go wrong with SSH, in words for the mirror's owner. `docs/messages.md` lists them.

use std::time::Duration;

use humantime::format_duration;

use crate::net::RemoteText;

/// Why a server could not be used over SSH. No text holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshError {
    /// The connect limit passed between the connection and the first key.
    #[error(
        "The server {authority} accepted the connection but did not finish the SSH handshake within {}.",
        format_duration(*limit)
    )]
    HandshakeTimeout {
        /// `host:port`.
        authority: String,
        /// The limit.
        limit: Duration,
    },
    /// Something else listens there, or the two sides have nothing in common.
    #[error("The SSH connection to {authority} failed: {reason}.")]
    Protocol {
        /// `host:port`.
        authority: String,
        /// What was seen.
        reason: String,
    },
    /// No host key is stored.
    #[error(
        "The host key of {authority} is not known: the server shows {shown}. Compare it with what its administrator \
         says, and then store it with `sidemirror host-keys trust`."
    )]
    HostKeyUnknown {
        /// `host:port`.
        authority: String,
        /// Type and fingerprint.
        shown: String,
    },
    /// Other host keys are stored.
    #[error(
        "The host key of {authority} has changed: the server shows {shown}, and {stored} was stored. Somebody may be \
         listening in. If its administrator confirms the new key, store it with `sidemirror host-keys trust`."
    )]
    HostKeyChanged {
        /// `host:port`.
        authority: String,
        /// Type and fingerprint of each key that the server has.
        shown: String,
        /// Type and fingerprint of each key that is stored for it.
        stored: String,
    },
    /// A key that must not be trusted any more.
    #[error("The server {authority} shows a host key that is marked as revoked: {shown}. The connection was refused.")]
    HostKeyRevoked {
        /// `host:port`.
        authority: String,
        /// Type and fingerprint.
        shown: String,
    },
    /// A certificate in the place of a key, which does not hold.
    #[error("The host certificate of {authority} is not accepted: {reason}.")]
    HostCertificate {
        /// `host:port`.
        authority: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Our own key cannot be used.
    #[error("The mirror's SSH key cannot be used: {0}.")]
    Key(&'static str),
    /// The server does not know our key.
    #[error(
        "The server {authority} does not let user {user} in with the mirror's key {fingerprint}; add its public key \
         there (`sidemirror key show` prints it).{remote}"
    )]
    KeyRefused {
        /// `host:port`.
        authority: String,
        /// As whom.
        user: String,
        /// Of our public key.
        fingerprint: String,
        /// What the server said.
        remote: RemoteText,
    },
    /// The password is wrong.
    #[error("The server {authority} refused the password of user {user}.{remote}")]
    PasswordRefused {
        /// `host:port`.
        authority: String,
        /// As whom.
        user: String,
        /// What the server said.
        remote: RemoteText,
    },
    /// What we have is not what it takes.
    #[error("The server {authority} lets user {user} in with {offered} only, and the mirror has {ours}.")]
    LoginMismatch {
        /// `host:port`.
        authority: String,
        /// As whom.
        user: String,
        /// The server's methods.
        offered: String,
        /// What the mirror has.
        ours: &'static str,
    },
    /// It wants to know more than a password.
    #[error(
        "The server {authority} asks user {user} for more than a password ({prompt:?}), which a mirror cannot answer."
    )]
    Questions {
        /// `host:port`.
        authority: String,
        /// As whom.
        user: String,
        /// What it asks.
        prompt: String,
    },
    /// The login succeeded, but no program may be started.
    #[error("The server {authority} does not let user {user} run {program}.{remote}")]
    CommandRefused {
        /// `host:port`.
        authority: String,
        /// As whom.
        user: String,
        /// The program.
        program: &'static str,
        /// What the server said.
        remote: RemoteText,
    },
    /// The program ended with an error.
    #[error("On {authority}, {program} ended with {ending}.{remote}")]
    Program {
        /// `host:port`.
        authority: String,
        /// The program.
        program: &'static str,
        /// A status or a signal.
        ending: String,
        /// Its last words.
        remote: RemoteText,
    },
}
