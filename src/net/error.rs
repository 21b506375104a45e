//! Everything that can go wrong on the way to another machine, in words for the mirror's owner. `docs/messages.md`
//! lists them.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use humantime::format_duration;

use super::Forbidden;
use super::limit::{Budget, size};

/// Why the network did not give what was asked of it. No text holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// The name, or one of the addresses behind it, may not be reached.
    #[error("{kind} ({host}).")]
    Forbidden {
        /// The host asked for.
        host: String,
        /// What kind of address it has.
        kind: Forbidden,
    },
    /// No address behind the name.
    #[error("Could not resolve host {host}.")]
    Unresolved {
        /// The host asked for.
        host: String,
    },
    /// Nobody listens there.
    #[error("Could not connect to {authority}: connection refused.")]
    Refused {
        /// `host:port`.
        authority: String,
    },
    /// The connect limit passed.
    #[error("Could not connect to {authority} within {}.", format_duration(*limit))]
    ConnectTimeout {
        /// `host:port`.
        authority: String,
        /// The limit.
        limit: Duration,
    },
    /// No route, and the like.
    #[error("Could not connect to {authority}: {reason}.")]
    Unreachable {
        /// `host:port`.
        authority: String,
        /// The system's words.
        reason: String,
    },
    /// The TLS handshake failed.
    #[error("Could not connect securely to {authority}: {reason}.")]
    Tls {
        /// `host:port`.
        authority: String,
        /// The TLS library's words.
        reason: String,
    },
    /// The stall limit passed without a byte in either direction.
    #[error("The server {authority} accepted the connection but sent nothing for {}.", format_duration(*limit))]
    Stalled {
        /// `host:port`.
        authority: String,
        /// The limit.
        limit: Duration,
    },
    /// The connection ended before its time.
    #[error("The connection to {authority} broke: {reason}.")]
    Broken {
        /// `host:port`.
        authority: String,
        /// What was seen.
        reason: String,
    },
    /// The whole run's limit passed.
    #[error("The run took longer than {} and was ended while talking to {authority}.", format_duration(*limit))]
    DeadlinePassed {
        /// `host:port`.
        authority: String,
        /// The limit.
        limit: Duration,
    },
    /// Somebody stopped the run.
    #[error("The run was cancelled.")]
    Cancelled,
    /// 401 with a login.
    #[error("HTTP 401: {host} refused the user name or password.")]
    LoginRefused {
        /// The host.
        host: String,
    },
    /// 401 without a login.
    #[error("HTTP 401: {host} asks for a user name and password, and the mirror has none.")]
    LoginNeeded {
        /// The host.
        host: String,
    },
    /// 403.
    #[error("HTTP 403: {host} does not let this user do that.")]
    AccessDenied {
        /// The host.
        host: String,
    },
    /// 404 or 410.
    #[error("HTTP {status}: {host} has no such repository, or does not show it to this user.")]
    NotFound {
        /// The host.
        host: String,
        /// The status.
        status: u16,
    },
    /// 3xx.
    #[error(
        "HTTP {status}: {host} redirects to {to}, and redirects are not followed; use that address in the mirror's URL."
    )]
    Redirected {
        /// The host.
        host: String,
        /// The status.
        status: u16,
        /// Where to, without login.
        to: String,
    },
    /// Any other status that is no success.
    #[error("HTTP {status}: {host} did not do what was asked ({}).", reason.as_deref().unwrap_or("it gave no reason"))]
    Status {
        /// The host.
        host: String,
        /// The status.
        status: u16,
        /// Its usual name.
        reason: Option<String>,
    },
    /// A success that is no git.
    #[error("The server {host} did not answer like a git server (content type {content_type}).")]
    NotGit {
        /// The host.
        host: String,
        /// What it sent instead.
        content_type: String,
    },
    /// More than we are ready to hold.
    #[error("The server {host} sent a longer answer than is accepted.")]
    TooLarge {
        /// The host.
        host: String,
    },
    /// More than the run may take.
    #[error(
        "The server {host} sent more than {} {budget} ({} so far), which is the limit `{}`; it can be raised for this \
         mirror (--limit {}=…) or for all (mirror.limits).", size(*limit), size(*seen), budget.key(), budget.key()
    )]
    OverBudget {
        /// The host.
        host: String,
        /// What was counted.
        budget: Budget,
        /// The limit, in bytes.
        limit: u64,
        /// What had come.
        seen: u64,
    },
    /// The HTTP client could not be built.
    #[error("The HTTP client could not be set up: {0} (are the system's CA certificates installed?).")]
    Setup(String),
}

impl NetError {
    /// Finds the cause in what the HTTP client says. `connect_limit` is the limit it was given.
    pub(super) fn from_client(error: &reqwest::Error, authority: String, connect_limit: Duration) -> Self {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
        let mut innermost = String::new();
        while let Some(found) = cause {
            if let Some(named) = known(found, &authority) {
                return named;
            }
            innermost = found.to_string();
            cause = found.source();
        }
        match () {
            () if error.is_connect() && error.is_timeout() => Self::ConnectTimeout { authority, limit: connect_limit },
            () if error.is_connect() => Self::Unreachable { authority, reason: innermost },
            () => Self::Broken { authority, reason: innermost },
        }
    }
}

/// The error that this link of a chain stands for, if it says enough.
fn known(link: &(dyn StdError + 'static), authority: &str) -> Option<NetError> {
    if let Some(ours) = link.downcast_ref::<NetError>() {
        return Some(ours.clone());
    }
    if let Some(tls) = link.downcast_ref::<rustls::Error>() {
        return Some(NetError::Tls { authority: authority.to_owned(), reason: tls.to_string() });
    }
    let io = link.downcast_ref::<io::Error>()?;
    if let Some(named) = io.get_ref().and_then(|inner| known(inner, authority)) {
        return Some(named);
    }
    match io.kind() {
        io::ErrorKind::ConnectionRefused => Some(NetError::Refused { authority: authority.to_owned() }),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Some(NetError::Unreachable { authority: authority.to_owned(), reason: io.to_string() })
        }
        _ => None,
    }
}
