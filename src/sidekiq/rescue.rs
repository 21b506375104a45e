//! The jobs of dead processes, ours and those of Ruby's reliable fetchers, go back to their queues.
//!
//! No lock is needed: each list is moved by a script that itself sees whether the owner's lease is absent.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;

use super::engine::Engine;
use crate::connections::RedisError;

/// The time between two looks.
const PERIOD: Duration = Duration::from_secs(30);
/// The longest time without a sign of life.
const TURN: Duration = Duration::from_secs(2);
/// Jobs moved by one call: the server does nothing else meanwhile.
const BATCH: u64 = 100;

static RESCUE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
         local moved = 0
         while moved < tonumber(ARGV[1]) and redis.call('RPOPLPUSH', KEYS[1], KEYS[2]) do moved = moved + 1 end
         return moved",
    )
});

/// Looks at once and then every 30 seconds.
pub(super) async fn run(engine: &Engine) {
    loop {
        if let Err(error) = look(engine).await {
            engine.outage.failed("looking for jobs of dead processes", &error);
        }
        let next = tokio::time::Instant::now() + PERIOD;
        while tokio::time::Instant::now() < next {
            engine.observer.turn("rescue");
            tokio::time::sleep(TURN).await;
        }
    }
}

/// Goes once through all working lists.
pub(super) async fn look(engine: &Engine) -> Result<(), RedisError> {
    let mut cursor = 0_u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(engine.settings.keys.working_lists()).arg("COUNT").arg(1000);
        let (next, keys): (u64, Vec<Vec<u8>>) = engine.redis.query(&scan).await?;
        for key in keys.iter().filter_map(|key| str::from_utf8(key).ok()) {
            engine.observer.turn("rescue");
            if let Err(error) = rescue(engine, key).await {
                // A key of another type that happens to bear such a name must not keep the others from being rescued.
                if !error.is_refusal() {
                    return Err(error);
                }
                engine.outage.failed("rescuing jobs", &error);
            }
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}

async fn rescue(engine: &Engine, list: &str) -> Result<(), RedisError> {
    let keys = &engine.settings.keys;
    let Some((queue, owner)) = keys.parse_working_list(list) else { return Ok(()) };
    if owner == engine.identity.as_str() {
        return Ok(());
    }
    let mut rescued = 0;
    loop {
        let mut script = RESCUE.key(list);
        script.key(keys.queue(queue)).key(keys.lease(owner)).arg(BATCH);
        let moved: u64 = engine.redis.invoke(&script).await?;
        rescued += moved;
        if moved < BATCH {
            break;
        }
    }
    if rescued > 0 {
        tracing::warn!(queue, owner, jobs = rescued, "jobs of a dead process are back in their queue");
        engine.observer.rescued(queue, rescued);
    }
    Ok(())
}
