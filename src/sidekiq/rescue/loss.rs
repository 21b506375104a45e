//! Redis may come back without its data: restarted empty, say, or as a replica that had got none.
//!
//! It then does not know this process any more, and the jobs in hand lie in no list. They are still running here, so
//! they are written back: from then on it is as if they had never been gone. So are the orders that stood. What waited in
//! Redis is lost.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use bytes::Bytes;
use redis::Script;

use crate::connections::RedisError;
use crate::sidekiq::engine::Engine;
use crate::sidekiq::fetch::hands::Fetched;
use crate::sidekiq::orders::restore;
use crate::sidekiq::settle::Settlement;

/// Sees to it that a text lies in a list so many times. Gives the number of times that were missing.
static WRITE_BACK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local there = redis.call('LREM', KEYS[1], 0, ARGV[1])
         for _ = 1, tonumber(ARGV[2]) do redis.call('LPUSH', KEYS[1], ARGV[1]) end
         return math.max(0, tonumber(ARGV[2]) - there)",
    )
});

/// Renews the lease, and sees on the way whether Redis still knows this process. If not, the jobs in hand are written
/// back before anything else is believed about them.
pub(in crate::sidekiq) async fn look(engine: &Engine) -> Result<(), RedisError> {
    let mut was_known = engine.was_known.lock().await;
    let is_known = engine.lease.refresh(&engine.outage).await?;
    if is_known {
        return Ok(());
    }
    if *was_known {
        let jobs = write_back(engine).await?;
        let orders = restore::write_back(engine).await?;
        tracing::error!(
            jobs,
            ?orders,
            "Redis has lost its data: it does not know this process any more. Gone is what waited in queues, schedule and \
             retry, the dead set, all figures, pauses of single queues, and the records of mirrors. Written back are the \
             jobs in hand and the orders that stood"
        );
        engine.observer.redis_lost_its_data();
        engine.losses.send_modify(|losses| *losses += 1);
    }
    // Only now: should Redis go away before this, all of it is done again.
    engine.lease.begin().await?;
    *was_known = true;
    Ok(())
}

async fn write_back(engine: &Engine) -> Result<u64, RedisError> {
    let mut held: HashMap<(Arc<str>, Bytes), usize> = HashMap::new();
    for job in engine.hands.held() {
        *held.entry((job.fetched.queue, job.fetched.bytes)).or_default() += 1;
    }
    let mut written = 0;
    for ((queue, bytes), count) in held {
        let mut script = WRITE_BACK.key(engine.working_list(&queue));
        script.arg(&bytes[..]).arg(count);
        written += engine.redis.invoke::<u64>(&script).await?;
        // A job that was settled meanwhile is not to come back.
        let still = engine.hands.texts(&queue).get(&bytes).copied().unwrap_or(0);
        let fetched = Fetched { queue, bytes, asked: Instant::now() };
        for _ in still..count {
            engine.settle(&fetched, &Settlement::Over).await?;
        }
    }
    Ok(written)
}
