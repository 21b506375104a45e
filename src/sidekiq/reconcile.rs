//! A reply can be lost while the job has moved: then it lies in our list and nobody has it in hand.
//!
//! Our lists are compared with the jobs in hand. What is unaccounted for in two looks, further apart than any
//! reply can still be on its way, goes back to its queue.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::core::Core;
use super::hands::Fetched;
use super::outage::PAUSE;
use super::settle::Settlement;
use super::waits::BLOCK;
use crate::connections::RedisError;

/// The time between two comparisons that nobody asked for.
const PERIOD: Duration = Duration::from_secs(30);

/// Texts in our list of a queue that nobody has in hand, and how often.
type Unaccounted = HashMap<(Arc<str>, Bytes), usize>;

/// Compares every 30 seconds and whenever a fetch has failed.
pub(super) async fn run(core: &Core) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = core.reply_lost.notified() => {}
        }
        while let Err(error) = compare(core).await {
            core.outage.failed("comparing our lists with the jobs in hand", &error);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn compare(core: &Core) -> Result<(), RedisError> {
    let first = look(core).await?;
    if first.is_empty() {
        return Ok(());
    }
    tokio::time::sleep(core.redis.longest_answer(BLOCK) + PAUSE).await;
    for ((queue, bytes), count) in look(core).await? {
        let key = (queue, bytes);
        let orphans = first.get(&key).map_or(0, |before| count.min(*before));
        return_jobs(core, key.0, &key.1, orphans).await?;
    }
    Ok(())
}

async fn return_jobs(core: &Core, queue: Arc<str>, bytes: &Bytes, count: usize) -> Result<(), RedisError> {
    let fetched = Fetched { queue, bytes: bytes.clone() };
    let mut returned = 0;
    for _ in 0..count {
        returned += u64::from(core.settle(&fetched, &Settlement::Next).await?);
    }
    if returned > 0 {
        tracing::warn!(queue = %fetched.queue, jobs = returned, "a fetch lost its reply; what it took is back in the queue");
        core.observer.recovered(&fetched.queue, returned);
    }
    Ok(())
}

/// Gives back everything that lies in our lists, in hand or not. Only for the end, when nothing is fetched any more.
pub(super) async fn return_all(core: &Core) -> Result<u64, RedisError> {
    let mut returned = 0;
    for queue in core.settings.queues.names() {
        for bytes in list(core, queue).await? {
            let fetched = Fetched { queue: Arc::clone(queue), bytes };
            returned += u64::from(core.settle(&fetched, &Settlement::Next).await?);
        }
    }
    Ok(returned)
}

async fn look(core: &Core) -> Result<Unaccounted, RedisError> {
    let mut unaccounted = Unaccounted::new();
    for queue in core.settings.queues.names() {
        let listed = list(core, queue).await?;
        // After the list: a job that came meanwhile is in hand and not in the list, which is no difference.
        let mut in_hand = core.hands.texts(queue);
        for bytes in listed {
            match in_hand.get_mut(&bytes) {
                Some(count) if *count > 0 => *count -= 1,
                _ => *unaccounted.entry((Arc::clone(queue), bytes)).or_default() += 1,
            }
        }
    }
    Ok(unaccounted)
}

/// What lies in our list of a queue. There are never more jobs in it than slots and lost replies.
async fn list(core: &Core, queue: &str) -> Result<Vec<Bytes>, RedisError> {
    let mut command = redis::cmd("LRANGE");
    command.arg(core.identity.working_list(queue)).arg(0).arg(-1);
    let texts: Vec<Vec<u8>> = core.redis.query(&command).await?;
    Ok(texts.into_iter().map(Bytes::from).collect())
}
