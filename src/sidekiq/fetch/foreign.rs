//! Jobs of classes that we do not serve, or that are beyond us (`job::beyond_us`): they are somebody else's, and not ours to fail.
//!
//! A list cannot be filtered by class, so the first such job is drawn before it is known. It goes back unchanged as
//! long as another living process serves its queue. The queue is then known to be shared: from there on only our own
//! jobs are picked out of it (`shared_queue`), with pauses while it has none.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::connections::{Redis, RedisError};
use crate::sidekiq::job::beyond_us::BeyondUs;
use crate::sidekiq::keys::Keys;
use crate::sidekiq::presence::processes;

/// For so long what is known of other processes counts as true.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The first pause in looking at a queue that holds no job of ours, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));
/// Pairs of class and queue that are warned of.
const WARNINGS: usize = 1000;

pub(in crate::sidekiq) struct Foreign {
    redis: Redis,
    keys: Keys,
    started: Instant,
    /// A queue whose process has gone is taken for served so long yet: it may be restarting, as may be one that we
    /// have not seen since our own start.
    grace: Duration,
    others: tokio::sync::Mutex<Others>,
    shared: Mutex<HashMap<Arc<str>, Pause>>,
    warned: Mutex<HashSet<(String, Arc<str>)>>,
}

/// What is known of other processes.
#[derive(Default)]
struct Others {
    looked: Option<Instant>,
    /// Which queue they serve, and when that was last seen.
    serve: HashMap<String, Instant>,
}

impl Others {
    /// These queues are served now; those that were within the grace still count.
    fn saw(&mut self, served: HashSet<String>, now: Instant, grace: Duration) {
        self.serve.retain(|_, seen| now.duration_since(*seen) < grace);
        self.serve.extend(served.into_iter().map(|queue| (queue, now)));
        self.looked = Some(now);
    }
}

#[derive(Clone, Copy)]
struct Pause {
    until: Instant,
    length: Duration,
}

impl Foreign {
    pub(in crate::sidekiq) fn new(redis: Redis, keys: Keys, grace: Duration) -> Self {
        Self {
            redis,
            keys,
            started: Instant::now(),
            grace,
            others: tokio::sync::Mutex::default(),
            shared: Mutex::default(),
            warned: Mutex::default(),
        }
    }

    /// Whether a living process that is not one of ours serves this queue, or did so a moment ago, or may yet.
    pub(in crate::sidekiq) async fn is_served(&self, queue: &str) -> Result<bool, RedisError> {
        let mut others = self.others.lock().await;
        if others.looked.is_none_or(|looked| looked.elapsed() > LOOK_AGAIN) {
            let served = processes::queues_of_others(&self.redis, &self.keys).await?;
            others.saw(served, Instant::now(), self.grace);
        }
        Ok(others.serve.contains_key(queue) || self.started.elapsed() < self.grace)
    }

    /// A foreign job came from this queue: it is shared. Of a class that is ours, `beyond_us` says what makes it foreign.
    pub(in crate::sidekiq) fn came_from(&self, queue: &Arc<str>, class: &str, beyond_us: Option<BeyondUs>) {
        self.pause(queue);
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.len() < WARNINGS && warned.insert((class.to_owned(), Arc::clone(queue))) {
            let what = match beyond_us {
                None => "a class that is not served here: its jobs are left to the process that serves it".to_owned(),
                Some(why) => format!("a job is left to the other process that serves its queue: {}", why.reason()),
            };
            tracing::warn!(class, %queue, "{what}");
        }
    }

    /// The next look at this shared queue comes after a pause, longer each time.
    pub(in crate::sidekiq) fn pause(&self, queue: &Arc<str>) {
        let mut shared = self.shared();
        let now = Instant::now();
        // Several slots may have looked at the same moment: that is one reason to go slower, not many.
        if shared.get(queue).is_none_or(|pause| pause.until <= now) {
            let length = shared.get(queue).map_or(PAUSES.0, |pause| (pause.length * 2).min(PAUSES.1));
            shared.insert(Arc::clone(queue), Pause { until: now + length, length });
        }
    }

    /// A shared queue held a job of ours: the next pause begins small again.
    pub(in crate::sidekiq) fn found_ours(&self, queue: &Arc<str>) {
        self.shared().insert(Arc::clone(queue), Pause { until: Instant::now(), length: PAUSES.0 / 2 });
    }

    /// A queue is not shared any more, as far as can be told.
    pub(in crate::sidekiq) fn forget(&self, queue: &str) {
        self.shared().remove(queue);
    }

    /// If this queue is shared, when it is to be looked at next.
    pub(in crate::sidekiq) fn next_look(&self, queue: &str) -> Option<Instant> {
        self.shared().get(queue).map(|pause| pause.until)
    }

    fn shared(&self) -> MutexGuard<'_, HashMap<Arc<str>, Pause>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_counts_as_served_for_the_grace_after_its_process_has_gone() {
        const GRACE: Duration = Duration::from_mins(2);
        let (mut others, start) = (Others::default(), Instant::now());
        let queues = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        others.saw(queues(&["a", "b"]), start, GRACE);
        others.saw(queues(&["b"]), start + LOOK_AGAIN, GRACE);
        assert!(others.serve.contains_key("a") && others.serve.contains_key("b"));
        others.saw(queues(&[]), start + GRACE, GRACE);
        assert!(!others.serve.contains_key("a") && others.serve.contains_key("b"));
    }
}
