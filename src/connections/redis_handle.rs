//! The handle through which all rooms speak to one Redis.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, ScriptInvocation};

use super::refusal::{is_denied, needs_new_connection};
use super::source::Source;
use super::{RedisError, RedisSettings, cause, rights};

/// One Redis, cheap to clone. All clones share one connection for short commands.
///
/// A command that fails is not repeated here: only the caller knows whether it may be. The connection is made
/// anew in the background when it broke, fell silent or reached a server that has become read-only; with Sentinels,
/// to the server that they name by then.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    source: Source,
    settings: RedisSettings,
    server: Arc<str>,
    current: RwLock<Arc<Current>>,
    /// Somebody is asking the Sentinels.
    looking: AtomicBool,
}

/// The server that is spoken to now.
struct Current {
    client: Client,
    shared: ConnectionManager,
}

/// Attempts to connect after the first, 0.1 s later, before waiting commands are told.
const RECONNECTS: usize = 1;
/// Commands that may wait for the shared connection's writer.
const WRITE_QUEUE: usize = 1024;
/// The time between two questions to the Sentinels.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

impl Redis {
    /// Connects and sees that the server answers.
    ///
    /// # Errors
    /// [`RedisError::Connect`] when the server cannot be reached or refuses us.
    pub async fn connect(settings: &RedisSettings) -> Result<Self, RedisError> {
        let server = settings.server();
        let refused = |source| {
            let source = cause::of_connecting(source, settings.url.is_tls());
            RedisError::Connect { server: Arc::clone(&server), source }
        };
        let source = Source::new(settings).map_err(refused)?;
        let client = source.client().await.map_err(refused)?;
        let current = Arc::new(Current::new(client, settings).map_err(refused)?);
        let redis = Self(Arc::new(Inner {
            source,
            settings: settings.clone(),
            server: Arc::clone(&server),
            current: RwLock::new(current),
            looking: AtomicBool::new(false),
        }));
        redis.query::<()>(&redis::cmd("PING")).await.map_err(|error| match error {
            RedisError::Command { source, .. } => refused(source),
            told => told,
        })?;
        Ok(redis)
    }

    /// Sends one short command.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let current = self.current();
        let answer = command.query_async(&mut current.shared.clone()).await;
        answer.map_err(|source| self.error(&current, source, || Some(command)))
    }

    /// Sends several short commands in one round trip.
    pub async fn pipeline<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, RedisError> {
        let current = self.current();
        let answer = commands.query_async(&mut current.shared.clone()).await;
        answer.map_err(|source| {
            let first = source.clone().into_server_errors().and_then(|errors| errors.first().map(|(index, _)| *index));
            self.error(&current, source, || first.and_then(|index| commands.cmd_iter().nth(index)))
        })
    }

    /// Runs a script, loading it when the server does not know it yet.
    pub async fn invoke<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, RedisError> {
        let current = self.current();
        let answer = script.invoke_async(&mut current.shared.clone()).await;
        answer.map_err(|source| self.error(&current, source, || None))
    }

    /// Opens a connection for commands that block on the server for up to `block`.
    pub async fn dedicated(&self, block: Duration) -> Result<Dedicated, RedisError> {
        let settings = &self.0.settings;
        // With the library's default of 500 ms the command would be given up while the server still serves it,
        // and would take the next job for nobody.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(block + settings.response_timeout));
        let current = self.current();
        let connection = current.client.get_multiplexed_async_connection_with_config(&config).await;
        let connection = connection.map_err(|source| {
            self.renew_if_needed(&current, &source);
            RedisError::Connect { server: self.server(), source }
        })?;
        Ok(Dedicated { connection, current, redis: self.clone() })
    }

    /// The longest that any answer to a command, blocking for `block`, can still be on its way.
    pub fn longest_answer(&self, block: Duration) -> Duration {
        block + self.0.settings.response_timeout
    }

    /// Host, port and database; or the name of the master and the Sentinels.
    pub fn server(&self) -> Arc<str> {
        Arc::clone(&self.0.server)
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_current(&self, used: &Arc<Current>) -> bool {
        Arc::ptr_eq(used, &self.current())
    }

    /// Tells what went wrong, and sees to a connection that can be used again.
    fn error<'a>(
        &self,
        used: &Arc<Current>,
        source: redis::RedisError,
        command: impl FnOnce() -> Option<&'a Cmd>,
    ) -> RedisError {
        let old = !self.is_current(used);
        self.renew_if_needed(used, &source);
        if is_denied(&source) {
            let denial = rights::denial(self.0.settings.user(), command(), &source.to_string()).into();
            return RedisError::Forbidden { server: self.server(), denial, source };
        }
        RedisError::Command { server: self.server(), source, old }
    }

    /// The manager heals what broke, but it does not notice a server that fell silent or was demoted, and it knows
    /// no other server.
    fn renew_if_needed(&self, used: &Arc<Current>, error: &redis::RedisError) {
        let moving = self.0.source.is_moving();
        if moving && (error.is_io_error() || needs_new_connection(error)) {
            self.ask_sentinels(used);
        } else if !moving && needs_new_connection(error) {
            self.replace(used, used.client.clone());
        }
    }

    fn ask_sentinels(&self, used: &Arc<Current>) {
        if self.0.looking.swap(true, Ordering::AcqRel) {
            return;
        }
        let (redis, used) = (self.clone(), Arc::clone(used));
        tokio::spawn(async move {
            match redis.0.source.client().await {
                Ok(client) => {
                    tracing::debug!(master = %client.get_connection_info().addr(), "told by the Sentinels");
                    redis.replace(&used, client);
                }
                Err(error) => tracing::debug!("the Sentinels: {error}"),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
            redis.0.looking.store(false, Ordering::Release);
        });
    }

    /// Takes a new connection into use, unless somebody has done so already.
    fn replace(&self, used: &Arc<Current>, client: Client) {
        let Ok(fresh) = Current::new(client, &self.0.settings) else { return };
        let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, used) {
            *current = Arc::new(fresh);
        }
    }
}

impl Current {
    /// Connects with the first command.
    fn new(client: Client, settings: &RedisSettings) -> redis::RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(settings.response_timeout))
            .set_number_of_retries(RECONNECTS)
            .set_min_delay(Duration::from_millis(100))
            .set_max_delay(Duration::from_secs(1))
            .set_pipeline_buffer_size(WRITE_QUEUE);
        let shared = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        Ok(Self { client, shared })
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis({})", self.0.server)
    }
}

/// A connection of one's own, for commands that block on the server. Dropping it closes it, and with it the
/// command that may still be blocked there.
pub struct Dedicated {
    connection: MultiplexedConnection,
    current: Arc<Current>,
    redis: Redis,
}

impl Dedicated {
    /// Sends one command and waits for it as long as [`Redis::dedicated`] was told it may block. After an error the
    /// connection is of no more use.
    pub async fn query<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, RedisError> {
        let answer = command.query_async(&mut self.connection).await;
        answer.map_err(|source| self.redis.error(&self.current, source, || Some(command)))
    }

    /// Whether the server it leads to is not the one that is spoken to now, so that it should be given up.
    pub fn is_outdated(&self) -> bool {
        !self.redis.is_current(&self.current)
    }
}
