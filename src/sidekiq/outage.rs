//! Redis lost and found: one line in the log for each, however many loops notice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::observer::Observer;
use crate::connections::RedisError;

/// The time between two attempts at anything that Redis did not answer.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Outage {
    observer: Arc<dyn Observer>,
    /// Lets the common case pass without the lock.
    down: AtomicBool,
    since: Mutex<Option<Instant>>,
}

impl Outage {
    pub(super) fn new(observer: Arc<dyn Observer>) -> Self {
        Self { observer, down: AtomicBool::new(false), since: Mutex::new(None) }
    }

    /// Something failed. What the server refuses is no outage and is told as it is.
    pub(super) fn failed(&self, what: &str, error: &RedisError) {
        if error.is_refusal() {
            tracing::warn!("{what} failed: {error}");
            return;
        }
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.is_none() {
            *since = Some(Instant::now());
            self.down.store(true, Ordering::Release);
            self.observer.redis_is_lost(true);
            tracing::error!("{what} failed: {error}; trying again every second");
        }
    }

    /// Something worked.
    pub(super) fn worked(&self) {
        if !self.down.load(Ordering::Acquire) {
            return;
        }
        if let Some(since) = self.since.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.down.store(false, Ordering::Release);
            self.observer.redis_is_lost(false);
            tracing::info!("Redis is online, {:.1} sec downtime", since.elapsed().as_secs_f64());
        }
    }
}
