//! The processes that say they live: ours and Ruby's.

use std::collections::HashSet;

use serde::Deserialize;

use crate::connections::{Redis, RedisError};
use crate::sidekiq::keys::Keys;

/// The label by which a process of ours is known among the others.
pub(in crate::sidekiq) const OUR_LABEL: &str = "sidemirror";

/// Lets one process at a time, and once a minute, look for entries of dead ones.
const CLEANUP_LEASE: u32 = 60;

/// What a process says about itself, as far as it matters to others.
#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    queues: Vec<String>,
    #[serde(default)]
    labels: Vec<String>,
}

impl Info {
    fn is_ours(&self) -> bool {
        self.labels.iter().any(|label| label == OUR_LABEL)
    }
}

/// Whether the process of this name is registered and of our kind.
pub(in crate::sidekiq) async fn is_ours(redis: &Redis, keys: &Keys, identity: &str) -> Result<bool, RedisError> {
    let info: Option<Vec<u8>> = redis.query(redis::cmd("HGET").arg(keys.named(identity)).arg("info")).await?;
    let info = info.and_then(|info| serde_json::from_slice::<Info>(&info).ok());
    Ok(info.is_some_and(|info| info.is_ours()))
}

/// How many processes are registered; at least one.
pub(in crate::sidekiq) async fn count(redis: &Redis, keys: &Keys) -> Result<u32, RedisError> {
    Ok(redis.query::<u32>(redis::cmd("SCARD").arg(keys.processes())).await?.max(1))
}

/// The queues that living processes serve which are not of our kind.
pub(in crate::sidekiq) async fn queues_of_others(redis: &Redis, keys: &Keys) -> Result<HashSet<String>, RedisError> {
    let served = infos(redis, keys).await?.into_iter().filter_map(|(_, info)| {
        let info: Info = serde_json::from_slice(&info?).ok()?;
        (!info.is_ours()).then_some(info.queues)
    });
    Ok(served.flatten().collect())
}

/// Removes the entries of processes that are gone. `None` if another process has looked within the last minute.
pub(in crate::sidekiq) async fn clean_up(redis: &Redis, keys: &Keys) -> Result<Option<u64>, RedisError> {
    let mut lease = redis::cmd("SET");
    lease.arg(keys.named("process_cleanup")).arg("1").arg("NX").arg("EX").arg(CLEANUP_LEASE);
    if redis.query::<Option<String>>(&lease).await?.is_none() {
        return Ok(None);
    }
    let dead: Vec<Vec<u8>> = infos(redis, keys)
        .await?
        .into_iter()
        .filter_map(|(identity, info)| info.is_none().then_some(identity))
        .collect();
    if dead.is_empty() {
        return Ok(Some(0));
    }
    redis.query(redis::cmd("SREM").arg(keys.processes()).arg(dead)).await.map(Some)
}

/// Every registered process with its `info`, if it still lives.
pub(in crate::sidekiq) async fn infos(
    redis: &Redis,
    keys: &Keys,
) -> Result<Vec<(Vec<u8>, Option<Vec<u8>>)>, RedisError> {
    let identities: Vec<Vec<u8>> = redis.query(redis::cmd("SMEMBERS").arg(keys.processes())).await?;
    if identities.is_empty() {
        return Ok(Vec::new());
    }
    let mut commands = redis::pipe();
    for identity in &identities {
        commands.cmd("HGET").arg(keys.named(&String::from_utf8_lossy(identity))).arg("info");
    }
    // Anybody can put a name into the set: what is no process's entry must not hide the others.
    commands.ignore_errors();
    let infos: Vec<redis::RedisResult<Option<Vec<u8>>>> = redis.pipeline(&commands).await?;
    let told = identities.into_iter().zip(infos).filter_map(|(identity, info)| match info {
        Ok(info) => Some((identity, info)),
        Err(error) if error.code() == Some("WRONGTYPE") => Some((identity, None)),
        // We were not let see, so it may well live.
        Err(_) => None,
    });
    Ok(told.collect())
}
