//! Our own jobs picked out of a queue that another process serves too; its jobs are not touched.

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use redis::Script;

use super::hands::Fetched;
use crate::connections::RedisError;
use crate::sidekiq::engine::Engine;
use crate::sidekiq::fetch;
use crate::sidekiq::job;
use crate::sidekiq::job::payload::Payload;

/// How many jobs, counted from the next, are looked at.
const REACH: i64 = 50;

/// Takes one job out of the queue, if it still lies there.
static PICK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 0 then return 0 end
         redis.call('LPUSH', KEYS[2], ARGV[1])
         return 1",
    )
});

/// Picks the next job of ours, if one lies near enough to the end of the queue.
pub(in crate::sidekiq) async fn pick(engine: &Engine, queue: &Arc<str>) -> Result<Option<Fetched>, RedisError> {
    if !engine.foreign.is_served(queue).await? {
        engine.foreign.forget(queue);
        return fetch::take_next(engine, queue).await;
    }
    let key = engine.settings.keys.queue(queue);
    let texts: Vec<Vec<u8>> = engine.redis.query(redis::cmd("LRANGE").arg(&key).arg(-REACH).arg(-1)).await?;
    if texts.is_empty() {
        engine.foreign.forget(queue);
        return Ok(None);
    }
    for bytes in texts.into_iter().rev().filter(|bytes| is_ours(engine, bytes)) {
        let mut script = PICK.key(&key);
        script.key(engine.working_list(queue)).arg(&bytes[..]);
        let asked = Instant::now();
        if engine.redis.invoke::<u32>(&script).await? == 1 {
            engine.foreign.found_ours(queue);
            return Ok(Some(Fetched { queue: Arc::clone(queue), bytes: bytes.into(), asked }));
        }
    }
    engine.foreign.pause(queue);
    Ok(None)
}

fn is_ours(engine: &Engine, bytes: &[u8]) -> bool {
    let Ok(payload) = Payload::parse(bytes.to_vec()) else { return false };
    job::class_of(&payload).is_some_and(|class| engine.work_behind(&class, &payload).is_some())
}
