//! A reply can be lost while the job has moved: then it lies in our list and nobody has it in hand.
//!
//! Our lists are compared with the jobs in hand. What is unaccounted for in two looks, further apart than any
//! reply can still be on its way, goes back to its queue.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::connections::RedisError;
use crate::sidekiq::engine::Engine;
use crate::sidekiq::fetch::hands::Fetched;
use crate::sidekiq::fetch::waits::BLOCK;
use crate::sidekiq::outage::PAUSE;

/// The time between two comparisons that nobody asked for.
const PERIOD: Duration = Duration::from_secs(30);

/// Texts in our list of a queue that nobody has in hand, and how often.
type Unaccounted = HashMap<(Arc<str>, Bytes), usize>;

/// Compares every 30 seconds and whenever a fetch has failed.
pub(in crate::sidekiq) async fn run(engine: &Engine) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = engine.reply_lost.notified() => {}
        }
        while let Err(error) = compare(engine).await {
            engine.outage.failed("comparing our lists with the jobs in hand", &error);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn compare(engine: &Engine) -> Result<(), RedisError> {
    let first = look(engine).await?;
    if first.is_empty() {
        return Ok(());
    }
    tokio::time::sleep(engine.redis.longest_answer(BLOCK) + PAUSE).await;
    for ((queue, bytes), count) in look(engine).await? {
        let key = (queue, bytes);
        let orphans = first.get(&key).map_or(0, |before| count.min(*before));
        return_jobs(engine, key.0, &key.1, orphans).await?;
    }
    Ok(())
}

async fn return_jobs(engine: &Engine, queue: Arc<str>, bytes: &Bytes, count: usize) -> Result<(), RedisError> {
    let fetched = Fetched { queue, bytes: bytes.clone(), asked: Instant::now() };
    let mut returned = 0;
    for _ in 0..count {
        returned += u64::from(engine.give_back(&fetched).await?);
    }
    if returned > 0 {
        tracing::warn!(queue = %fetched.queue, jobs = returned, "a fetch lost its reply; what it took is back in the queue");
        engine.observer.recovered(&fetched.queue, returned);
    }
    Ok(())
}

/// Gives back everything that lies in our lists, in hand or not. Only for the end, when nothing is fetched any more.
pub(in crate::sidekiq) async fn return_all(engine: &Engine) -> Result<u64, RedisError> {
    let mut returned = 0;
    for queue in engine.settings.queues() {
        for bytes in list(engine, queue).await? {
            let fetched = Fetched { queue: Arc::clone(queue), bytes, asked: Instant::now() };
            match engine.give_back(&fetched).await {
                // A queue that takes nothing must not keep the jobs of others here.
                Err(error) if error.is_refusal() => engine.outage.failed("returning a job", &error),
                back => returned += u64::from(back?),
            }
        }
    }
    Ok(returned)
}

async fn look(engine: &Engine) -> Result<Unaccounted, RedisError> {
    let mut unaccounted = Unaccounted::new();
    for queue in engine.settings.queues() {
        let listed = list(engine, queue).await?;
        // After the list: a job that came meanwhile is in hand and not in the list, which is no difference.
        let mut in_hand = engine.hands.texts(queue);
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
async fn list(engine: &Engine, queue: &str) -> Result<Vec<Bytes>, RedisError> {
    let mut command = redis::cmd("LRANGE");
    command.arg(engine.working_list(queue)).arg(0).arg(-1);
    let texts: Vec<Vec<u8>> = engine.redis.query(&command).await?;
    Ok(texts.into_iter().map(Bytes::from).collect())
}
