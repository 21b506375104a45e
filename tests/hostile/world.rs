//! A worker, and all that it needs to meet honest and hostile far sides.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::Utc;
use redis::Commands as _;
use serde_json::{Value, json};

use crate::case::{DEADLINE, Direction, STALL, Way};
use crate::engine::Engine;
use crate::memory::{Peak, Watch};
use crate::neighbours::Neighbours;
use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::repository::Repository;
use crate::rig::wait;
use crate::rig::worker::Worker;

/// No run of these tests may take as long.
const RUN: Duration = Duration::from_mins(1);
/// Small, so that they are soon passed.
const LIMITS: &str = "{listing: 16MiB, object: 64MiB, growth: 64MiB, received: 256MiB, child_memory: 512MiB}";
/// Below it are the honest mirrors.
const FIRST_HOSTILE: u64 = 100;

/// One worker process with small limits. Nothing is scheduled by time: what runs was pushed by the test.
pub(crate) struct World {
    // In the order in which they end: who asks first, then who answers.
    watch: Watch,
    worker: Worker,
    installation: Installation,
    pub(crate) git: GitServer,
    redis: Redis,
    password: PathBuf,
    next: AtomicU64,
    neighbours: Neighbours,
}

impl World {
    pub(crate) fn start(engine: Engine) -> Self {
        let (redis, git) = (Redis::start(), GitServer::start());
        let installation = Installation::new(&redis.url())
            .set("concurrency", 200)
            .mirror("scheduler", false)
            .mirror("connect_timeout", seconds(STALL))
            .mirror("stall_timeout", seconds(STALL))
            .mirror("run_deadline", seconds(DEADLINE))
            .mirror("limits", LIMITS)
            .mirror("git", engine.setting());
        let password = installation.password_file(GitServer::PASSWORD);
        let worker = installation.start_worker();
        let watch = Watch::start(worker.id());
        let (next, neighbours) = (AtomicU64::new(FIRST_HOSTILE), Neighbours::default());
        let world = Self { watch, worker, installation, git, redis, password, next, neighbours };
        Neighbours::settle(&world);
        world
    }

    /// A number that no mirror has yet.
    pub(crate) fn new_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn add(&self, direction: Direction, id: u64, way: Way, url: &str) {
        let (number, repository) = (id.to_string(), local_path(id));
        let mirror = ["mirror", "add", direction.word(), "--id", &number, "--repository", &repository, "--url", url];
        let login = ["--user", GitServer::USER, "--password-file", self.password.to_str().unwrap()];
        let login = if way.has_logins() { &login[..] } else { &[] };
        self.installation.cli_ok(&[&mirror, login].concat());
    }

    /// The forge's repository that the mirror of this number is about. It may not exist yet.
    pub(crate) fn local(&self, id: u64) -> Repository {
        self.installation.repository(&local_path(id))
    }

    pub(crate) fn create_local(&self, id: u64) -> Repository {
        Repository::create(self.local(id).path())
    }

    /// Pushes a job as Rails does, and returns its id.
    pub(crate) fn push_job(&self, direction: Direction, id: u64) -> String {
        let class = match direction {
            Direction::Pull => "UpdateMirror",
            Direction::Push => "RemoteMirror",
        };
        let jid = format!("{:024x}", rand::random::<u64>());
        #[expect(clippy::cast_precision_loss, reason = "as Ruby does")]
        let now = Utc::now().timestamp_millis() as f64 / 1000.0;
        let job = json!({ "class": class, "args": [id], "retry": false, "queue": "mirrors", "jid": jid,
                          "created_at": now, "enqueued_at": now });
        let _: u64 = self.redis.connection().lpush("queue:mirrors", job.to_string()).unwrap();
        jid
    }

    /// Waits until this job is acknowledged.
    pub(crate) fn wait_for(&self, jid: &str) {
        let mut connection = self.redis.connection();
        wait::until("the job to be done", RUN, || {
            // In the order in which it moves.
            let mut lists: Vec<Vec<String>> = vec![connection.lrange("queue:mirrors", 0, -1).unwrap()];
            let in_hand: Vec<String> = connection.keys("working:queue:mirrors:*").unwrap();
            lists.extend(in_hand.iter().map(|list| connection.lrange(list, 0, -1).unwrap()));
            lists.push(connection.zrange("schedule", 0, -1).unwrap());
            !lists.iter().flatten().any(|job| job.contains(jid))
        });
    }

    /// What `mirror show --json` says.
    pub(crate) fn state(&self, direction: Direction, id: u64) -> Value {
        self.installation.mirror_state(direction.word(), id)
    }

    /// Sees honest mirrors work while hostile ones are at it.
    pub(crate) fn see_neighbours(&self) {
        self.neighbours.see_a_round(self);
    }

    /// Panics unless the process that was started serves.
    pub(crate) fn assert_alive(&self) {
        let ready = self.worker.get("/readyz").map(|answer| answer.status);
        assert_eq!(ready, Some(200), "readyz of process {}\n{}", self.worker.id(), self.worker.log());
        assert!(!self.worker.log().contains(GitServer::PASSWORD), "the log holds a password");
    }

    /// What the worker and its children have taken so far.
    pub(crate) fn peak(&self) -> Peak {
        self.watch.peak()
    }
}

fn local_path(id: u64) -> String {
    format!("group/project-{id}.git")
}

fn seconds(limit: Duration) -> String {
    format!("{}s", limit.as_secs())
}
