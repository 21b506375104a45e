//! A job as the code that performs it sees it.

mod active_job;
pub(in crate::sidekiq) mod beyond_us;
pub(in crate::sidekiq) mod execution;
pub(in crate::sidekiq) mod payload;
pub(in crate::sidekiq) mod perform;
mod ruby_reader;
#[cfg(test)]
pub(in crate::sidekiq) mod ruby_texts;
#[cfg(test)]
#[path = "../../../tests/oracle/untouched.rs"]
pub(in crate::sidekiq) mod untouched;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::execution::Execution;
use self::payload::Payload;
use crate::sidekiq::clock;
use crate::sidekiq::gitlab;

/// One execution of one job.
#[derive(Debug)]
pub struct Job {
    payload: Payload,
    queue: String,
    class: String,
    jid: String,
    execution: Arc<Execution>,
}

impl Job {
    /// A job that is to be left at the latest when `stop` fires.
    pub(in crate::sidekiq) fn new(payload: Payload, queue: &str, stop: &CancellationToken) -> Self {
        let class: String = class_of(&payload).unwrap_or_default();
        let jid: String = payload.get("jid").unwrap_or_default();
        let execution = Arc::new(Execution::new(&class, &jid, stop));
        Self { payload, queue: queue.to_owned(), class, jid, execution }
    }

    /// The Ruby class the job is for, with ActiveJob the one inside the wrapper; empty when the payload names none.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// The job's id, the same through all its retries; empty when the payload has none.
    pub fn jid(&self) -> &str {
        &self.jid
    }

    /// The queue it was fetched from.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The arguments, as they were before GitLab's client compressed them if it did. Those of an ActiveJob are the ones
    /// inside the wrapper; a record of the database is its id.
    ///
    /// # Errors
    /// A [`JobFailure`] when they are missing or no array.
    pub fn args(&self) -> Result<Vec<Value>, JobFailure> {
        let unreadable = || JobFailure::new("ArgumentError", "the job's arguments are not an array that can be read");
        let args = match gitlab::inflated(&self.payload) {
            Some(inflated) => inflated?,
            None => self.payload.get("args").ok_or_else(unreadable)?,
        };
        if is_wrapped(&self.payload) { active_job::arguments(&args) } else { Ok(args) }
    }

    /// Whether GitLab's client compressed the arguments, so that reading them is some work.
    pub fn is_compressed(&self) -> bool {
        gitlab::is_compressed(&self.payload)
    }

    /// How often the job has been retried: `None` on the first execution, 0 on the first retry.
    pub fn retry_count(&self) -> Option<u32> {
        self.payload.get("retry_count")
    }

    /// The time between the job being put into its queue (or, failing that, being created) and now.
    pub fn latency(&self) -> Option<Duration> {
        latency(&self.payload)
    }

    /// The time since the job was made, however often it has been put off or retried.
    pub fn age(&self) -> Option<Duration> {
        Some(clock::since(clock::seconds(&self.payload.get::<Value>("created_at")?)?))
    }

    /// Fires when the process is about to stop and the job goes back to its queue, or when the job
    /// [is called off](Self::is_called_off): leave as soon as possible.
    pub fn cancelled(&self) -> &CancellationToken {
        self.execution.token()
    }

    /// Whether somebody has cancelled this job: it ends in the dead set, unless it was done before it noticed.
    pub fn is_called_off(&self) -> bool {
        self.execution.is_called_off()
    }

    /// Tells those who look at running jobs how far this one is. `progress` is asked from any thread at any time: it
    /// must be quick, and tell no secret.
    pub fn show_progress(&self, progress: impl Fn() -> String + Send + Sync + 'static) {
        self.execution.show(Box::new(progress));
    }

    /// What is known of it while it runs.
    pub(in crate::sidekiq) fn execution(&self) -> &Arc<Execution> {
        &self.execution
    }

    /// The payload as it was fetched.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }
}

/// The class that a job is for: of a wrapper of `ActiveJob`, the one inside; `None` if it names none.
pub fn class_of(payload: &Payload) -> Option<String> {
    let class: String = payload.get("class")?;
    if active_job::is_wrapper(&class) { active_job::class_of(payload) } else { Some(class) }
}

fn is_wrapped(payload: &Payload) -> bool {
    payload.get::<String>("class").is_some_and(|class| active_job::is_wrapper(&class))
}

/// How long a job has been waiting for this moment.
pub(in crate::sidekiq) fn latency(payload: &Payload) -> Option<Duration> {
    let waiting = payload.get::<Value>("enqueued_at").or_else(|| payload.get("created_at"))?;
    Some(clock::since(clock::seconds(&waiting)?))
}

