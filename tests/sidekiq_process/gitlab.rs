//! What GitLab's Rails side finds in its Redises before, while and after one of its jobs runs here.
//!
//! The payloads are written as GitLab's client writes them; what its Ruby would make of them is not proved here.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sidemirror::connections::Redises;
use sidemirror::sidekiq::{Identity, Keys, Outcome, Process, Registry, Settings, Strategy, Switch, Switches};

use crate::redis_server::{RedisServer, until};
use crate::worker::{Record, Tested, settings, start};

/// `Base64.strict_encode64(Zlib::Deflate.deflate('["fail"]', 5))`, by Ruby.
const COMPRESSED_FAILURE: &str = "eF6LVkpLzMxRigUAC6ACmQ==";
const EXECUTING: &str = "sidekiq:concurrency_limit:{tested}:executing";
const STATUS: &str = "gitlab-sidekiq-status:j1";

fn idempotency_key() -> String {
    format!("resque:gitlab:duplicate:a:{}", "0123456789abcdef".repeat(4))
}

fn cookie() -> String {
    format!("resque:gitlab:{}:cookie:v2", idempotency_key())
}

/// A job of GitLab's, with these fields over the usual ones.
fn job(args: &Value, fields: Value) -> String {
    let mut job = json!({
        "retry": 3, "queue": "a", "version": 0, "store": null, "queue_namespace": "cronjob",
        "status_expiration": 1800, "args": args, "class": "Tested", "jid": "j1", "created_at": 1_795_330_943.25,
        "correlation_id": "01HX", "meta.caller_id": "ProjectsController#show", "meta.user": "root",
        "worker_data_consistency": "sticky", "wal_locations": {"main": "0/16B3748"}, "size_limiter": "validated",
        "idempotency_key": idempotency_key(), "enqueued_at": 1_795_330_943.5,
    });
    let (Value::Object(job), Value::Object(fields)) = (&mut job, fields) else { panic!("not objects") };
    job.extend(fields);
    json!(job).to_string()
}

/// A Redis in which GitLab's client has left its keys for the job.
async fn server_with_keys() -> RedisServer {
    let server = RedisServer::start().await;
    for key in [STATUS, &cookie(), &idempotency_key()] {
        server.run::<()>(&["SET", key, "1"]).await;
    }
    server
}

fn settings_with(strategy: Strategy) -> Settings {
    let mut settings = settings(2, &[("a", 1)]);
    settings.gitlab.deduplication.insert("Tested".to_owned(), strategy);
    settings
}

async fn exists(server: &RedisServer, key: &str) -> bool {
    server.run::<usize>(&["EXISTS", key]).await == 1
}

