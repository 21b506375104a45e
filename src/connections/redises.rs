//! The three Redises of a GitLab. Anywhere else, and by default, all three are one.

use super::{Redis, RedisError, RedisSettings};

/// The Redises by what is kept there. Those that are not apart are clones of one handle, with one connection.
#[derive(Debug, Clone)]
pub struct Redises {
    /// Sidekiq's own keys, and ours.
    pub queues: Redis,
    /// What GitLab keeps about jobs: status keys, duplicate cookies, executing hashes.
    pub queues_metadata: Redis,
    /// What GitLab's processes share: leases, cancellation, throttled jobs.
    pub shared_state: Redis,
}

/// How each of the Redises is reached.
#[derive(Debug, Clone)]
pub struct RedisesSettings {
    /// Sidekiq's.
    pub queues: RedisSettings,
    /// The first, if `None`.
    pub queues_metadata: Option<RedisSettings>,
    /// The first, if `None`.
    pub shared_state: Option<RedisSettings>,
}

impl Redises {
    /// Connects to all of them.
    ///
    /// # Errors
    /// [`RedisError::Connect`] of the first that cannot be reached.
    pub async fn connect(settings: &RedisesSettings) -> Result<Self, RedisError> {
        let queues = Redis::connect(&settings.queues).await?;
        let queues_metadata = other(&queues, settings.queues_metadata.as_ref()).await?;
        let shared_state = other(&queues, settings.shared_state.as_ref()).await?;
        Ok(Self { queues, queues_metadata, shared_state })
    }
}

impl From<Redis> for Redises {
    fn from(redis: Redis) -> Self {
        Self { queues: redis.clone(), queues_metadata: redis.clone(), shared_state: redis }
    }
}

async fn other(first: &Redis, settings: Option<&RedisSettings>) -> Result<Redis, RedisError> {
    match settings {
        None => Ok(first.clone()),
        Some(settings) => Redis::connect(settings).await,
    }
}
