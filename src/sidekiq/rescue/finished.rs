//! Jobs that are over here, though Redis may not know it: the acknowledgement was not answered, or the job had been
//! taken from our list by somebody who believed us dead. Should such a job come back to us, it is acknowledged and
//! not run again.
//!
//! A job is known by its whole text but for the count that a rescuer writes. It only comes back like that when it is the
//! same delivery: every retry and every push writes something new into it. Texts without a jid are not remembered,
//! since nothing tells two of them apart. A copy that somebody pushes by hand in such a moment is taken for the job
//! coming back, once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::quarantine::COUNT;
use crate::sidekiq::job::payload::Payload;

/// How many jobs are remembered; after that the oldest are forgotten, and may be run again.
const MOST: usize = 10_000;
/// How long a job is remembered: longer than an outage that jobs are to outlast, and a rescue after it.
const KEPT: Duration = Duration::from_hours(8);

#[derive(Default)]
pub(in crate::sidekiq) struct Finished {
    texts: Mutex<HashMap<[u8; 32], Instant>>,
    /// Lets the common case pass without a digest.
    any: AtomicBool,
}

impl Finished {
    /// This job is over, and may come back all the same.
    pub(in crate::sidekiq) fn remember(&self, text: &Bytes) {
        self.remember_at(text, Instant::now());
    }

    /// Whether this job is over. It is forgotten thereby: whoever asks acknowledges it now.
    pub(in crate::sidekiq) fn take(&self, text: &Bytes) -> bool {
        self.take_at(text, Instant::now())
    }

    fn remember_at(&self, text: &Bytes, now: Instant) {
        let Ok(payload) = Payload::parse(text.clone()) else { return };
        if payload.get::<String>("jid").is_none_or(|jid| jid.is_empty()) {
            return;
        }
        let mut texts = self.texts();
        let digest = digest(&payload);
        if texts.len() >= MOST
            && !texts.contains_key(&digest)
            && let Some(oldest) = texts.iter().min_by_key(|(_, since)| **since).map(|(oldest, _)| *oldest)
        {
            texts.remove(&oldest);
        }
        texts.insert(digest, now);
        self.any.store(true, Ordering::Release);
    }

    fn take_at(&self, text: &Bytes, now: Instant) -> bool {
        if !self.any.load(Ordering::Acquire) {
            return false;
        }
        let Ok(payload) = Payload::parse(text.clone()) else { return false };
        let mut texts = self.texts();
        texts.retain(|_, since| now.saturating_duration_since(*since) < KEPT);
        let known = texts.remove(&digest(&payload)).is_some();
        self.any.store(!texts.is_empty(), Ordering::Release);
        known
    }

    fn texts(&self) -> MutexGuard<'_, HashMap<[u8; 32], Instant>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(payload: &Payload) -> [u8; 32] {
    Sha256::digest(payload.edit().remove(COUNT).finish()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: usize) -> Bytes {
        format!(r#"{{"class":"A","jid":"{number}"}}"#).into()
    }

    #[test]
    fn a_job_that_is_over_is_known_once() {
        let finished = Finished::default();
        assert!(!finished.take(&job(1)));
        finished.remember(&job(1));
        finished.remember(&job(1));
        assert!(!finished.take(&job(2)) && finished.take(&job(1)) && !finished.take(&job(1)));
    }

    #[test]
    fn a_job_is_known_whatever_a_rescuer_counted_in_it() {
        let finished = Finished::default();
        let text = |more: &str| Bytes::from(format!(r#"{{"class":"A","jid":"1"{more}}}"#));
        for (before, after) in [("", r#","interrupted_count":1"#), (r#","interrupted_count":1,"x":1E5"#, r#","x":1E5"#)]
        {
            finished.remember(&text(before));
            assert!(!finished.take(&text(r#","interrupted":1"#)));
            assert!(finished.take(&text(after)), "{before}");
        }
    }

    #[test]
    fn a_job_is_forgotten_after_some_hours() {
        let (finished, now) = (Finished::default(), Instant::now());
        finished.remember_at(&job(1), now);
        finished.remember_at(&job(2), now);
        assert!(finished.take_at(&job(1), now + KEPT.mul_f64(0.9)));
        assert!(!finished.take_at(&job(2), now + KEPT));
        assert!(!finished.any.load(Ordering::Acquire), "nothing is left");
    }

    #[test]
    fn what_has_no_jid_is_not_remembered() {
        let finished = Finished::default();
        for text in [r#"{"class":"A","args":[]}"#, r#"{"class":"A","jid":""}"#, "not json"] {
            finished.remember(&Bytes::from(text));
            assert!(!finished.take(&Bytes::from(text)), "{text}");
        }
    }

    #[test]
    fn the_oldest_is_forgotten_when_there_are_too_many() {
        let finished = Finished::default();
        (0..=MOST).for_each(|number| finished.remember(&job(number)));
        assert!(!finished.take(&job(0)) && finished.take(&job(1)) && finished.take(&job(MOST)));
    }
}
