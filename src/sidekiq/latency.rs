//! How long the queues' next jobs have been waiting.

use super::engine::Engine;
use super::identity::queue_key;
use super::job;
use super::payload::Payload;
use crate::connections::RedisError;

/// Looks at the next job of every queue and tells the observer.
pub(super) async fn measure(engine: &Engine) -> Result<(), RedisError> {
    let mut look = redis::pipe();
    for queue in engine.settings.queues.names() {
        look.cmd("LINDEX").arg(queue_key(queue)).arg(-1);
    }
    let next: Vec<Option<Vec<u8>>> = engine.redis.pipeline(&look).await?;
    for (queue, bytes) in engine.settings.queues.names().zip(next) {
        let payload = bytes.and_then(|bytes| Payload::parse(bytes).ok());
        let latency = payload.as_ref().and_then(job::latency).unwrap_or_default();
        engine.observer.queue_latency(queue, latency);
    }
    Ok(())
}
