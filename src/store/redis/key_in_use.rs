//! The id of the key that seals, as it is recorded in Redis: whoever comes with another one is told before he does
//! any harm.

use redis::Cmd;

use super::super::StoreError;
use super::SealingKeys;
use super::vault::Vault;
use crate::connections::{Redis, RedisError};

/// Where it is recorded.
const RECORD: &str = "sidemirror:secrets:key";

/// Why a process with its key must not go on.
#[derive(Debug, thiserror::Error)]
pub enum KeyRefused {
    /// The key in use is none of ours.
    #[error(
        "the secrets in Redis are sealed with key {in_use}, and the configured key is {ours}: put key {in_use} back \
         in its place, or, if {ours} is to follow it, name the file with key {in_use} in \
         mirror.previous_secret_key_files and run `sidemirror secrets rotate`"
    )]
    Other {
        /// The id of the key in use; of several, one.
        in_use: String,
        /// The id of ours.
        ours: String,
    },
    /// Redis did not answer.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// The secrets could not be looked at.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The id that is recorded, if any.
pub(super) async fn recorded(redis: &Redis) -> Result<Option<String>, RedisError> {
    redis.query(&Cmd::get(RECORD)).await
}

/// Makes sure that these keys open what is sealed in Redis. The first one that comes is recorded as the key in use.
///
/// # Errors
/// [`KeyRefused`]; nothing has been changed then.
pub async fn check(redis: &Redis, keys: &SealingKeys) -> Result<(), KeyRefused> {
    let in_use = match recorded(redis).await? {
        Some(in_use) => in_use,
        None => first(redis, keys).await?,
    };
    if keys.ids().any(|ours| ours == in_use) {
        return Ok(());
    }
    Err(KeyRefused::Other { in_use, ours: keys.current_id().to_owned() })
}

/// Records the current key as the one in use, if nobody else does that at the same time, and tells which one it is now.
async fn first(redis: &Redis, keys: &SealingKeys) -> Result<String, KeyRefused> {
    // Versions that recorded nothing may have sealed something.
    let sealed = Vault::new(redis.clone(), keys.clone()).count().await?;
    let opens = |id: &String| keys.ids().any(|ours| ours == id);
    if let Some(other) = sealed.keys().next().filter(|_| !sealed.keys().any(opens)) {
        return Ok(other.clone());
    }
    redis.query::<()>(Cmd::set(RECORD, keys.current_id()).arg("NX")).await?;
    Ok(recorded(redis).await?.unwrap_or_default())
}

/// Records the current key as the one in use, in the place of an earlier one of these keys. To be called before anything
/// is sealed.
///
/// # Errors
/// As of [`check`].
pub async fn take_into_use(redis: &Redis, keys: &SealingKeys) -> Result<(), KeyRefused> {
    check(redis, keys).await?;
    replace(redis, keys.current_id()).await?;
    Ok(())
}

/// Records this key, whatever was recorded.
pub(super) async fn replace(redis: &Redis, id: &str) -> Result<(), RedisError> {
    redis.query(&Cmd::set(RECORD, id)).await
}