/// Why an execution did not end with success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotDone {
    /// It failed. What follows (a retry, the dead set, nothing) is for the job's options to say.
    Failed(JobFailure),
    /// It failed, and if its options let it be retried, then after this time (and Sidekiq's random addition to it)
    /// instead of the time that grows with each failure. Zero means the usual time.
    Again(JobFailure, Duration),
    /// It failed and would fail again: no retry, but the dead set at once. A job that is never to be retried, or never
    /// to lie in the dead set, is gone, as it would be when exhausted.
    Kill(JobFailure),
    /// It failed, nothing follows, and it is gone whatever its options say. It counts as a failure all the same.
    Discard(JobFailure),
    /// It could not be done now, and that is nobody's failure: it is put off for this long. Every field stays as it
    /// is, the count of retries among them, and no counter moves.
    Later(Duration),
    /// It was broken off: it goes back to its queue, unchanged, as the next to be run.
    Interrupted,
}

impl From<JobFailure> for NotDone {
    fn from(failure: JobFailure) -> Self {
        Self::Failed(failure)
    }
}

/// Why a job failed, in the words that are stored with it for people to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error_class}: {message}")]
pub struct JobFailure {
    /// What stands in `error_class`: in Ruby the exception's class.
    pub error_class: String,
    /// What stands in `error_message`.
    pub message: String,
    /// What led to it, the nearest cause first; stored for jobs that ask for a backtrace.
    pub causes: Vec<String>,
}

impl JobFailure {
    /// A failure without further causes.
    pub fn new(error_class: impl Into<String>, message: impl Into<String>) -> Self {
        Self { error_class: error_class.into(), message: message.into(), causes: Vec::new() }
    }

    /// A failure from an error and the chain of its sources.
    pub fn from_error(error_class: impl Into<String>, error: &(dyn std::error::Error + 'static)) -> Self {
        let causes = std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string).collect();
        Self { error_class: error_class.into(), message: error.to_string(), causes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(text: &str) -> Job {
        Job::new(Payload::parse(text.to_owned()).unwrap(), "q", &CancellationToken::new())
    }

    #[test]
    fn a_job_reads_what_its_payload_says() {
        let job = job(r#"{"class":"A::B","jid":"j","args":[1,{"b":2.0}],"retry_count":3,"enqueued_at":1.5}"#);
        assert_eq!((job.class(), job.jid(), job.queue()), ("A::B", "j", "q"));
        assert_eq!(job.args().unwrap(), [serde_json::json!(1), serde_json::json!({"b": 2.0})]);
        assert_eq!(job.retry_count(), Some(3));
        assert!(job.latency().unwrap() > Duration::from_secs(1_000_000_000));
    }

    #[test]
    fn a_job_tells_whether_its_arguments_have_to_be_inflated() {
        let [plain, packed] = ["", r#","compressed":true"#].map(|more| job(&format!(r#"{{"args":[]{more}}}"#)));
        assert!(!plain.is_compressed() && packed.is_compressed());
    }

    #[test]
    fn an_active_job_is_what_is_inside_its_wrapper() {
        for wrapper in ["ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper", "::Sidekiq::ActiveJob::Wrapper"] {
            let args = r#"[{"job_class":"Inner","arguments":[{"_aj_globalid":"gid://forge/Project/42"}]}]"#;
            for wrapped in [r#","wrapped":"Inner""#, r#","wrapped":null"#, ""] {
                let job = job(&format!(r#"{{"class":"{wrapper}"{wrapped},"args":{args}}}"#));
                assert_eq!((job.class(), job.args().unwrap()), ("Inner", vec![serde_json::json!(42)]));
            }
        }
        assert_eq!(job(r#"{"class":"A","wrapped":"B","args":[1]}"#).class(), "A");
    }

    #[test]
    fn arguments_that_cannot_be_read_are_an_ordinary_failure() {
        for text in [r#"{"args":{}}"#, "{}"] {
            assert_eq!(job(text).args().unwrap_err().error_class, "ArgumentError");
        }
    }

    #[test]
    fn a_failure_keeps_the_chain_of_causes() {
        let error = anyhow::anyhow!("innermost").context("middle").context("outermost");
        let failure = JobFailure::from_error("IOError", error.as_ref());
        assert_eq!(failure.to_string(), "IOError: outermost");
        assert_eq!(failure.causes, ["middle", "innermost"]);
    }
}