#[tokio::test]
async fn a_job_that_succeeds_leaves_no_key_of_gitlabs_behind() {
    let server = server_with_keys().await;
    server.push("a", job(&json!(["ok"]), json!({})).as_bytes()).await;
    let (process, record) = start(&server.redis, settings_with(Strategy::UntilExecuting)).await;
    until("done", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
    for key in [STATUS, &cookie(), &idempotency_key(), EXECUTING] {
        assert!(!exists(&server, key).await, "{key}");
    }
}

#[tokio::test]
async fn a_job_that_fails_keeps_its_status_key_and_goes_to_retry_as_it_was_written() {
    let server = server_with_keys().await;
    let written = job(&json!([COMPRESSED_FAILURE]), json!({"compressed": true, "original_job_size_bytes": 8}));
    server.push("a", written.as_bytes()).await;
    let mut settings = settings_with(Strategy::UntilExecuted);
    settings.poller.enabled = false;
    let (process, record) = start(&server.redis, settings).await;
    until("failed", async || record.count(Outcome::Failed) == 1).await;
    process.stop().await;
    let retry: Vec<String> = server.run(&["ZRANGE", "retry", "0", "-1"]).await;
    let unchanged = written.strip_suffix('}').unwrap();
    assert!(retry[0].starts_with(&format!(r#"{unchanged},"error_message":"boom"#)), "{retry:?}");
    assert!(exists(&server, STATUS).await);
    assert!(!exists(&server, &cookie()).await && !exists(&server, EXECUTING).await);
}

#[tokio::test]
async fn the_strategy_of_a_class_decides_when_its_cookie_goes() {
    for (strategy, while_running, afterwards) in [
        (Strategy::UntilExecuting, false, false),
        (Strategy::UntilExecuted, true, false),
        (Strategy::RescheduleOnce, true, false),
        (Strategy::None, true, true),
    ] {
        let server = server_with_keys().await;
        server.push("a", job(&json!(["until let go"]), json!({})).as_bytes()).await;
        let (process, record) = start(&server.redis, settings_with(strategy)).await;
        until("running", async || record.started() == 1).await;
        assert_eq!(exists(&server, &cookie()).await, while_running, "{strategy:?}");
        record.let_go();
        until("done", async || record.count(Outcome::Done) == 1).await;
        process.stop().await;
        assert_eq!(exists(&server, &cookie()).await, afterwards, "{strategy:?}");
    }
}

#[tokio::test]
async fn a_job_whose_like_was_dropped_while_it_ran_is_queued_once_more() {
    let server = server_with_keys().await;
    let signal = format!("{}:checking_duplicate", idempotency_key());
    server.run::<()>(&["SET", &signal, "1"]).await;
    let fields = json!({"retry_count": 1, "error_class": "IOError", "deferred": true, "tags": [1.0]});
    server.push("a", job(&json!(["until let go"]), fields).as_bytes()).await;
    let (process, record) = start(&server.redis, settings_with(Strategy::RescheduleOnce)).await;
    until("running", async || record.started() == 1).await;
    // The process is to leave the new job where we can see it.
    process.quiet();
    record.let_go();
    until("done", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
    assert!(!exists(&server, &signal).await && !exists(&server, STATUS).await);
    let queued: Vec<String> = server.run(&["LRANGE", "queue:a", "0", "-1"]).await;
    let again: serde_json::Map<String, Value> = serde_json::from_str(&queued[0]).unwrap();
    assert_eq!((queued.len(), &again["rescheduled_once"], &again["queue"]), (1, &json!(true), &json!("a")));
    assert_eq!((&again["args"], &again["tags"]), (&json!(["until let go"]), &json!([1.0])));
    assert_eq!((&again["correlation_id"], &again["meta.user"]), (&json!("01HX"), &json!("root")));
    assert_eq!(again["meta.caller_id"], "Tested");
    for spent in ["retry_count", "error_class", "deferred", "wal_locations", "idempotency_key"] {
        assert!(!again.contains_key(spent), "{spent}");
    }
    let jid = again["jid"].as_str().unwrap();
    assert!(jid.len() == 24 && again["created_at"].as_f64().unwrap() > 1_795_330_944.0);
    let life: i64 = server.run(&["TTL", &format!("gitlab-sidekiq-status:{jid}")]).await;
    assert!((1..=1800).contains(&life), "{life}");
    assert_eq!(server.run::<Vec<String>>(&["SMEMBERS", "queues"]).await, ["a"]);
}

#[tokio::test]
async fn a_job_whose_class_is_switched_off_leaves_gitlabs_keys_as_they_are() {
    let server = server_with_keys().await;
    server.push("a", job(&json!(["ok"]), json!({})).as_bytes()).await;
    let switches = Switches::new(server.redis.clone(), Keys::default());
    switches.switch_off("Tested", None).await.unwrap();
    let (process, record) = start(&server.redis, settings_with(Strategy::UntilExecuting)).await;
    until("it is held", async || record.count(Outcome::Held) == 1).await;
    process.stop().await;
    // Otherwise each further push of the same job would be let in, and held as well.
    assert!(exists(&server, &cookie()).await && exists(&server, STATUS).await);
}

#[tokio::test]
async fn a_job_that_was_rescheduled_once_is_not_queued_again() {
    let server = server_with_keys().await;
    server.run::<()>(&["SET", &format!("{}:checking_duplicate", idempotency_key()), "1"]).await;
    server.push("a", job(&json!(["ok"]), json!({"rescheduled_once": true})).as_bytes()).await;
    let (process, record) = start(&server.redis, settings_with(Strategy::RescheduleOnce)).await;
    until("done", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
    assert_eq!(record.started(), 1);
    assert!(!exists(&server, "queue:a").await);
}

#[tokio::test]
async fn a_running_job_shows_in_the_executing_hash_under_the_slot_of_the_busy_hash() {
    let server = server_with_keys().await;
    server.push("a", job(&json!(["until told"]), json!({})).as_bytes()).await;
    let (process, record) = start(&server.redis, settings_with(Strategy::UntilExecuting)).await;
    until("running", async || record.started() == 1).await;
    let executing: HashMap<String, i64> = server.run(&["HGETALL", EXECUTING]).await;
    let (field, since) = executing.iter().next().unwrap();
    let (identity, slot) = field.split_once(":tid:").unwrap();
    assert_eq!((executing.len(), identity), (1, process.identity().as_str()));
    assert!((1_700_000_000..9_999_999_999).contains(since));
    let busy = format!("{identity}:workers");
    until("the busy hash is written", async || exists(&server, &busy).await).await;
    let work: String = server.run(&["HGET", &busy, slot]).await;
    let work: Value = serde_json::from_str(&work).unwrap();
    let payload: Value = serde_json::from_str(work["payload"].as_str().unwrap()).unwrap();
    assert_eq!(payload["class"], "Tested");
    process.stop().await;
}

#[tokio::test]
async fn neither_a_panic_nor_a_job_that_is_cut_off_stays_in_the_executing_hash() {
    for args in [json!(["panic"]), json!(["never"])] {
        let server = server_with_keys().await;
        server.push("a", job(&args, json!({"retry": false})).as_bytes()).await;
        let mut settings = settings_with(Strategy::UntilExecuting);
        settings.timeout = Duration::from_secs(1);
        let (process, record) = start(&server.redis, settings).await;
        until("it was there", async || record.started() == 1).await;
        process.stop().await;
        assert!(!exists(&server, EXECUTING).await, "{args}");
    }
}

#[tokio::test]
async fn a_job_that_was_cancelled_before_it_ran_goes_straight_to_the_dead() {
    let server = server_with_keys().await;
    server.run::<()>(&["SET", "sidekiq:cancel:j1", "1"]).await;
    server.push("a", job(&json!(["ok"]), json!({})).as_bytes()).await;
    let (process, record) = start(&server.redis, settings_with(Strategy::UntilExecuting)).await;
    until("settled", async || record.ended.lock().unwrap().len() == 1).await;
    process.stop().await;
    assert_eq!(record.started(), 0);
    let dead: Vec<String> = server.run(&["ZRANGE", "dead", "0", "-1"]).await;
    assert!(dead.len() == 1 && dead[0].contains(r#""error_class":"Sidemirror::Cancelled""#), "{dead:?}");
    assert!(!exists(&server, "retry").await && !exists(&server, EXECUTING).await);
}

#[tokio::test]
async fn a_running_job_that_gitlab_cancels_leaves_within_a_second() {
    let server = server_with_keys().await;
    server.push("a", job(&json!(["until told"]), json!({})).as_bytes()).await;
    let (process, record) = start(&server.redis, settings_with(Strategy::UntilExecuting)).await;
    until("running", async || record.started() == 1).await;
    server.run::<()>(&["SET", "sidekiq:cancel:j1", "1"]).await;
    let cancelled = Instant::now();
    until("cancelled", async || record.count(Outcome::Cancelled) == 1).await;
    assert!(cancelled.elapsed() < Duration::from_secs(2), "{:?}", cancelled.elapsed());
    process.stop().await;
    assert_eq!(server.run::<usize>(&["ZCARD", "dead"]).await, 1);
    assert!(exists(&server, STATUS).await && !exists(&server, EXECUTING).await);
}

#[tokio::test]
async fn arguments_of_a_version_that_is_not_known_are_not_guessed_at() {
    let server = server_with_keys().await;
    server.push("a", job(&json!(["ok"]), json!({"version": 1, "retry": 0})).as_bytes()).await;
    let (process, record) = start(&server.redis, settings_with(Strategy::UntilExecuting)).await;
    until("failed", async || record.count(Outcome::Failed) == 1).await;
    process.stop().await;
    assert_eq!(record.started(), 0);
    let dead: Vec<String> = server.run(&["ZRANGE", "dead", "0", "-1"]).await;
    assert!(dead[0].contains("the arguments are of version 1; only 0 is known here"), "{dead:?}");
}

#[tokio::test]
async fn a_key_that_is_no_cookie_is_not_deleted_because_a_payload_names_it() {
    let server = server_with_keys().await;
    server.run::<()>(&["LPUSH", "queue:other", "{}"]).await;
    server.push("a", job(&json!(["ok"]), json!({"idempotency_key": "queue:other"})).as_bytes()).await;
    let (process, record) = start(&server.redis, settings_with(Strategy::UntilExecuting)).await;
    until("done", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
    assert!(exists(&server, "queue:other").await);
}

#[tokio::test]
async fn gitlabs_keys_are_looked_for_in_the_redis_where_gitlab_keeps_them() {
    let (queues, metadata, shared) = (RedisServer::start().await, server_with_keys().await, RedisServer::start().await);
    queues.push("a", job(&json!(["ok"]), json!({"jid": "j1"})).as_bytes()).await;
    queues.push("a", job(&json!(["ok"]), json!({"jid": "j2"})).as_bytes()).await;
    shared.run::<()>(&["SET", "sidekiq:cancel:j2", "1"]).await;
    let record = Arc::new(Record::default());
    let registry = Registry::new().serve("Tested", Arc::new(Tested(Arc::clone(&record))));
    let redises = Redises {
        queues: queues.redis.clone(),
        queues_metadata: metadata.redis.clone(),
        shared_state: shared.redis.clone(),
    };
    let settings = settings_with(Strategy::UntilExecuting);
    let process = Process::start(Identity::new(), settings, redises, registry, Arc::clone(&record) as _).await.unwrap();
    until("both settled", async || record.ended.lock().unwrap().len() == 2).await;
    process.stop().await;
    assert_eq!((record.count(Outcome::Done), queues.run::<usize>(&["ZCARD", "dead"]).await), (1, 1));
    assert!(!exists(&metadata, STATUS).await && !exists(&metadata, &cookie()).await);
    assert!(!exists(&queues, EXECUTING).await);
}

#[tokio::test]
async fn the_end_of_a_job_is_told_to_gitlab_once_its_redis_is_back() {
    let (queues, mut metadata) = (RedisServer::start().await, server_with_keys().await);
    queues.push("a", job(&json!(["until let go"]), json!({})).as_bytes()).await;
    let record = Arc::new(Record::default());
    let registry = Registry::new().serve("Tested", Arc::new(Tested(Arc::clone(&record))));
    let redises = Redises { queues_metadata: metadata.redis.clone(), ..Redises::from(queues.redis.clone()) };
    let settings = settings_with(Strategy::UntilExecuting);
    let process = Process::start(Identity::new(), settings, redises, registry, Arc::clone(&record) as _).await.unwrap();
    until("running", async || record.started() == 1).await;
    // The server is gone before the job ends, and the job is not over before the server is back.
    tokio::join!(metadata.crash(Duration::from_secs(3)), async {
        record.let_go();
        until("the job has ended", async || record.running.load(Ordering::SeqCst) == 0).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(record.count(Outcome::Done), 0);
    });
    until("done", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
}

#[tokio::test]
async fn a_job_runs_although_gitlabs_redis_does_not_permit_what_belongs_to_it() {
    let (queues, metadata) = (RedisServer::start().await, server_with_keys().await);
    metadata.run::<()>(&["ACL", "SETUSER", "default", "-hset", "-hdel"]).await;
    queues.push("a", job(&json!(["ok"]), json!({})).as_bytes()).await;
    let record = Arc::new(Record::default());
    let registry = Registry::new().serve("Tested", Arc::new(Tested(Arc::clone(&record))));
    let redises = Redises { queues_metadata: metadata.redis.clone(), ..Redises::from(queues.redis.clone()) };
    let settings = settings_with(Strategy::UntilExecuting);
    let process = Process::start(Identity::new(), settings, redises, registry, Arc::clone(&record) as _).await.unwrap();
    until("done", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
    // What is permitted was done.
    assert!(!exists(&metadata, STATUS).await && !exists(&metadata, &cookie()).await);
}

#[tokio::test]
async fn a_job_costs_one_round_trip_before_and_one_after_and_none_if_it_is_not_gitlabs() {
    let server = RedisServer::start().await;
    // The last column: reads of the server's per job beyond those that a job of anybody's needs.
    let plain = r#"{"class":"Tested","args":["ok"],"jid":"j1","correlation_id":"c","meta.user":"root"}"#.to_owned();
    let ours = job(&json!(["ok"]), json!({}));
    let mut reads = Vec::new();
    for (payload, switch) in [(&plain, Switch::Auto), (&ours, Switch::Off), (&ours, Switch::Auto), (&plain, Switch::On)]
    {
        const JOBS: u32 = 2000;
        for _ in 0..JOBS {
            server.push("a", payload.as_bytes()).await;
        }
        let before = server.reads().await;
        let mut settings = settings(1, &[("a", 1)]);
        settings.gitlab.enabled = switch;
        let (process, record) = start(&server.redis, settings).await;
        until("all done", async || record.count(Outcome::Done) == JOBS as usize).await;
        process.stop().await;
        reads.push((server.reads().await - before) / f64::from(JOBS));
    }
    println!("reads of the server's per job: {reads:.2?}");
    assert!(reads[..2].iter().all(|reads| (1.0..1.4).contains(reads)), "{reads:.2?}");
    assert!(reads[2..].iter().all(|reads| (3.0..3.4).contains(reads)), "{reads:.2?}");
}
