//! Jobs that are over here, though Redis may not know it: the acknowledgement was not answered, or the job had been
//! taken from our list by somebody who believed us dead. Should such a job come back to us, it is acknowledged and
//! not run again.
//!
//! A job is known by its whole text, which only comes back unchanged when it is the same delivery: every retry and
//! every push writes something new into it. Texts without a jid are not remembered, since nothing tells two of them
//! apart. A copy that somebody pushes by hand in such a moment is taken for the job coming back, once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::sidekiq::job::payload::Payload;

/// How many jobs are remembered; after that the oldest are forgotten, and may be run again.
const MOST: usize = 10_000;

#[derive(Default)]
pub(in crate::sidekiq) struct Finished {
    texts: Mutex<HashMap<[u8; 32], Instant>>,
    /// Lets the common case pass without a digest.
    any: AtomicBool,
}

impl Finished {
    /// This job is over, and may come back all the same.
    pub(in crate::sidekiq) fn remember(&self, text: &Bytes) {
        let jid = Payload::parse(text.clone()).ok().and_then(|payload| payload.get::<String>("jid"));
        if jid.is_none_or(|jid| jid.is_empty()) {
            return;
        }
        let mut texts = self.texts();
        let digest = digest(text);
        if texts.len() >= MOST
            && !texts.contains_key(&digest)
            && let Some(oldest) = texts.iter().min_by_key(|(_, since)| **since).map(|(oldest, _)| *oldest)
        {
            texts.remove(&oldest);
        }
        texts.insert(digest, Instant::now());
        self.any.store(true, Ordering::Release);
    }

    /// Whether this job is over. It is forgotten thereby: whoever asks acknowledges it now.
    pub(in crate::sidekiq) fn take(&self, text: &Bytes) -> bool {
        if !self.any.load(Ordering::Acquire) {
            return false;
        }
        let mut texts = self.texts();
        let known = texts.remove(&digest(text)).is_some();
        self.any.store(!texts.is_empty(), Ordering::Release);
        known
    }

    fn texts(&self) -> MutexGuard<'_, HashMap<[u8; 32], Instant>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(text: &Bytes) -> [u8; 32] {
    Sha256::digest(text).into()
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
