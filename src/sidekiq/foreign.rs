//! Jobs of classes that we do not serve: they are somebody else's, and not ours to fail.
//!
//! A list cannot be filtered by class, so such a job is drawn before it is known. It goes back unchanged as long as
//! another living process serves its queue; that queue is then drawn slowly.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::processes;
use crate::connections::{Redis, RedisError};

/// For so long what is known of other processes counts as true.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// A queue whose process has gone is taken for served so long yet: it may be restarting.
const GRACE: Duration = Duration::from_mins(2);
/// The first pause in drawing a queue that gave a foreign job, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));
/// Pairs of class and queue that are warned of.
const WARNINGS: usize = 1000;

pub(super) struct Foreign {
    redis: Redis,
    others: tokio::sync::Mutex<Others>,
    paused: Mutex<HashMap<Arc<str>, Pause>>,
    warned: Mutex<HashSet<(String, Arc<str>)>>,
}

/// What is known of other processes.
#[derive(Default)]
struct Others {
    looked: Option<Instant>,
    /// Which queue they serve, and when that was last seen.
    serve: HashMap<String, Instant>,
}

#[derive(Clone, Copy)]
struct Pause {
    until: Instant,
    length: Duration,
}

impl Foreign {
    pub(super) fn new(redis: Redis) -> Self {
        Self { redis, others: tokio::sync::Mutex::default(), paused: Mutex::default(), warned: Mutex::default() }
    }

    /// Whether a living process that is not one of ours serves this queue, or did so a moment ago.
    pub(super) async fn is_served(&self, queue: &str) -> Result<bool, RedisError> {
        let mut others = self.others.lock().await;
        if others.looked.is_none_or(|looked| looked.elapsed() > LOOK_AGAIN) {
            let served = processes::queues_of_others(&self.redis).await?;
            let now = Instant::now();
            others.serve.retain(|_, seen| seen.elapsed() < GRACE);
            others.serve.extend(served.into_iter().map(|queue| (queue, now)));
            others.looked = Some(now);
        }
        Ok(others.serve.contains_key(queue))
    }

    /// A foreign job came from this queue: draw it more slowly.
    pub(super) fn came_from(&self, queue: &Arc<str>, class: &str) {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // Several slots may have drawn from it at the same moment: that is one reason to go slower, not many.
        if paused.get(queue).is_none_or(|pause| pause.until <= now) {
            let length = paused.get(queue).map_or(PAUSES.0, |pause| (pause.length * 2).min(PAUSES.1));
            paused.insert(Arc::clone(queue), Pause { until: now + length, length });
        }
        drop(paused);

        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.len() < WARNINGS && warned.insert((class.to_owned(), Arc::clone(queue))) {
            tracing::warn!(class, %queue, "jobs of a class that is not served here go back to the queue for the process that serves it");
        }
    }

    /// A job of ours came from this queue: draw it as usual.
    pub(super) fn ours_came_from(&self, queue: &Arc<str>) {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        if !paused.is_empty() {
            paused.remove(queue);
        }
    }

    /// Until when this queue is not to be drawn.
    pub(super) fn paused_until(&self, queue: &str) -> Option<Instant> {
        let paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        paused.get(queue).map(|pause| pause.until).filter(|until| *until > Instant::now())
    }
}
