//! Redis is killed and comes back without its data while jobs run.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sidemirror::sidekiq::{Keys, Outcome, Process, Switches};

use crate::redis_server::{RedisServer, connect, until};
use crate::worker::{Record, settings, start};

const JOBS: [&str; 3] = [
    r#"{"class":"Tested","args":["at the gate","nap"],"jid":"one"}"#,
    r#"{"class":"Tested","args":["at the gate","nap"],"jid":"two"}"#,
    r#"{"class":"Tested","args":["at the gate","fail"],"jid":"three"}"#,
];

async fn with_three_jobs_in_hand(server: &RedisServer) -> (Process, std::sync::Arc<Record>) {
    for job in JOBS {
        server.push("a", job.as_bytes()).await;
    }
    // A connection of its own, which has to find the way back by itself.
    let redis = connect(server.port).await.unwrap();
    let (process, record) = start(&redis, settings(4, &[("a", 1), ("b", 1)])).await;
    until("all run", async || record.started() == 3).await;
    (process, record)
}

async fn assert_each_ended_as_it_would_have(server: &RedisServer, process: Process, record: &Record) {
    until("all have ended", async || record.ended.lock().unwrap().len() >= 3).await;
    process.stop().await;
    assert_eq!((record.count(Outcome::Done), record.count(Outcome::Failed), record.started()), (2, 1, 3));
    assert_eq!(record.losses.load(Ordering::SeqCst), 1, "told once");
    let retry: Vec<String> = server.run(&["ZRANGE", "retry", "0", "-1"]).await;
    assert!(retry.len() == 1 && retry[0].contains(r#""jid":"three""#), "{retry:?}");
    assert_eq!(server.run::<Vec<String>>(&["KEYS", "*queue:*"]).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_in_hand_is_written_back_with_all_that_others_know_of_us() {
    let mut server = RedisServer::start().await;
    let (process, record) = with_three_jobs_in_hand(&server).await;
    server.crash(Duration::from_secs(1)).await;
    let identity = process.identity();
    let (list, busy) = (format!("working:queue:a:{identity}"), format!("{identity}:workers"));
    let lease = format!("reliable-fetcher-heartbeat-{}", identity.as_str().replace(':', "-"));
    let back = Instant::now();
    until("the jobs are written back", async || server.run::<usize>(&["LLEN", &list]).await == 3).await;
    until("the lease is there", async || server.run::<usize>(&["EXISTS", &lease]).await == 1).await;
    let entry = identity.as_str();
    until("others know of us", async || {
        server.run::<usize>(&["SISMEMBER", "processes", entry]).await == 1
            && server.run::<usize>(&["HLEN", &busy]).await == 3
            && server.run::<usize>(&["EXISTS", entry]).await == 1
    })
    .await;
    // One beat of 6.4, and a second in which the loss is noticed.
    assert!(back.elapsed() < Duration::from_secs(8), "{:?}", back.elapsed());
    let mut written: Vec<String> = server.run(&["LRANGE", &list, "0", "-1"]).await;
    written.sort();
    let mut expected = JOBS.to_vec();
    expected.sort_unstable();
    assert_eq!(written, expected);
    record.open_gate();
    assert_each_ended_as_it_would_have(&server, process, &record).await;
}

#[tokio::test]
async fn jobs_that_end_before_redis_is_back_end_as_they_would_have() {
    let mut server = RedisServer::start().await;
    let (process, record) = with_three_jobs_in_hand(&server).await;
    let opener = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        record.open_gate();
    };
    tokio::join!(server.crash(Duration::from_secs(2)), opener);
    assert_each_ended_as_it_would_have(&server, process, &record).await;
}

#[tokio::test]
async fn a_database_that_is_flushed_is_noticed_too() {
    let server = RedisServer::start().await;
    let (process, record) = with_three_jobs_in_hand(&server).await;
    server.run::<()>(&["FLUSHDB"]).await;
    let flushed = Instant::now();
    let list = format!("working:queue:a:{}", process.identity());
    until("the jobs are written back", async || server.run::<usize>(&["LLEN", &list]).await == 3).await;
    assert!(flushed.elapsed() < Duration::from_secs(3), "not with the next look: {:?}", flushed.elapsed());
    record.open_gate();
    assert_each_ended_as_it_would_have(&server, process, &record).await;
}

#[tokio::test]
async fn orders_that_stood_stand_again_and_nothing_runs_meanwhile() {
    for flushed in [true, false] {
        let mut server = RedisServer::start().await;
        let (process, record) = with_three_jobs_in_hand(&server).await;
        let switches = Switches::new(server.redis.clone(), Keys::default());
        switches.switch_off("Tested", None).await.unwrap();
        switches.pause(Some("repairs")).await.unwrap();
        until("it heeds the pause", async || record.paused.load(Ordering::SeqCst)).await;
        if flushed {
            server.run::<()>(&["FLUSHDB"]).await;
        } else {
            server.crash(Duration::from_secs(1)).await;
        }
        let lost = Instant::now();
        server.push("a", JOBS[0].as_bytes()).await;
        let switches = Switches::new(server.redis.clone(), Keys::default());
        until("the orders are back", async || {
            let standing = switches.standing().await.unwrap();
            standing.paused.is_some() && standing.off.contains_key("Tested")
        })
        .await;
        assert!(lost.elapsed() < Duration::from_secs(4), "{:?}", lost.elapsed());
        let pause = switches.standing().await.unwrap().paused.unwrap();
        assert!(pause.since > 1e9 && pause.reason.unwrap().contains("Redis had lost its data"));
        // What is ordered from now on counts.
        assert!(switches.switch_on("Tested").await.unwrap());
        record.open_gate();
        until("the jobs in hand have ended", async || record.ended.lock().unwrap().len() == 3).await;
        assert_eq!((record.started(), server.run::<usize>(&["LLEN", "queue:a"]).await), (3, 1));
        switches.resume().await.unwrap();
        until("the waiting job is done", async || record.count(Outcome::Done) == 3).await;
        process.stop().await;
    }
}

#[tokio::test]
async fn nothing_is_taken_before_the_lease_is_there_again() {
    let mut server = RedisServer::start().await;
    let redis = connect(server.port).await.unwrap();
    let (process, record) = start(&redis, settings(2, &[("a", 1)])).await;
    until("waits", async || server.run::<String>(&["CLIENT", "LIST"]).await.contains(" flags=b ")).await;
    server.crash(Duration::from_secs(1)).await;
    server.push("a", JOBS[0].as_bytes()).await;
    let list = format!("working:queue:a:{}", process.identity());
    let lease = format!("reliable-fetcher-heartbeat-{}", process.identity().as_str().replace(':', "-"));
    let look = "return redis.call('EXISTS', KEYS[1]) == 1 and redis.call('EXISTS', KEYS[2]) == 0";
    let without = async || server.run::<bool>(&["EVAL", look, "2", &list, &lease]).await;
    until("taken", async || without().await || record.started() == 1).await;
    assert!(!without().await, "in hand without a lease");
    record.open_gate();
    process.stop().await;
}
