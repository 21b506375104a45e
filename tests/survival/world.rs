//! The world of a test: an upstream behind a gate, pull mirrors of it, and workers whose runs hang until it opens.

use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use redis::{Commands as _, Connection};
use sidemirror::mirror::record::Mirror;
use sidemirror::mirror::state::Status;

use crate::jobs;
use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::proxy::Proxy;
use crate::rig::redis::Redis;
use crate::rig::repository::Repository;
use crate::rig::store::Store;
use crate::rig::wait;
use crate::rig::worker::Worker;

/// How long starting a hundred runs, or doing the rest of them, may take on a busy machine.
pub(crate) const WORK: Duration = Duration::from_mins(1);

/// Between two looks at all mirrors and jobs.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct World {
    pub(crate) redis: Redis,
    pub(crate) git: GitServer,
    /// What every mirror follows, each under a path of its own.
    pub(crate) upstream: Repository,
    /// Between the workers and the upstream.
    pub(crate) gate: Proxy,
    pub(crate) installation: Installation,
    pub(crate) store: Store,
    pub(crate) mirrors: u64,
}

impl World {
    /// Pull mirrors 1 to `mirrors`, none of them due, and workers that can run all of them at once.
    pub(crate) fn new(mirrors: u64) -> Self {
        Self::on(Redis::start(), mirrors)
    }

    pub(crate) fn on(redis: Redis, mirrors: u64) -> Self {
        let git = GitServer::start();
        let upstream = git.create("up/stream.git");
        upstream.commits("main", 3);
        upstream.annotated_tag("v1", "main");
        let gate = Proxy::to(git.port());
        let installation = Installation::new(&redis.url())
            .set("concurrency", mirrors)
            // Nobody is to give up because a gate is closed for long.
            .mirror("stall_timeout", "10m")
            // One request for the list of refs is one run, and a run is in this process alone.
            .mirror("git", "{ engine: libgit2 }")
            // All at one host, and all at once.
            .mirror("hosts", "{ concurrency: unlimited }");
        let store = Store::open(&redis, &installation);
        let world = Self { redis, git, upstream, gate, installation, store, mirrors };
        world.numbers().for_each(|number| world.add_mirror(number));
        world
    }

    fn add_mirror(&self, number: u64) {
        symlink(self.upstream.path(), self.git.repository_path(&far_path(number))).unwrap();
        self.store_mirror(number);
    }

    /// Writes a mirror that has never run.
    pub(crate) fn store_mirror(&self, number: u64) {
        let url = GitServer::url_at(self.gate.port(), &far_path(number));
        self.store.add_pull(number, &local_path(number), &url, Utc::now() + TimeDelta::days(1));
    }

    pub(crate) fn restart_redis(&mut self) {
        self.redis.restart();
        // The old one's connection is broken.
        self.store = Store::open(&self.redis, &self.installation);
    }

    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> + use<> {
        1..=self.mirrors
    }

    /// One job for each mirror, in the order of their texts.
    pub(crate) fn jobs(&self) -> Vec<String> {
        let mut jobs: Vec<String> = self.numbers().map(|number| jobs::pull_job(number, &jid(number))).collect();
        jobs.sort();
        jobs
    }

    /// Pushes a job for each mirror and starts a worker; returns when all its runs hang at the closed gate.
    pub(crate) fn worker_in_the_middle_of_all_runs(&self) -> Worker {
        self.gate.close_gate();
        jobs::push(&mut self.connection(), &self.jobs());
        let worker = self.installation.start_worker();
        self.wait_until_runs_hang(self.mirrors);
        worker
    }

    /// Waits until so many runs have begun and asked the upstream.
    pub(crate) fn wait_until_runs_hang(&self, runs: u64) {
        let mut redis = self.connection();
        let runs = usize::try_from(runs).unwrap();
        wait::until("all runs to hang at the gate", WORK, || {
            self.gate.held_connections() >= runs && with_status(&mut redis, Status::Started) >= runs
        });
    }

    /// Waits until each mirror is up to date and no job is left anywhere.
    pub(crate) fn wait_until_done(&self, limit: Duration) {
        let (mut redis, mirrors) = (self.connection(), usize::try_from(self.mirrors).unwrap());
        let begin = Instant::now();
        let mut seen = (0, 0, 0);
        let mut look = || {
            let finished = with_status(&mut redis, Status::Finished);
            seen = (finished, with_status(&mut redis, Status::Failed), jobs::anywhere(&mut redis));
            seen == (mirrors, 0, 0)
        };
        while !look() && begin.elapsed() < limit {
            std::thread::sleep(PAUSE);
        }
        assert_eq!(seen, (mirrors, 0, 0), "mirrors finished, mirrors failed, jobs left, after {limit:?}");
    }

    /// What must be true when every job was run and nobody is at any mirror.
    pub(crate) fn assert_all_is_well(&self) {
        let mut redis = self.connection();
        assert_eq!(jobs::anywhere(&mut redis), 0, "no job is left");
        assert_eq!(redis.zcard::<_, u64>("sidemirror:capacity").unwrap(), 0, "no slot is taken");
        wait::until("no run to be owned", WORK, || run_keys(&mut redis).is_empty());
        let expected = self.upstream.mirrored_refs();
        for mirror in self.store.mirrors() {
            let state = &mirror.state;
            let seen = (state.status, state.retry_count, &state.last_error, &state.run);
            assert_eq!(seen, (Status::Finished, 0, &None, &None), "mirror {}", mirror.id);
            let local = self.local(&mirror);
            assert_eq!(local.mirrored_refs(), expected, "mirror {}", mirror.id);
            local.git(&["fsck", "--strict"]);
        }
    }

    pub(crate) fn local(&self, mirror: &Mirror) -> Repository {
        self.installation.repository(&mirror.settings.repository)
    }

    pub(crate) fn connection(&self) -> Connection {
        self.redis.connection()
    }
}

/// How many mirrors stand there.
pub(crate) fn with_status(redis: &mut Connection, status: Status) -> usize {
    redis.scard(format!("sidemirror:pull:status:{}", status.as_str())).unwrap()
}

/// The keys by which runs are owned.
pub(crate) fn run_keys(redis: &mut Connection) -> Vec<String> {
    redis.keys("sidemirror:run:*").unwrap()
}

/// How many runs have ended in this way in a worker.
pub(crate) fn runs(worker: &Worker, outcome: &str) -> u64 {
    let of = |engine| format!(r#"sidemirror_runs_total{{direction="pull",engine="{engine}",outcome="{outcome}"}}"#);
    ["libgit2", "none"].map(|engine| count(worker.metric(&of(engine)))).iter().sum()
}

/// A counter that may not have been counted up yet.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
pub(crate) fn count(metric: Option<f64>) -> u64 {
    metric.unwrap_or_default() as u64
}

pub(crate) fn jid(mirror: u64) -> String {
    format!("{mirror:024x}")
}

/// The upstream's path for one mirror.
pub(crate) fn far_path(mirror: u64) -> String {
    format!("up/for-{mirror}.git")
}

/// The local repository of a mirror.
pub(crate) fn local_path(mirror: u64) -> String {
    format!("group/project-{mirror}.git")
}
