//! The handle through which all rooms speak to one Redis.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, Pipeline, ScriptInvocation, ServerErrorKind};

use super::{RedisError, RedisUrl};

/// What is needed to reach one Redis.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Where it is.
    pub url: RedisUrl,
    /// How long one attempt to connect may take.
    pub connect_timeout: Duration,
    /// How long the answer to a command may take; for a blocking command, on top of the time it blocks.
    pub response_timeout: Duration,
}

impl RedisSettings {
    /// Five seconds to connect and five to answer.
    pub fn new(url: RedisUrl) -> Self {
        Self { url, connect_timeout: Duration::from_secs(5), response_timeout: Duration::from_secs(5) }
    }
}

/// One Redis, cheap to clone. All clones share one connection for short commands.
///
/// A command that fails is not repeated here: only the caller knows whether it may be. The connection is made
/// anew in the background when it broke, fell silent or reached a server that has become read-only.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    client: redis::Client,
    settings: RedisSettings,
    shared: RwLock<ConnectionManager>,
}

/// Attempts to connect after the first, 0.1 s later, before waiting commands are told.
const RECONNECTS: usize = 1;
/// Commands that may wait for the shared connection's writer.
const WRITE_QUEUE: usize = 1024;

impl Redis {
    /// Connects and sees that the server answers.
    ///
    /// # Errors
    /// [`RedisError::Connect`] when the server cannot be reached or refuses us.
    pub async fn connect(settings: &RedisSettings) -> Result<Self, RedisError> {
        let refused = |source| RedisError::Connect { server: settings.url.server(), source };
        let client = redis::Client::open(settings.url.connection_info()).map_err(refused)?;
        let manager =
            ConnectionManager::new_with_config(client.clone(), manager_config(settings)).await.map_err(refused)?;
        let redis = Self(Arc::new(Inner { client, settings: settings.clone(), shared: RwLock::new(manager) }));
        redis.query::<()>(&redis::cmd("PING")).await.map_err(|error| match error {
            RedisError::Command { source, .. } => refused(source),
            connect @ RedisError::Connect { .. } => connect,
        })?;
        Ok(redis)
    }

    /// Sends one short command.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let mut connection = self.shared();
        self.answered(command.query_async(&mut connection).await)
    }

    /// Sends several short commands in one round trip.
    pub async fn pipeline<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, RedisError> {
        let mut connection = self.shared();
        self.answered(commands.query_async(&mut connection).await)
    }

    /// Runs a script, loading it when the server does not know it yet.
    pub async fn invoke<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, RedisError> {
        let mut connection = self.shared();
        self.answered(script.invoke_async(&mut connection).await)
    }

    /// Opens a connection for commands that block on the server for up to `block`.
    pub async fn dedicated(&self, block: Duration) -> Result<Dedicated, RedisError> {
        let settings = &self.0.settings;
        // With the library's default of 500 ms the command would be given up while the server still serves it,
        // and would take the next job for nobody.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(block + settings.response_timeout));
        let connection = self
            .0
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(|source| RedisError::Connect { server: settings.url.server(), source })?;
        Ok(Dedicated { connection, server: settings.url.server() })
    }

    /// The longest that any answer to a command, blocking for `block`, can still be on its way.
    pub fn longest_answer(&self, block: Duration) -> Duration {
        block + self.0.settings.response_timeout
    }

    /// Host, port and database.
    pub fn server(&self) -> Arc<str> {
        self.0.settings.url.server()
    }

    fn shared(&self) -> ConnectionManager {
        self.0.shared.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn answered<T>(&self, answer: Result<T, redis::RedisError>) -> Result<T, RedisError> {
        answer.map_err(|source| {
            if needs_new_connection(&source) {
                self.replace_shared();
            }
            RedisError::Command { server: self.server(), source }
        })
    }

    /// The manager heals what broke, but it does not notice a server that fell silent or was demoted.
    fn replace_shared(&self) {
        let fresh = ConnectionManager::new_lazy_with_config(self.0.client.clone(), manager_config(&self.0.settings));
        if let Ok(fresh) = fresh {
            *self.0.shared.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis({})", self.0.settings.url)
    }
}

/// A connection of one's own, for commands that block on the server. Dropping it closes it, and with it the
/// command that may still be blocked there.
pub struct Dedicated {
    connection: MultiplexedConnection,
    server: Arc<str>,
}

impl Dedicated {
    /// Sends one command and waits for it as long as [`Redis::dedicated`] was told it may block. After an error the
    /// connection is of no more use.
    pub async fn query<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, RedisError> {
        command
            .query_async(&mut self.connection)
            .await
            .map_err(|source| RedisError::Command { server: Arc::clone(&self.server), source })
    }
}

fn manager_config(settings: &RedisSettings) -> ConnectionManagerConfig {
    ConnectionManagerConfig::new()
        .set_connection_timeout(Some(settings.connect_timeout))
        .set_response_timeout(Some(settings.response_timeout))
        .set_number_of_retries(RECONNECTS)
        .set_min_delay(Duration::from_millis(100))
        .set_max_delay(Duration::from_secs(1))
        .set_pipeline_buffer_size(WRITE_QUEUE)
}

fn needs_new_connection(error: &redis::RedisError) -> bool {
    error.is_timeout() || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}
