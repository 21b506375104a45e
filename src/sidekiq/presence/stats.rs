//! The counters that the dashboard adds up.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::Utc;

use crate::connections::{Redis, RedisError};
use crate::sidekiq::keys::Keys;

/// How long the figures of one day are kept, in seconds: five years.
const KEPT: u32 = 5 * 365 * 24 * 60 * 60;

/// Executions since the last flush.
#[derive(Default)]
pub(in crate::sidekiq) struct Stats {
    processed: AtomicU64,
    failed: AtomicU64,
}

impl Stats {
    /// A job was executed.
    pub(in crate::sidekiq) fn count(&self, failed: bool) {
        self.processed.fetch_add(1, Ordering::Relaxed);
        if failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Adds what was counted to the figures in Redis; keeps it for the next time if Redis serves nobody now. What
    /// is refused is gone: the part that was not refused is counted already.
    pub(in crate::sidekiq) async fn flush(&self, redis: &Redis, keys: &Keys) -> Result<(), RedisError> {
        let (processed, failed) = (self.processed.swap(0, Ordering::Relaxed), self.failed.swap(0, Ordering::Relaxed));
        // Ruby's 6 writes zeros, too; its readers take a figure that is not there for zero.
        if processed + failed == 0 {
            return Ok(());
        }
        let day = Utc::now().format("%Y-%m-%d");
        let mut commands = redis::pipe();
        commands.atomic();
        for (name, count) in [("processed", processed), ("failed", failed)] {
            let dated = keys.named(&format!("stat:{name}:{day}"));
            commands.cmd("INCRBY").arg(keys.named(&format!("stat:{name}"))).arg(count).ignore();
            commands.cmd("INCRBY").arg(&dated).arg(count).ignore();
            commands.cmd("EXPIRE").arg(dated).arg(KEPT).ignore();
        }
        redis.pipeline::<()>(&commands).await.inspect_err(|error| {
            if error.is_outage() {
                self.processed.fetch_add(processed, Ordering::Relaxed);
                self.failed.fetch_add(failed, Ordering::Relaxed);
            }
        })
    }
}
