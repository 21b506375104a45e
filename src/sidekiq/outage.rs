//! A Redis lost and found: one line in the log for each, however many loops notice.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::observer::Observer;
use crate::connections::RedisError;

/// The time between two attempts at anything that Redis did not answer.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// What is refused again and again in the same words is told so often.
const TELL_AGAIN: Duration = Duration::from_mins(1);

pub(super) struct Outage {
    /// Which Redis, for the log.
    name: &'static str,
    observer: Arc<dyn Observer>,
    /// Lets the common case pass without the lock.
    down: AtomicBool,
    since: Mutex<Option<Instant>>,
    /// By what was being done: in which words it was refused, and when that was told.
    refused: Mutex<HashMap<&'static str, (String, Instant)>>,
}

impl Outage {
    pub(super) fn new(name: &'static str, observer: Arc<dyn Observer>) -> Self {
        Self { name, observer, down: AtomicBool::new(false), since: Mutex::new(None), refused: Mutex::default() }
    }

    /// Something failed. A server that is away, or cannot serve anybody now, is an outage; what it will refuse each
    /// time is told as it is.
    pub(super) fn failed(&self, what: &'static str, error: &RedisError) {
        if !error.is_outage() {
            if self.is_news(what, &error.to_string()) {
                tracing::warn!("{what} failed: {error}");
            }
            return;
        }
        if error.is_old() {
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

    /// A write of ours worked. (A server that only reads is as good as lost.)
    pub(super) fn worked(&self) {
        if !self.down.load(Ordering::Acquire) {
            return;
        }
        if let Some(since) = self.since.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.down.store(false, Ordering::Release);
            self.observer.redis_is_lost(false);
            tracing::info!("{} is online, {:.1} sec downtime", self.name, since.elapsed().as_secs_f64());
        }
    }

    fn is_news(&self, what: &'static str, words: &str) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let known = refused.get(what).is_some_and(|(told, at)| told == words && at.elapsed() < TELL_AGAIN);
        if !known {
            refused.insert(what, (words.to_owned(), Instant::now()));
        }
        !known
    }
}
