//! Sidekiq's "Busy" page: it shows our process with what it is doing, and its buttons work.

use std::time::Duration;

use redis::{Commands as _, Connection};
use serde_json::{Value, json};

use crate::beside;
use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::repository::Repository;
use crate::rig::ruby::{Ruby, with_every_ruby};
use crate::rig::silent::SilentServer;
use crate::rig::wait;
use crate::rig::worker::Worker;

const PATIENCE: Duration = Duration::from_secs(20);

with_every_ruby!(
    our_process_shows_with_its_jobs_and_obeys_quiet_and_stop,
    after_term_the_entry_is_gone_and_the_jobs_are_back_in_their_queue
);

/// Two that run for ever, since the far side says nothing, and one that would be over at once.
const PULL: &[u8] =
    b"{ \"class\":\"UpdateMirror\",\"args\":[1,1E5,\"\xff\"],\"jid\":\"pull\",\"n\":123456789012345678901234567890 }";
const PUSH: &[u8] =
    b"{\"class\":\"RemoteMirror\",\"args\":[2],\"jid\":\"push\",\"x\":\"\\u00e9\xe2\x80\xa8\",\"f\":1.0}\n";
const QUICK: &[u8] = br#"{"class":"UpdateMirror","args":[900001],"jid":"quick"}"#;

/// A worker with two jobs in hand and one slot free.
struct BusyWorker {
    ruby: Ruby,
    redis: Redis,
    connection: Connection,
    worker: Worker,
    identity: String,
    _silent: SilentServer,
    _installation: Installation,
}

impl BusyWorker {
    fn start(ruby: Ruby) -> Self {
        let (redis, silent) = (Redis::start(), SilentServer::start());
        let installation =
            beside(ruby, &redis).set("concurrency", 3).set("timeout", 2).set("tag", "forge").set("labels", "[alpha]");
        let url = GitServer::url_at(silent.port(), "group/project.git");
        Repository::create(installation.repository("ours.git").path()).commit("main", "ours");
        installation.add_mirror("pull", 1, "theirs.git", &url, &[]);
        installation.add_mirror("push", 2, "ours.git", &url, &[]);
        let mut connection = redis.connection();
        connection.lpush::<_, _, ()>("queue:mirrors", &[PULL, PUSH]).unwrap();
        let worker = installation.start_worker();
        let identity = wait::for_some("the process to be known", PATIENCE, || {
            connection.srandmember::<_, Option<String>>("processes").unwrap()
        });
        let busy = format!("{identity}:{}", if ruby == Ruby::Bookworm { "workers" } else { "work" });
        wait::until("both jobs to show", PATIENCE, || connection.hlen::<_, u64>(&busy).unwrap() == 2);
        wait::until("both jobs to be at the far side", PATIENCE, || silent.connections() >= 2);
        Self { ruby, redis, connection, worker, identity, _silent: silent, _installation: installation }
    }

    fn busy_page(&self) -> Value {
        self.ruby.eval(&self.redis.url(), include_str!("busy_page.rb"))
    }

    fn press(&self, button: &str) {
        self.ruby.eval(&self.redis.url(), &format!("Sidekiq::ProcessSet.new.each(&:{button})\nnil"));
    }

    /// The worker has gone and left nothing but its jobs.
    fn assert_gone(&mut self, waiting: &[&[u8]]) {
        assert_eq!(self.busy_page(), json!({ "processes": [], "concurrency": 0, "work": [] }));
        let mut queue: Vec<Vec<u8>> = self.connection.lrange("queue:mirrors", 0, -1).unwrap();
        let mut next = queue.split_off(waiting.len());
        next.sort();
        assert_eq!(queue, waiting);
        assert_eq!(next, [PULL, PUSH], "they run next, and every byte is as it was");
        let keys: Vec<String> = self.connection.keys("*").unwrap();
        let left = |key: &&String| key.starts_with("working:") || key.starts_with("reliable-fetcher-heartbeat");
        assert_eq!(keys.iter().find(left), None);
        assert_eq!(self.connection.exists::<_, u64>(&["retry", "dead", "stat:failed"]).unwrap(), 0);
    }
}

fn our_process_shows_with_its_jobs_and_obeys_quiet_and_stop(ruby: Ruby) {
    let mut busy = BusyWorker::start(ruby);
    let page = busy.busy_page();
    let process = &page["processes"][0];
    assert_eq!(process["identity"], *busy.identity);
    assert_eq!((&process["tag"], &process["pid"]), (&json!("forge"), &json!(busy.worker.id())));
    assert_eq!((&process["queues"], &process["labels"][0]), (&json!(["mirrors"]), &json!("sidemirror")));
    assert_eq!(process["labels"].as_array().unwrap().last(), Some(&json!("alpha")));
    assert_eq!((&process["concurrency"], &page["concurrency"], &process["busy"]), (&json!(3), &json!(3), &json!(2)));
    assert_eq!((&process["quiet"], &process["stopping"]), (&json!("false"), &json!(false)));
    assert!(process["started_at"].is_f64() && process["beat"].is_f64(), "{process}");
    assert!(process["rss"].as_u64() > Some(1000) && process["rtt_us"].as_u64() > Some(0), "{process}");
    let mut work: Vec<Value> = page["work"].as_array().unwrap().clone();
    work.sort_by_key(|work| work["jid"].to_string());
    for (work, (class, jid)) in work.iter().zip([("UpdateMirror", "pull"), ("RemoteMirror", "push")]) {
        assert_eq!((&work["class"], &work["jid"]), (&json!(class), &json!(jid)));
        assert_eq!((&work["process"], &work["queue"]), (&json!(busy.identity), &json!("mirrors")));
        assert!(work["run_at"].is_i64(), "{work}");
    }
    assert_eq!((work.len(), work[0]["thread"] == work[1]["thread"]), (2, false));

    busy.press("quiet!");
    let (identity, mut connection) = (busy.identity.clone(), busy.redis.connection());
    wait::until("the process to obey", PATIENCE, || busy.worker.get("/readyz").unwrap().status == 503);
    // Not only with the next heartbeat.
    wait::until("that to show", Duration::from_secs(2), || {
        connection.hget::<_, _, String>(&identity, "quiet").unwrap() == "true"
    });
    assert_eq!(busy.busy_page()["processes"][0]["stopping"], true);
    connection.lpush::<_, _, ()>("queue:mirrors", QUICK).unwrap();
    assert!(busy.worker.is_running());

    busy.press("stop!");
    assert!(busy.worker.wait().success());
    // A quiet process takes no job, though it has a slot for it.
    busy.assert_gone(&[QUICK]);
}

fn after_term_the_entry_is_gone_and_the_jobs_are_back_in_their_queue(ruby: Ruby) {
    let mut busy = BusyWorker::start(ruby);
    assert!(busy.worker.terminate().success());
    busy.assert_gone(&[]);
}
