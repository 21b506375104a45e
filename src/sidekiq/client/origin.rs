//! Whom a job that we push has to thank for its being.

use serde_json::Value;

use crate::sidekiq::gitlab;
use crate::sidekiq::job::Job;

/// What a job passes on to those that it pushes: GitLab's `correlation_id` and `meta.*`, with itself as the caller. The
/// default passes nothing on: so it is where nobody asked but a clock.
#[derive(Debug, Clone, Default)]
pub struct Origin(Vec<(String, Value)>);

impl Origin {
    /// What this job passes on; nothing, if it carries nothing of the kind.
    pub fn of(job: &Job) -> Self {
        Self(gitlab::inherit(job.payload(), job.class()))
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = (String, Value)> + '_ {
        self.0.iter().cloned()
    }
}
