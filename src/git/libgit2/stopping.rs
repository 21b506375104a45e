//! Ending libgit2 while it builds a pack: it asks a callback every half a second, which may say no, but git2 passes no
//! other answer on than that the callback unwound.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Unwinds the callback that it is called from. git2 stops the unwinding at its border to C and lets it go on behind.
pub(super) fn stop() -> ! {
    // Unlike a panic, this tells nobody.
    resume_unwind(Box::new(Stopped))
}

/// `work`; `None` if [`stop`] was called in one of its callbacks.
pub(super) fn stoppable<T>(work: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => Some(done),
        Err(stopped) if stopped.is::<Stopped>() => None,
        Err(panic) => resume_unwind(panic),
    }
}

struct Stopped;
