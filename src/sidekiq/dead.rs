//! The dead set: jobs that will not run again unless somebody asks for it.

use super::clock;
use super::settings::DeadSettings;

/// What a burial now writes and trims.
pub(super) struct Bounds {
    /// The score of the newly dead.
    pub(super) now: f64,
    /// Whoever died before this is removed.
    pub(super) oldest: f64,
    /// Whoever stands at this rank or before is removed; counted from the end, so that one job less than the
    /// setting says stays, as in Sidekiq.
    pub(super) last_rank: i64,
}

impl Bounds {
    pub(super) fn now(limits: &DeadSettings) -> Self {
        let now = clock::now();
        Self { now, oldest: now - limits.timeout.as_secs_f64(), last_rank: -i64::from(limits.max_jobs.max(1)) }
    }
}
