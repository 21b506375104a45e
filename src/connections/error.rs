//! What can go wrong between us and Redis, told with the server's name and never its password.

use std::sync::Arc;

/// A command that did not get its answer.
///
/// When the connection broke or the answer took too long, the command may still have run on the server.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RedisError {
    /// No connection could be made.
    #[error("cannot connect to Redis at {server}: {source}")]
    Connect {
        /// Host, port and database, or the socket's path.
        server: Arc<str>,
        /// What the client library says.
        source: redis::RedisError,
    },
    /// The connection broke, the answer did not come in time, or the server refused.
    #[error("Redis at {server}: {source}")]
    Command {
        /// Host, port and database, or the socket's path.
        server: Arc<str>,
        /// What the client library says.
        source: redis::RedisError,
    },
}

impl RedisError {
    /// Whether the server itself answered with an error, so that the command certainly did not run.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Connect { .. } => false,
            Self::Command { source, .. } => !source.is_io_error() && source.code().is_some(),
        }
    }
}
