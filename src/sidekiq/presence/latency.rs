//! How long the queues' next jobs have been waiting.

use std::time::Duration;

use crate::connections::{Redis, RedisError};
use crate::sidekiq::engine::Engine;
use crate::sidekiq::job;
use crate::sidekiq::job::payload::Payload;
use crate::sidekiq::keys::Keys;

/// Looks at the next job of every queue and tells the observer.
pub(in crate::sidekiq) async fn measure(engine: &Engine) -> Result<(), RedisError> {
    let queues: Vec<&str> = engine.settings.queues().into_iter().map(|queue| &**queue).collect();
    for (queue, latency) in queues.iter().zip(of(&engine.redis, &engine.settings.keys, &queues).await?) {
        engine.observer.queue_latency(queue, latency);
    }
    Ok(())
}

/// How long the next job of each queue has been waiting; zero if there is none.
pub(in crate::sidekiq) async fn of(redis: &Redis, keys: &Keys, queues: &[&str]) -> Result<Vec<Duration>, RedisError> {
    let mut look = redis::pipe();
    for queue in queues {
        look.cmd("LINDEX").arg(keys.queue(queue)).arg(-1);
    }
    let next: Vec<Option<Vec<u8>>> = redis.pipeline(&look).await?;
    let waiting = |bytes: Option<Vec<u8>>| job::latency(&Payload::parse(bytes?).ok()?);
    Ok(next.into_iter().map(|bytes| waiting(bytes).unwrap_or_default()).collect())
}
