//! Which code performs which class of job.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::sidekiq::job::{Job, NotDone};

/// The work behind a class of job.
#[async_trait]
pub trait Perform: Send + Sync {
    /// Does the work. It may be done more than once: a job whose process dies is run again.
    ///
    /// # Errors
    /// [`NotDone`] says what is to become of the job.
    async fn perform(&self, job: &Job) -> Result<(), NotDone>;

    /// How long the job should take at most, if that can be told; after that it is shown as overdue. It is not ended.
    fn expected(&self, _job: &Job) -> Option<Duration> {
        None
    }

    /// This job will not be run (again): it was cancelled before it began, or its worker died under it too often.
    /// `reason` is a sentence for people. May be called more than once, and in a process that never ran the job.
    async fn abandoned(&self, _job: &Job, _reason: &str) {}

    /// What the job is about, in a word for its lines in the log; nothing if that cannot be told. No secret.
    fn subject(&self, _job: &Job) -> Option<String> {
        None
    }
}

/// The classes of jobs that this process serves.
#[derive(Clone, Default)]
pub struct Registry {
    classes: HashMap<String, Arc<dyn Perform>>,
}

impl Registry {
    /// A registry that serves nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves `class`, given by its Ruby name, with or without a leading `::`.
    #[must_use]
    pub fn serve(mut self, class: &str, work: Arc<dyn Perform>) -> Self {
        self.classes.insert(constant(class).to_owned(), work);
        self
    }

    /// The work behind a class, if it is ours.
    pub fn find(&self, class: &str) -> Option<&Arc<dyn Perform>> {
        self.classes.get(constant(class))
    }

    /// The Ruby names of the classes, without a leading `::`.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        self.classes.keys().map(String::as_str)
    }
}

/// In Ruby `::Mirror` and `Mirror` are the same constant.
pub(in crate::sidekiq) fn constant(class: &str) -> &str {
    class.strip_prefix("::").unwrap_or(class)
}
