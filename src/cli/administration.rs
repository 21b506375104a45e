//! What the administrative subcommands work on: the store and a client, opened from the configuration.

use std::sync::Arc;

use super::{profile, redises};
use crate::config::Config;
use crate::connections::Redis;
use crate::coordination::run;
use crate::mirror::key::MirrorKey;
use crate::sidekiq::Client;
use crate::store::redis::{SealError, SealingKey};
use crate::store::{MirrorStore, RedisStore};

/// The open connections of a subcommand.
pub(super) struct Administration {
    pub(super) store: Arc<dyn MirrorStore>,
    pub(super) redis: Redis,
    pub(super) config: Config,
}

impl Administration {
    /// Runs a subcommand's work on open connections.
    pub(super) fn with<W, F, T>(config: Config, work: W) -> anyhow::Result<T>
    where
        W: FnOnce(Self) -> F,
        F: Future<Output = anyhow::Result<T>>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let redis = redises::connect_first(&config).await?;
            let store = open_store(&config, &redis, sealing_key(&config))?;
            work(Self { store, redis, config }).await
        })
    }

    /// What pushes jobs.
    pub(super) async fn client(&self) -> anyhow::Result<Client> {
        let profile = profile::choose(&self.config, &self.redis).await?;
        Ok(Client::new(self.redis.clone(), self.config.sidekiq.keys.clone(), profile))
    }

    /// Whether a live run is at this mirror.
    pub(super) async fn is_running(&self, key: MirrorKey) -> anyhow::Result<bool> {
        Ok(run::owned(&self.redis, &[key]).await?.contains(&true))
    }
}

/// The key that seals logins.
pub(super) fn sealing_key(config: &Config) -> Result<SealingKey, SealError> {
    SealingKey::read(&config.mirror.secret_key_file)
}

/// The configured store.
pub(super) fn open_store(
    config: &Config,
    redis: &Redis,
    sealing_key: Result<SealingKey, SealError>,
) -> anyhow::Result<Arc<dyn MirrorStore>> {
    let max_delay = chrono::TimeDelta::from_std(config.mirror.max_delay)?;
    Ok(Arc::new(RedisStore::new(redis.clone(), max_delay, sealing_key)))
}
