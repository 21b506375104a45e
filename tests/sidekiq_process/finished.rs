//! Jobs that are over, though Redis does not know it yet.

use sidemirror::sidekiq::{Outcome, Process};

use crate::redis_server::{RedisServer, until};
use crate::worker::{settings, start};

const JOB: &str = r#"{"class":"Tested","args":["at the gate","nap"],"jid":"one","enqueued_at":1.5}"#;

/// Takes the job that runs from the worker's list, as somebody does who takes the worker for dead.
async fn take_to(server: &RedisServer, process: &Process, list: &str) {
    let working = format!("working:queue:a:{}", process.identity());
    assert_eq!(server.run::<String>(&["RPOPLPUSH", &working, list]).await, JOB);
}

#[tokio::test]
async fn a_job_that_was_taken_from_us_while_it_ran_is_not_run_again_when_it_comes_back() {
    let server = RedisServer::start().await;
    server.push("a", JOB.as_bytes()).await;
    let (process, record) = start(&server.redis, settings(1, &[("a", 1)])).await;
    until("runs", async || record.started() == 1).await;
    take_to(&server, &process, "elsewhere").await;
    record.open_gate();
    until("over here", async || record.count(Outcome::Interrupted) == 1).await;
    server.run::<()>(&["RPOPLPUSH", "elsewhere", "queue:a"]).await;
    until("acknowledged", async || record.count(Outcome::Repeated) == 1).await;
    assert_eq!(record.started(), 1);
    // It is over for good now: the same text once more is a job like any other.
    server.push("a", JOB.as_bytes()).await;
    until("runs", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
    assert_eq!(server.run::<Vec<String>>(&["KEYS", "*queue:*"]).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_job_that_was_rescued_from_us_while_it_ran_is_not_run_again_when_we_fetch_it() {
    let server = RedisServer::start().await;
    server.push("a", JOB.as_bytes()).await;
    let (process, record) = start(&server.redis, settings(1, &[("a", 1)])).await;
    until("runs", async || record.started() == 1).await;
    let lease = format!("reliable-fetcher-heartbeat-{}", process.identity().as_str().replace(':', "-"));
    server.run::<()>(&["DEL", &lease]).await;
    let (rescuer, _) = start(&server.redis, settings(1, &[("b", 1)])).await;
    until("rescued", async || server.run::<usize>(&["LLEN", "queue:a"]).await == 1).await;
    let counted = JOB.replace('}', r#","interrupted_count":1}"#);
    assert_eq!(server.run::<String>(&["LINDEX", "queue:a", "0"]).await, counted);
    record.open_gate();
    until("both have ended", async || record.ended.lock().unwrap().len() == 2).await;
    process.stop().await;
    rescuer.stop().await;
    assert_eq!((record.started(), record.count(Outcome::Interrupted), record.count(Outcome::Repeated)), (1, 1, 1));
    assert_eq!(server.run::<Vec<String>>(&["KEYS", "*queue:*"]).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_job_that_comes_back_with_its_own_acknowledgement_is_not_run_again() {
    let server = RedisServer::start().await;
    server.push("a", JOB.as_bytes()).await;
    let (process, record) = start(&server.redis, settings(1, &[("a", 1)])).await;
    until("runs", async || record.started() == 1).await;
    take_to(&server, &process, "queue:a").await;
    record.open_gate();
    until("acknowledged", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
    assert_eq!(record.started(), 1);
    assert_eq!(server.run::<Vec<String>>(&["KEYS", "*queue:*"]).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_job_whose_acknowledgement_is_refused_is_acknowledged_later_and_not_run_again() {
    let server = RedisServer::start().await;
    server.push("a", JOB.as_bytes()).await;
    let (process, record) = start(&server.redis, settings(2, &[("a", 1)])).await;
    until("runs", async || record.started() == 1).await;
    server.run::<()>(&["ACL", "SETUSER", "default", "-lrem"]).await;
    record.open_gate();
    until("an acknowledgement was refused", async || {
        server
            .run::<String>(&["INFO", "commandstats"])
            .await
            .contains("cmdstat_lrem:calls=0,usec=0,usec_per_call=0.00,rejected_calls=2")
    })
    .await;
    // Its slot is still held, so nothing else was taken with it.
    assert_eq!(process.busy(), 1);
    // It comes back while we still try: the other slot takes it.
    take_to(&server, &process, "queue:a").await;
    until("the other slot has it", async || process.busy() == 2).await;
    server.run::<()>(&["ACL", "SETUSER", "default", "+lrem"]).await;
    until("both have ended", async || record.ended.lock().unwrap().len() == 2).await;
    process.stop().await;
    assert_eq!((record.started(), record.count(Outcome::Repeated)), (1, 1));
    assert_eq!(server.run::<Vec<String>>(&["KEYS", "*queue:*"]).await, Vec::<String>::new());
}

#[tokio::test]
async fn jobs_that_end_while_the_memory_of_redis_is_full_are_settled() {
    let server = RedisServer::start().await;
    server.push("a", JOB.as_bytes()).await;
    server.push("a", JOB.replace("nap", "fail").as_bytes()).await;
    let (process, record) = start(&server.redis, settings(2, &[("a", 1)])).await;
    until("both run", async || record.started() == 2).await;
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    record.open_gate();
    until("both are settled", async || record.ended.lock().unwrap().len() == 2).await;
    assert_eq!((record.count(Outcome::Done), record.count(Outcome::Failed)), (1, 1));
    assert_eq!(server.run::<usize>(&["ZCARD", "retry"]).await, 1);
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    server.push("a", br#"{"class":"Tested","args":[]}"#).await;
    until("work goes on", async || record.count(Outcome::Done) == 2).await;
    process.stop().await;
}
