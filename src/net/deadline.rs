//! The end of a run.

use std::time::Duration;

use tokio::time::Instant;

/// When a run has to be over, and how long it was given, so that an error can say so.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// `limit` from now.
    pub fn after(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, limit }
    }

    /// The moment itself.
    pub fn at(&self) -> Instant {
        self.at
    }

    /// What was given at the start.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether it is over.
    pub fn has_passed(&self) -> bool {
        Instant::now() >= self.at
    }
}
