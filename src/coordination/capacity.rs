//! The slots of pull mirrors under way: a sorted set of ids by the time each last showed life. It holds at most
//! as many as the configured capacity, but for runs that somebody asked for.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use redis::{Cmd, Script};

use crate::connections::{Redis, RedisError};
use crate::mirror::capacity::Capacity;
use crate::mirror::key::MirrorId;

const KEY: &str = "sidemirror:capacity";

/// Takes slots for ids that have none, in order, while fewer than the maximum are taken: max, now, ids...
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local taken, room = {}, tonumber(ARGV[1]) - redis.call('ZCARD', KEYS[1])
         for i = 3, #ARGV do
           if #taken >= room then break end
           if redis.call('ZADD', KEYS[1], 'NX', ARGV[2], ARGV[i]) == 1 then taken[#taken + 1] = ARGV[i] end
         end
         return taken",
    )
});

/// The slots.
#[derive(Debug, Clone)]
pub struct Slots {
    redis: Redis,
}

impl Slots {
    /// The slots on this Redis.
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// Takes a slot for each of these mirrors while there are free ones; tells which got one. A mirror that has
    /// a slot gets no second.
    pub async fn take(&self, ids: &[MirrorId], capacity: Capacity) -> Result<Vec<MirrorId>, RedisError> {
        let mut call = TAKE.key(KEY);
        call.arg(capacity.max).arg(Utc::now().timestamp_millis());
        for id in ids {
            call.arg(id.0);
        }
        let taken: Vec<u64> = self.redis.invoke(&call).await?;
        Ok(taken.into_iter().map(MirrorId).collect())
    }

    /// Takes a mirror's slot whether or not there is a free one, or shows that the one it has is in use.
    pub async fn occupy(&self, id: MirrorId) -> Result<(), RedisError> {
        self.redis.query(&Cmd::zadd(KEY, id.0, Utc::now().timestamp_millis())).await
    }

    /// Frees the slots of these mirrors.
    pub async fn release(&self, ids: &[MirrorId]) -> Result<(), RedisError> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<u64> = ids.iter().map(|id| id.0).collect();
        self.redis.query(&Cmd::zrem(KEY, ids)).await
    }

    /// How many are taken.
    pub async fn taken(&self) -> Result<usize, RedisError> {
        self.redis.query(&Cmd::zcard(KEY)).await
    }

    /// Mirrors whose slot has shown no life since this moment, the longest silent first, at most `limit`.
    pub async fn silent_since(&self, since: DateTime<Utc>, limit: isize) -> Result<Vec<MirrorId>, RedisError> {
        let command = Cmd::zrangebyscore_limit(KEY, "-inf", since.timestamp_millis(), 0, limit);
        let members: Vec<Vec<u8>> = self.redis.query(&command).await?;
        let number = |member: &Vec<u8>| std::str::from_utf8(member).ok()?.parse().ok();
        Ok(members.iter().filter_map(number).collect())
    }
}
