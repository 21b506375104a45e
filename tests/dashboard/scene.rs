//! What there is to see: a worker with a job in hand, and jobs that it has failed, put off, and done.

use std::time::Duration;

use redis::{Commands as _, Connection};
use serde_json::Value;

use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::repository::Repository;
use crate::rig::ruby::Ruby;
use crate::rig::silent::SilentServer;
use crate::rig::wait;
use crate::rig::worker::Worker;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A forge with its Redis, whose Ruby side is of one version, and our worker.
pub(crate) struct Scene {
    pub(crate) redis: Redis,
    pub(crate) connection: Connection,
    pub(crate) worker: Worker,
    /// `hostname:pid`, as pages show it.
    pub(crate) process: String,
    pub(crate) git: GitServer,
    pub(crate) installation: Installation,
    _silent: SilentServer,
}

impl Scene {
    /// Lets Ruby push the jobs, and waits until each of them is where it is to be seen.
    pub(crate) fn set(ruby: Ruby) -> Self {
        let (redis, git, silent) = (Redis::start(), GitServer::start(), SilentServer::start());
        let installation = Installation::new(&redis.url())
            .mirror("sidekiq", format!("{:?}", ruby.profile()))
            .mirror("scheduler", false)
            .mirror("poller", false)
            // The job in hand is to stay there to the end.
            .mirror("stall_timeout", "10m")
            .set("concurrency", 4)
            .set("timeout", 2)
            .set("tag", "forge")
            .set("labels", "[alpha]");
        installation.add_mirror("pull", 1, "silent.git", &GitServer::url_at(silent.port(), "silent.git"), &[]);
        git.create("up/stream.git").commit("main", "first");
        installation.add_mirror("pull", 2, "group/project.git", &git.url("up/stream.git"), &[]);
        for (id, ours) in [(3, "late.git"), (4, "later.git")] {
            git.create(&format!("far/{ours}"));
            installation.add_mirror("push", id, ours, &git.url(&format!("far/{ours}")), &[]);
        }

        let worker = installation.start_worker();
        let mut connection = redis.connection();
        ruby.eval(&redis.url(), include_str!("jobs.rb"));
        wait::until("the jobs to be in their places", PATIENCE, || {
            let sizes = ["retry", "dead", "schedule"].map(|set| connection.zcard::<_, u64>(set).unwrap());
            sizes == [3, 2, 1] && worker.metric(DONE) == Some(1.0)
        });
        let identities: Vec<String> = connection.smembers("processes").unwrap();
        let (process, _) = identities[0].rsplit_once(':').unwrap();
        let process = process.to_owned();
        Self { redis, connection, worker, process, git, installation, _silent: silent }
    }

    /// The members of one of Sidekiq's sorted sets, with their scores.
    pub(crate) fn members(&mut self, set: &str) -> Vec<(Value, f64)> {
        let members: Vec<(String, f64)> = self.connection.zrange_withscores(set, 0, -1).unwrap();
        members.into_iter().map(|(member, score)| (serde_json::from_str(&member).unwrap(), score)).collect()
    }

    /// Creates the repository that a push mirror was without, so that its job can be done now.
    pub(crate) fn create_repository(&self, path: &str) {
        Repository::create(self.installation.repository(path).path()).commit("main", "at last");
    }
}

const DONE: &str = r#"sidemirror_jobs_total{class="UpdateMirror",outcome="done"}"#;
