//! What is known of a job while it runs, for those who look at it from outside: a dump, the dashboard, a cancellation.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::sidekiq::clock;

/// Says how far a job is.
type Progress = Box<dyn Fn() -> String + Send + Sync>;

/// Characters of a progress that are shown.
const LONGEST: usize = 200;

pub(in crate::sidekiq) struct Execution {
    class: String,
    jid: String,
    /// Tells the job to leave.
    token: CancellationToken,
    /// Somebody cancelled it.
    called_off: AtomicBool,
    expected: OnceLock<Duration>,
    /// That it is overdue was told.
    told: AtomicBool,
    progress: Mutex<Option<Progress>>,
}

impl Execution {
    pub(in crate::sidekiq) fn new(class: &str, jid: &str, stop: &CancellationToken) -> Self {
        Self {
            class: class.to_owned(),
            jid: jid.to_owned(),
            token: stop.child_token(),
            called_off: AtomicBool::new(false),
            expected: OnceLock::new(),
            told: AtomicBool::new(false),
            progress: Mutex::new(None),
        }
    }

    pub(in crate::sidekiq) fn class(&self) -> &str {
        &self.class
    }

    pub(in crate::sidekiq) fn jid(&self) -> &str {
        &self.jid
    }

    pub(in crate::sidekiq) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Cancels the job. `false` if that was done before.
    pub(in crate::sidekiq) fn call_off(&self) -> bool {
        let first = !self.called_off.swap(true, Ordering::AcqRel);
        self.token.cancel();
        first
    }

    pub(in crate::sidekiq) fn is_called_off(&self) -> bool {
        self.called_off.load(Ordering::Acquire)
    }

    /// It should take no longer than this.
    pub(in crate::sidekiq) fn expect(&self, expected: Option<Duration>) {
        if let Some(expected) = expected {
            let _ = self.expected.set(expected);
        }
    }

    /// How long it should take at most.
    pub(in crate::sidekiq) fn expected(&self) -> Option<Duration> {
        self.expected.get().copied()
    }

    /// Whether it runs longer than it should, having begun at `since` (seconds since 1970).
    pub(in crate::sidekiq) fn is_overdue(&self, since: f64) -> bool {
        self.expected().is_some_and(|expected| clock::since(since) > expected)
    }

    /// Whether it is the first time that this is asked.
    pub(in crate::sidekiq) fn tell_once(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }

    pub(in crate::sidekiq) fn show(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    /// How far it is, if it says so.
    pub(in crate::sidekiq) fn progress(&self) -> Option<String> {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        Some((*progress).as_ref()?().chars().take(LONGEST).collect())
    }
}

impl fmt::Debug for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Execution({})", self.jid)
    }
}
