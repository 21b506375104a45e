//! What the administrative subcommands work on: the store and a client, opened from the configuration.

use std::sync::Arc;

use super::{profile, redises, secret_key};
use crate::config::{Config, ConfigError};
use crate::connections::Redis;
use crate::coordination::run;
use crate::mirror::key::MirrorKey;
use crate::sidekiq::Client;
use crate::store::redis::{SealError, SealingKeys, key_in_use};
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
            let store = open_store(&config, &redis, secret_key::sealing_keys(&config))?;
            work(Self { store, redis, config }).await
        })
    }

    /// What pushes jobs.
    pub(super) async fn client(&self) -> anyhow::Result<Client> {
        let profile = profile::choose(&self.config, &self.redis).await?;
        Ok(Client::new(self.redis.clone(), self.config.sidekiq.keys.clone(), profile))
    }

    /// Makes sure that what is sealed now can be opened by those who will need it.
    pub(super) async fn ready_to_seal(&self) -> anyhow::Result<()> {
        Ok(key_in_use::take_into_use(&self.redis, &secret_key::sealing_keys(&self.config)?).await?)
    }

    /// The same before the settings change that this mirror's secrets are bound to. Without any, no key is needed.
    pub(super) async fn ready_to_reseal(&self, key: MirrorKey) -> anyhow::Result<()> {
        let has_secrets = self.store.stored(&[key]).await?.iter().any(|stored| !stored.is_empty());
        if has_secrets { self.ready_to_seal().await } else { Ok(()) }
    }

    /// Whether a live run is at this mirror.
    pub(super) async fn is_running(&self, key: MirrorKey) -> anyhow::Result<bool> {
        Ok(run::owned(&self.redis, &[key]).await?.contains(&true))
    }
}

/// The configured store.
pub(super) fn open_store(
    config: &Config,
    redis: &Redis,
    keys: Result<SealingKeys, ConfigError>,
) -> anyhow::Result<Arc<dyn MirrorStore>> {
    let max_delay = chrono::TimeDelta::from_std(config.mirror.max_delay)?;
    let keys = keys.map_err(|error| SealError::NoKey(error.to_string()));
    Ok(Arc::new(RedisStore::new(redis.clone(), max_delay, keys)))
}
