//! The id of the key that seals, as it is recorded in Redis: whoever comes with another one is told before he does
//! any harm.

use redis::{Cmd, Script};

use super::super::StoreError;
use super::SealingKeys;
use super::vault::Vault;
use crate::connections::{Redis, RedisError};

/// Where it is recorded.
const RECORD: &str = "sidemirror:secrets:key";

/// How often a compare-and-swap is tried when others are faster.
const TRIES: usize = 10;

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
        /// The id of the key in use.
        in_use: String,
        /// The id of ours.
        ours: String,
    },
    /// None is recorded as the one in use, and some secrets were sealed with keys that are not ours.
    #[error(
        "the secrets in Redis are sealed with key {sealed_with}, and the configured key is {ours}: name the files with \
         those keys in mirror.previous_secret_key_files; where they are lost, `sidemirror secrets rotate \
         --discard-unreadable` throws away what they sealed"
    )]
    Others {
        /// The ids of those keys, each with the number of its secrets.
        sealed_with: String,
        /// The id of ours.
        ours: String,
    },
    /// Others kept recording their keys.
    #[error("which key is in use is being changed by others all the time; try again")]
    Contended,
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

/// Makes sure that these keys open what is sealed in Redis, and tells which one is in use. The first one that comes is
/// recorded as that.
///
/// # Errors
/// [`KeyRefused`]; nothing has been changed then.
pub async fn check(redis: &Redis, keys: &SealingKeys) -> Result<String, KeyRefused> {
    let in_use = match recorded(redis).await? {
        Some(in_use) => in_use,
        None => first(redis, keys).await?,
    };
    if keys.ids().any(|ours| ours == in_use) {
        return Ok(in_use);
    }
    Err(KeyRefused::Other { in_use, ours: keys.current_id().to_owned() })
}

/// Records the current key as the one in use, if nobody else does that at the same time, and tells which one it is now.
async fn first(redis: &Redis, keys: &SealingKeys) -> Result<String, KeyRefused> {
    // Versions that recorded nothing may have sealed something.
    let mut sealed = Vault::new(redis.clone(), keys.clone()).count().await?;
    sealed.retain(|id, _| is_id(id) && !keys.ids().any(|ours| ours == id));
    if !sealed.is_empty() {
        let others: Vec<String> = sealed.iter().map(|(id, count)| format!("{id} ({count} secrets)")).collect();
        return Err(KeyRefused::Others { sealed_with: others.join(", "), ours: keys.current_id().to_owned() });
    }
    redis.query::<()>(Cmd::set(RECORD, keys.current_id()).arg("NX")).await?;
    Ok(recorded(redis).await?.unwrap_or_default())
}

/// Whether a key may have this id; what somebody else wrote into the place of a secret says nothing of keys.
fn is_id(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Records the current key as the one in use, in the place of an earlier one of these keys. To be called before anything
/// is sealed.
///
/// # Errors
/// As of [`check`].
pub async fn take_into_use(redis: &Redis, keys: &SealingKeys) -> Result<(), KeyRefused> {
    let replace = Script::new(include_str!("replace_key.lua"));
    for _ in 0..TRIES {
        let in_use = check(redis, keys).await?;
        let mut call = replace.key(RECORD);
        if in_use == keys.current_id() || redis.invoke(call.arg(&in_use).arg(keys.current_id())).await? {
            return Ok(());
        }
        // Somebody else was faster. If that was with a key that is not ours, we are refused now.
    }
    Err(KeyRefused::Contended)
}

/// Records this key, whatever was recorded.
pub(super) async fn replace(redis: &Redis, id: &str) -> Result<(), RedisError> {
    redis.query(&Cmd::set(RECORD, id)).await
}
