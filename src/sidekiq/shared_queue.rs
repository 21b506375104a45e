//! Our own jobs picked out of a queue that another process serves too; its jobs are not touched.

use std::sync::{Arc, LazyLock};

use redis::Script;

use super::core::Core;
use super::fetch;
use super::hands::Fetched;
use super::identity::queue_key;
use super::payload::Payload;
use crate::connections::RedisError;

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
pub(super) async fn pick(core: &Core, queue: &Arc<str>) -> Result<Option<Fetched>, RedisError> {
    if !core.foreign.is_served(queue).await? {
        core.foreign.forget(queue);
        return fetch::take_next(core, queue).await;
    }
    let key = queue_key(queue);
    let texts: Vec<Vec<u8>> = core.redis.query(redis::cmd("LRANGE").arg(&key).arg(-REACH).arg(-1)).await?;
    if texts.is_empty() {
        core.foreign.forget(queue);
        return Ok(None);
    }
    for bytes in texts.into_iter().rev().filter(|bytes| is_ours(core, bytes)) {
        let mut script = PICK.key(&key);
        script.key(core.identity.working_list(queue)).arg(&bytes[..]);
        if core.redis.invoke::<u32>(&script).await? == 1 {
            core.foreign.found_ours(queue);
            return Ok(Some(Fetched { queue: Arc::clone(queue), bytes: bytes.into() }));
        }
    }
    core.foreign.pause(queue);
    Ok(None)
}

fn is_ours(core: &Core, bytes: &[u8]) -> bool {
    let class = Payload::parse(bytes.to_vec()).ok().and_then(|payload| payload.get::<String>("class"));
    class.is_some_and(|class| core.registry.find(&class).is_some())
}
