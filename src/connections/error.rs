//! What can go wrong between us and Redis, told with the server's name and never its password.

use std::sync::Arc;

use super::{cause, refusal};

/// A command that did not get its answer.
///
/// When the connection broke or the answer took too long, the command may still have run on the server.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RedisError {
    /// No connection could be made.
    #[error("cannot connect to Redis at {server}: {}", cause::told(.source))]
    Connect {
        /// Host, port and database, or the socket's path.
        server: Arc<str>,
        /// What the client library says.
        source: redis::RedisError,
    },
    /// The connection broke, the answer did not come in time, or the server refused.
    #[error("Redis at {server}: {}", cause::told(.source))]
    Command {
        /// Host, port and database, or the socket's path.
        server: Arc<str>,
        /// What the client library says.
        source: redis::RedisError,
        /// Whether the connection had been given up by then, so that this says nothing about the server as it is now.
        old: bool,
    },
    /// The server's access control lists do not let us.
    #[error("Redis at {server}: {denial}: {}", cause::told(.source))]
    Forbidden {
        /// Host, port and database, or the socket's path.
        server: Arc<str>,
        /// Who may not do what, and the rule that would permit it.
        denial: Arc<str>,
        /// What the client library says.
        source: redis::RedisError,
    },
}

impl RedisError {
    /// Which server it is about: host, port and database, or the socket's path.
    pub fn server(&self) -> &str {
        match self {
            Self::Connect { server, .. } | Self::Command { server, .. } | Self::Forbidden { server, .. } => server,
        }
    }

    /// Whether the server itself answered with an error, so that the command certainly did not run; of several sent
    /// together, those that were not refused did.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Connect { .. } => false,
            Self::Command { source, .. } => refusal::is_answer(source),
            Self::Forbidden { .. } => true,
        }
    }

    /// Whether the trouble is with the server or the way there, so that any command would have met it and waiting
    /// helps: no answer, or one that says that the server is loading its data, read-only, out of memory, ... What is
    /// no outage is a request that will fail each time.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Connect { .. } => true,
            Self::Command { source, .. } => !self.is_refusal() || refusal::is_of_the_moment(source),
            Self::Forbidden { .. } => false,
        }
    }

    /// Whether it is about a connection that had been given up by then: nothing new.
    pub fn is_old(&self) -> bool {
        matches!(self, Self::Command { old: true, .. })
    }

    /// Whether the server is still reading its data from disk.
    pub fn is_loading(&self) -> bool {
        match self {
            Self::Connect { source, .. } | Self::Command { source, .. } => refusal::codes(source).contains("LOADING"),
            Self::Forbidden { .. } => false,
        }
    }
}
