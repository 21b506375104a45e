//! What a process is told before it starts.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::fetch::capsule::Capsule;
use super::fetch::queues::QueueSet;
use super::gitlab::GitLabSettings;
use super::keys::Keys;
use super::profile::Profile;

/// The settings of one process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which queues are served, and how many jobs of them run at once. There is at least one capsule, and no two
    /// have the same name.
    pub capsules: Vec<Capsule>,
    /// How long the jobs in hand may go on once the process is asked to stop.
    pub timeout: Duration,
    /// Retries of a job that does not name a number itself.
    pub max_retries: u32,
    /// How often a worker may die under a job before the job is set aside; `None`: as often as it likes. A job may say
    /// otherwise.
    pub max_interruptions: Option<u32>,
    /// Shown beside the process on the dashboard, after our own `sidemirror` and `sidemirror-<version>`.
    pub labels: Vec<String>,
    /// Shown beside the process on the dashboard; may be empty.
    pub tag: String,
    /// Which Sidekiq the Ruby side runs.
    pub profile: Profile,
    /// Where its data lie.
    pub keys: Keys,
    /// Whether and how often due retries and scheduled jobs are looked for.
    pub poller: PollerSettings,
    /// How much the dead set may hold.
    pub dead: DeadSettings,
    /// How long a queue counts as served by another process that was seen there, or that may not have come up yet:
    /// so long, jobs of classes that are not ours are left to it.
    pub foreign_grace: Duration,
    /// What is done for GitLab's Rails side.
    pub gitlab: GitLabSettings,
}

impl Settings {
    /// Sidekiq's defaults for one capsule with these queues: 25 seconds to stop, 25 retries; and GitLab's fetcher's of
    /// three deaths of a worker under a job.
    pub fn new(concurrency: usize, queues: QueueSet, profile: Profile) -> Self {
        let default = Capsule { name: Capsule::DEFAULT.to_owned(), concurrency: concurrency.max(1), queues };
        Self {
            capsules: vec![default],
            timeout: Duration::from_secs(25),
            max_retries: 25,
            max_interruptions: Some(3),
            labels: Vec::new(),
            tag: String::new(),
            profile,
            keys: Keys::default(),
            poller: PollerSettings::default(),
            dead: DeadSettings::default(),
            foreign_grace: Duration::from_mins(2),
            gitlab: GitLabSettings::default(),
        }
    }

    /// How many jobs run at once, in all capsules together.
    pub fn concurrency(&self) -> usize {
        self.capsules.iter().map(|capsule| capsule.concurrency).sum()
    }

    /// The queues of all capsules, each once.
    pub fn queues(&self) -> Vec<&Arc<str>> {
        let mut seen = HashSet::new();
        let all = self.capsules.iter().flat_map(|capsule| capsule.queues.names());
        all.filter(|queue| seen.insert(Arc::clone(queue))).collect()
    }

    /// The queue named first: where a process puts jobs of its own.
    pub fn first_queue(&self) -> &str {
        self.capsules.first().map_or(Capsule::DEFAULT, |capsule| capsule.queues.first())
    }
}

/// How due jobs are looked for.
#[derive(Debug, Clone)]
pub struct PollerSettings {
    /// Off, if some other process of the same Redis is to do it alone.
    pub enabled: bool,
    /// The time between two looks of *any* process; each process waits longer the more of them there are.
    pub average_interval: Duration,
    /// The time between two looks of *this* process, however many there are.
    pub own_interval: Option<Duration>,
}

impl Default for PollerSettings {
    fn default() -> Self {
        Self { enabled: true, average_interval: Duration::from_secs(5), own_interval: None }
    }
}

/// How much the dead set may hold.
#[derive(Debug, Clone)]
pub struct DeadSettings {
    /// One more than the jobs that stay in it, as in Sidekiq.
    pub max_jobs: u32,
    /// How long a job stays in it.
    pub timeout: Duration,
}

impl Default for DeadSettings {
    fn default() -> Self {
        Self { max_jobs: 10_000, timeout: Duration::from_hours(180 * 24) }
    }
}
