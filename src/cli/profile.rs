//! Whose formats are written: those that the configuration names, or those of the Sidekiq that is found in Redis.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::connections::{Redis, RedisError};
use crate::sidekiq::{self, Keys, Profile};

/// Time between two looks at the living Ruby processes.
const PERIOD: Duration = Duration::from_secs(30);

/// The profile to follow, with a line in the log that says why.
///
/// # Errors
/// When Redis does not answer.
pub(super) async fn choose(config: &Config, redis: &Redis) -> Result<Profile, RedisError> {
    if let Some(profile) = config.mirror.profile {
        tracing::info!(%profile, "Sidekiq's formats: as the configuration says");
        return Ok(profile);
    }
    let found = sidekiq::detect(redis, &config.sidekiq.keys).await?;
    let (profile, evidence) = (found.profile, found.evidence);
    if evidence.is_mixed() {
        tracing::warn!(%profile, "Sidekiq's formats: there are {evidence}; the oldest of them is followed");
    } else {
        tracing::info!(%profile, "Sidekiq's formats: there is {evidence}");
    }
    Ok(profile)
}

/// Warns when living Ruby processes are of another version than the one that is followed. That stays as it is until
/// this process is started anew: a fleet is upgraded in the course of minutes, and its versions read one another.
pub(super) async fn watch(redis: Redis, keys: Keys, followed: Profile, stop: CancellationToken) {
    let mut last = followed;
    let look = async {
        loop {
            // Redis being away is told by others.
            if let Ok(Some(found)) = sidekiq::by_processes(&redis, &keys).await {
                if found.profile != followed && found.profile != last {
                    let evidence = found.evidence;
                    tracing::warn!(
                        %followed,
                        "there are {evidence}; restart this process, or set mirror.sidekiq, to follow the change"
                    );
                }
                last = found.profile;
            }
            tokio::time::sleep(PERIOD).await;
        }
    };
    stop.run_until_cancelled(look).await;
}
