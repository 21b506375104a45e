//! What an onlooker (metrics, a watchdog) is told about the life of the process.

use std::time::Duration;

/// What became of one execution of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It succeeded.
    Done,
    /// It failed; what follows (retry, dead set, nothing) was written.
    Failed,
    /// It was cut off by the shutdown and went back to its queue.
    Returned,
    /// It could not be done now; it waits in `schedule`.
    PutOff,
    /// Its class is not ours; it went back to its queue for the process that serves it.
    Foreign,
    /// It was no job at all and lies in the dead set.
    Malformed,
    /// It was done here before, but could not be acknowledged then: now it was, without being run.
    Repeated,
    /// Somebody cancelled it; it lies in the dead set.
    Cancelled,
    /// Its class is switched off; it waits in `schedule` for the next look.
    Held,
    /// While it ran, another process took it for abandoned: it will run again there.
    Interrupted,
}

impl Outcome {
    /// The outcome as a word, for logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Returned => "returned",
            Self::PutOff => "put_off",
            Self::Foreign => "foreign",
            Self::Malformed => "malformed",
            Self::Repeated => "repeated",
            Self::Cancelled => "cancelled",
            Self::Held => "held",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One execution of a job that has ended.
#[derive(Debug, Clone, Copy)]
pub struct JobReport<'a> {
    /// The job's class; empty if the payload names none. Foreign text: bound it before making a label of it.
    pub class: &'a str,
    /// The queue it was fetched from.
    pub queue: &'a str,
    /// The job's id.
    pub jid: &'a str,
    /// What became of it.
    pub outcome: Outcome,
    /// From fetched to settled.
    pub duration: Duration,
    /// From put into its queue to fetched, if the payload tells.
    pub latency: Option<Duration>,
}

/// Told what happens, from the tasks in which it happens: be quick and never block.
pub trait Observer: Send + Sync {
    /// An execution has ended.
    fn job_finished(&self, _report: &JobReport<'_>) {}

    /// A long-lived loop went round. `fetch`, `heartbeat`, `rescue`, `orders` and `poller` do so every two seconds
    /// while Redis answers, and at least every half minute while it does not.
    fn turn(&self, _loop_name: &'static str) {}

    /// A loop has ended, as `fetch` and `poller` do in a quiet process: it takes no more turns.
    fn ended(&self, _loop_name: &'static str) {}

    /// Redis does not answer any more (`true`), or does so again.
    fn redis_is_lost(&self, _lost: bool) {}

    /// Redis came back without its data. The jobs in hand were written back.
    fn redis_lost_its_data(&self) {}

    /// So long the next job of `queue` has been waiting; zero if there is none. Told at every heartbeat.
    fn queue_latency(&self, _queue: &str, _latency: Duration) {}

    /// So many jobs of a dead process went back to `queue`.
    fn rescued(&self, _queue: &str, _jobs: u64) {}

    /// So many jobs that died with their workers too often were set aside.
    fn quarantined(&self, _queue: &str, _jobs: u64) {}

    /// So many running jobs are overdue, and the oldest has been running so long. Told twice a second.
    fn running(&self, _overdue: usize, _oldest: Duration) {}

    /// Everything is paused (`true`), or goes on again.
    fn paused(&self, _paused: bool) {}

    /// So many jobs whose fetch had lost its reply went back to `queue`.
    fn recovered(&self, _queue: &str, _jobs: u64) {}

    /// So many due jobs were moved from `set` (`retry` or `schedule`) into their queues.
    fn moved_when_due(&self, _set: &'static str, _jobs: u64) {}
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl Observer for NoObserver {}
