//! A forge with a worker, the servers that its mirrors point at, and the Redis between them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use redis::Commands as _;
use serde_json::{Value, json};

use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::repository::Repository;
use crate::rig::wait;
use crate::rig::worker::Worker;

/// Longer than any run of these tests takes on a busy machine.
const RUN: Duration = Duration::from_mins(1);

/// One worker and all that it needs. Nothing is scheduled by time: what runs was pushed by the test.
pub(crate) struct World {
    // In the order in which they end: who asks first, then who answers.
    pub(crate) worker: Worker,
    pub(crate) installation: Installation,
    pub(crate) git: GitServer,
    pub(crate) redis: Redis,
    jobs: AtomicU64,
}

impl World {
    /// Starts everything.
    pub(crate) fn start() -> Self {
        Self::with(|installation| installation)
    }

    /// Starts everything with settings of the test's own.
    pub(crate) fn with(settings: impl FnOnce(Installation) -> Installation) -> Self {
        let (redis, git) = (Redis::start(), GitServer::start());
        let installation = settings(Installation::new(&redis.url()).mirror("scheduler", false));
        let worker = installation.start_worker();
        Self { worker, installation, git, redis, jobs: AtomicU64::new(0) }
    }

    /// Adds a pull mirror of the server's repository `upstream` with this number.
    pub(crate) fn add_pull(&self, id: u64, upstream: &str, options: &[&str]) {
        self.installation.add_mirror("pull", id, &local_path(id), &self.git.url(upstream), options);
    }

    /// Adds a push mirror to the server's repository `far` with this number.
    pub(crate) fn add_push(&self, id: u64, far: &str, options: &[&str]) {
        self.installation.add_mirror("push", id, &local_path(id), &self.git.url(far), options);
    }

    /// The forge's repository that mirrors of this number are about. It may not exist yet.
    pub(crate) fn local(&self, id: u64) -> Repository {
        self.installation.repository(&local_path(id))
    }

    /// The same as an empty repository, as the forge makes it for a new project.
    pub(crate) fn create_local(&self, id: u64) -> Repository {
        Repository::create(self.local(id).path())
    }

    /// Pushes a job for the mirror, waits until it is over and returns how the mirror stands then.
    pub(crate) fn run(&self, direction: &str, id: u64) -> State {
        let pushed_at = Utc::now();
        self.push_job(direction, id);
        self.wait_for_jobs();
        let state = self.state(direction, id);
        let ended = state.time("last_update_at").unwrap_or_else(|| panic!("the mirror never ran: {state:?}"));
        assert!(ended.timestamp_millis() >= pushed_at.timestamp_millis(), "no run ended: {state:?}");
        state
    }

    /// A run that must succeed; returns how many refs it changed.
    #[track_caller]
    pub(crate) fn succeed(&self, direction: &str, id: u64) -> u64 {
        let state = self.run(direction, id);
        assert_eq!((state.status(), state.error()), ("finished", None));
        state.number("last_refs_changed")
    }

    /// A run that must fail; returns the error that the mirror's owner sees.
    #[track_caller]
    pub(crate) fn fail(&self, direction: &str, id: u64) -> String {
        let state = self.run(direction, id);
        assert_eq!(state.status(), "failed", "{state:?}");
        state.error().unwrap().to_owned()
    }

    /// Pushes a job as Rails does, and does not wait for it.
    pub(crate) fn push_job(&self, direction: &str, id: u64) {
        let class = if direction == "pull" { "UpdateMirror" } else { "RemoteMirror" };
        let jid = format!("{:024x}", self.jobs.fetch_add(1, Ordering::Relaxed) + 1);
        #[expect(clippy::cast_precision_loss, reason = "as Ruby does")]
        let now = Utc::now().timestamp_millis() as f64 / 1000.0;
        let job = json!({ "class": class, "args": [id], "retry": false, "queue": "mirrors", "jid": jid,
                          "created_at": now, "enqueued_at": now });
        let _: u64 = self.redis.connection().lpush("queue:mirrors", job.to_string()).unwrap();
    }

    /// Waits until all jobs are acknowledged.
    pub(crate) fn wait_for_jobs(&self) {
        let mut connection = self.redis.connection();
        wait::until("all jobs are acknowledged", RUN, || {
            // A job goes from the one to the other in one step.
            let waiting: u64 = connection.llen("queue:mirrors").unwrap();
            let in_hand: Vec<String> = connection.keys("working:queue:mirrors:*").unwrap();
            waiting == 0 && in_hand.is_empty()
        });
    }

    /// What `mirror show --json` says.
    pub(crate) fn state(&self, direction: &str, id: u64) -> State {
        State(self.installation.mirror_state(direction, id))
    }

    /// Changes a mirror's settings with `mirror update`.
    pub(crate) fn update(&self, direction: &str, id: u64, options: &[&str]) {
        self.installation.cli_ok(&[&["mirror", "update", direction, &id.to_string()], options].concat());
    }
}

/// How a mirror stands, in the words of GitLab's API.
#[derive(Debug)]
pub(crate) struct State(pub(crate) Value);

impl State {
    /// `finished`, `failed` and so on.
    pub(crate) fn status(&self) -> &str {
        self.0["update_status"].as_str().unwrap()
    }

    /// Why the last run failed.
    pub(crate) fn error(&self) -> Option<&str> {
        self.0["last_error"].as_str()
    }

    /// A number such as `retry_count`.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("{name} in {self:?}"))
    }

    /// A moment such as `last_update_at`.
    pub(crate) fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        self.0[name].as_str().map(|text| text.parse().unwrap())
    }
}

fn local_path(id: u64) -> String {
    format!("group/project-{id}.git")
}
