//! How a job leaves our working list: every way is one atomic step that only happens if the job still lies there.
//!
//! A rescuer that took us for dead may have moved the job meanwhile. Then it runs elsewhere, and what we have to say
//! about it no longer counts. For the same reason every step may be repeated when its reply was lost.

mod backtrace;
#[cfg(test)]
mod cycle_tests;
pub(in crate::sidekiq) mod dead;
pub(in crate::sidekiq) mod poller;
pub(in crate::sidekiq) mod retry;

use std::sync::LazyLock;

use bytes::Bytes;
use redis::Script;

use crate::connections::RedisError;
use crate::sidekiq::engine::Engine;
use crate::sidekiq::fetch::hands::Fetched;

/// Where a job goes from the working list.
#[derive(Clone)]
pub(in crate::sidekiq) enum Settlement {
    /// It is over: done, or failed without anything to follow.
    Over,
    /// Into `retry`, with this text, due at this time.
    Retry(Bytes, f64),
    /// Into `schedule`, with this text, due at this time.
    Later(Bytes, f64),
    /// Into `dead`, with this text.
    Dead(Bytes),
    /// Back into its queue unchanged, as the next to be drawn.
    Next,
    /// Back into its queue unchanged, behind all others.
    Last,
}

static PUT_OFF: LazyLock<Script> = LazyLock::new(|| moving("redis.pcall('ZADD', KEYS[2], ARGV[3], ARGV[2])", ""));

static DEAD: LazyLock<Script> = LazyLock::new(|| {
    moving(
        "redis.pcall('ZADD', KEYS[2], ARGV[3], ARGV[2])",
        "redis.pcall('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[4])
         redis.pcall('ZREMRANGEBYRANK', KEYS[2], 0, ARGV[5])",
    )
});

static RETURN: LazyLock<Script> = LazyLock::new(|| moving("redis.pcall(ARGV[2], KEYS[2], ARGV[1])", ""));

/// A script that takes a job out of the working list and puts it where `put` says, then does the rest. Redis takes
/// nothing back of a script that fails in the middle, so a job that finds no place (a key of another type, a command
/// that is not permitted) is put back and the refusal told. Removing comes first nevertheless: a server whose memory is
/// full lets a script go on that has removed something.
fn moving(put: &str, rest: &str) -> Script {
    Script::new(&format!(
        "if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
         local put = {put}
         if type(put) ~= 'number' then
           if type(redis.pcall('LPUSH', KEYS[1], ARGV[1])) ~= 'number' then redis.call('RPUSH', KEYS[1], ARGV[1]) end
           return put
         end
         {rest}
         return 1"
    ))
}

/// Moves a job out of our working list. `false` if it no longer lay there.
pub(in crate::sidekiq) async fn settle(
    engine: &Engine,
    fetched: &Fetched,
    settlement: &Settlement,
) -> Result<bool, RedisError> {
    let (redis, keys) = (&engine.redis, &engine.settings.keys);
    let list = engine.working_list(&fetched.queue);
    let original = &fetched.bytes[..];
    match settlement {
        Settlement::Over => redis.query(redis::cmd("LREM").arg(list).arg(1).arg(original)).await,
        Settlement::Retry(text, due) => {
            redis.invoke(PUT_OFF.key(list).key(keys.retry()).arg(original).arg(&text[..]).arg(*due)).await
        }
        Settlement::Later(text, due) => {
            redis.invoke(PUT_OFF.key(list).key(keys.schedule()).arg(original).arg(&text[..]).arg(*due)).await
        }
        Settlement::Dead(text) => {
            let bounds = dead::Bounds::now(&engine.settings.dead);
            let mut script = DEAD.key(list);
            script
                .key(keys.dead())
                .arg(original)
                .arg(&text[..])
                .arg(bounds.now)
                .arg(bounds.oldest)
                .arg(bounds.last_rank);
            redis.invoke(&script).await
        }
        Settlement::Next | Settlement::Last => {
            let push = if matches!(settlement, Settlement::Next) { "RPUSH" } else { "LPUSH" };
            redis.invoke(RETURN.key(list).key(keys.queue(&fetched.queue)).arg(original).arg(push)).await
        }
    }
}
