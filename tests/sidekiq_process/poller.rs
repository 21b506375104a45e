//! Due jobs come back with every byte but `enqueued_at` as it was.

use std::time::{Duration, Instant};

use sidemirror::sidekiq::{Outcome, Profile};

use crate::redis_server::{RedisServer, until};
use crate::worker::{settings, start};

#[tokio::test]
async fn due_jobs_are_moved_and_others_wait() {
    let server = RedisServer::start().await;
    let mut due: Vec<String> = (0..250)
        .map(|number| format!(r#"{{"class":"Tested","args":[],"queue":"a","jid":"{number}","x":1E5}}"#))
        .collect();
    due.push(
        r#"{"class":"Other","queue":"elsewhere","n":123456789012345678901234567890,"enqueued_at":1.5}"#.to_owned(),
    );
    for (number, member) in due.iter().enumerate() {
        server.run::<()>(&["ZADD", ["retry", "schedule"][number % 2], "1700000000.5", member]).await;
    }
    server.run::<()>(&["ZADD", "schedule", "9999999999", "later"]).await;
    server.run::<()>(&["ZADD", "schedule", "1", "not json"]).await;
    let (process, record) = start(&server.redis, settings(5, &[("a", 1)])).await;
    until("all done", async || record.count(Outcome::Done) == 250).await;
    until("the dead one is buried", async || server.run::<usize>(&["ZCARD", "dead"]).await == 1).await;
    process.stop().await;
    let elsewhere: Vec<String> = server.run(&["LRANGE", "queue:elsewhere", "0", "-1"]).await;
    let (before, after) = elsewhere[0].split_once("\"enqueued_at\":").unwrap();
    assert_eq!(before, r#"{"class":"Other","queue":"elsewhere","n":123456789012345678901234567890,"#);
    assert!(after.starts_with('1') && after.contains('.') && after.len() > 12, "{after}");
    assert_eq!(server.run::<Vec<String>>(&["ZRANGE", "schedule", "0", "-1"]).await, ["later"]);
    assert_eq!(server.run::<usize>(&["SISMEMBER", "queues", "elsewhere"]).await, 1);
}

/// Adds many members to a sorted set, all due.
async fn add_due(server: &RedisServer, set: &str, members: impl Iterator<Item = String>) {
    let mut add = redis::cmd("ZADD");
    add.arg(set);
    members.enumerate().for_each(|(number, member)| {
        add.arg(1_700_000_000.0 + number as f64).arg(member);
    });
    server.redis.query::<()>(&add).await.unwrap();
}

/// How often the server was asked for a command, by its own count.
async fn calls(server: &RedisServer, command: &str) -> u64 {
    let stats: String = server.run(&["INFO", "commandstats"]).await;
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn thousands_due_at_once_move_in_bulk_and_never_hold_up_the_server() {
    const MEMBERS: usize = 10_000;
    let server = RedisServer::start().await;
    let job =
        |number| format!(r#"{{"class":"Ruby","args":["{}"],"queue":"elsewhere","jid":"{number}"}}"#, "x".repeat(200));
    add_due(&server, "schedule", (0..MEMBERS).map(job)).await;
    server.run::<()>(&["CONFIG", "SET", "slowlog-log-slower-than", "20000"]).await;
    server.run::<()>(&["SLOWLOG", "RESET"]).await;
    let (process, _record) = start(&server.redis, settings(1, &[("a", 1)])).await;
    until("the first have moved", async || server.run::<usize>(&["LLEN", "queue:elsewhere"]).await > 0).await;
    let began = Instant::now();
    until("all have moved", async || server.run::<usize>(&["LLEN", "queue:elsewhere"]).await == MEMBERS).await;
    let (took, pages) = (began.elapsed(), calls(&server, "zrangebyscore").await);
    process.stop().await;
    assert!(took < Duration::from_secs(10) && pages < 150, "{took:?}, {pages} looks");
    let scripts: Vec<Vec<redis::Value>> = server.run(&["SLOWLOG", "GET", "10"]).await;
    assert_eq!(scripts.len(), 0, "commands that took 20 ms and more: {scripts:?}");
    assert_eq!(server.run::<usize>(&["EXISTS", "schedule"]).await, 0);
}

#[tokio::test]
async fn members_that_cannot_be_moved_do_not_keep_others_from_it() {
    let server = RedisServer::start().await;
    server.run::<()>(&["SET", "queue:blocked", "no list"]).await;
    add_due(&server, "retry", (0..250).map(|n| format!(r#"{{"class":"Ruby","args":[{n}],"queue":"blocked"}}"#))).await;
    server.run::<()>(&["ZADD", "retry", "1790000000", r#"{"class":"Tested","args":[],"queue":"a"}"#]).await;
    let (process, record) = start(&server.redis, settings(1, &[("a", 1)])).await;
    until("what is due after them is done", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
    assert_eq!(server.run::<usize>(&["ZCARD", "retry"]).await, 250);
}

#[tokio::test]
async fn a_due_job_without_a_queue_goes_to_the_one_that_rubys_client_puts_it_into() {
    let server = RedisServer::start().await;
    let nameless = [r#"{"class":"Ruby","args":[1E5],"queue":null}"#, r#"{"class":"Ruby","args":[1E5],"queue":""}"#];
    let due = nameless.into_iter().chain([r#"{"class":"Ruby","args":[1E5]}"#]).map(str::to_owned);
    add_due(&server, "schedule", due).await;
    let (process, _) = start(&server.redis, settings(1, &[("a", 1)])).await;
    until("all have moved", async || server.run::<usize>(&["EXISTS", "schedule"]).await == 0).await;
    process.stop().await;
    let moved: String = server.run(&["LINDEX", "queue:default", "0"]).await;
    assert!(moved.starts_with(r#"{"class":"Ruby","args":[1E5],"queue":"default","enqueued_at":"#), "{moved}");
    assert_eq!(server.run::<Vec<String>>(&["ZRANGE", "dead", "0", "-1"]).await, nameless);
    assert_eq!(server.run::<Vec<String>>(&["SMEMBERS", "queues"]).await, ["default"]);
}

#[tokio::test]
async fn due_jobs_that_find_no_place_stay_and_keep_no_others_from_moving() {
    let server = RedisServer::start().await;
    server.run::<()>(&["SET", "dead", "no set"]).await;
    server.run::<()>(&["SET", "retry", "no set"]).await;
    let moving = r#"{"class":"Ruby","args":[],"queue":"elsewhere"}"#;
    add_due(&server, "schedule", ["not json", moving].map(str::to_owned).into_iter()).await;
    let (process, _) = start(&server.redis, settings(1, &[("a", 1)])).await;
    until("the other has moved", async || server.run::<usize>(&["LLEN", "queue:elsewhere"]).await == 1).await;
    assert_eq!(server.run::<Vec<String>>(&["ZRANGE", "schedule", "0", "-1"]).await, ["not json"]);
    server.run::<()>(&["DEL", "dead"]).await;
    until("it is buried", async || server.run::<usize>(&["ZCARD", "dead"]).await == 1).await;
    process.stop().await;
}

#[tokio::test]
async fn a_process_whose_poller_is_off_moves_nothing() {
    let server = RedisServer::start().await;
    add_due(&server, "retry", [r#"{"class":"Tested","args":[],"queue":"a"}"#.to_owned()].into_iter()).await;
    let mut off = settings(1, &[("a", 1)]);
    off.poller.enabled = false;
    let (idle, _) = start(&server.redis, off).await;
    // The other looks after at most five seconds; by then the first would have looked, too.
    tokio::time::sleep(Duration::from_millis(5500)).await;
    assert_eq!(server.run::<usize>(&["ZCARD", "retry"]).await, 1);
    assert_eq!(calls(&server, "zrangebyscore").await, 0);
    idle.stop().await;
    let (process, record) = start(&server.redis, settings(1, &[("a", 1)])).await;
    until("one that polls moves it", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
}

#[tokio::test]
async fn the_time_of_enqueueing_is_written_as_the_sidekiq_beside_us_writes_it() {
    for (profile, is_right) in [
        (Profile::V7, (|at: &serde_json::Value| at.is_f64()) as fn(&_) -> bool),
        (Profile::V8, |at| at.as_u64().is_some_and(|at| at > 1_700_000_000_000)),
    ] {
        let server = RedisServer::start().await;
        add_due(&server, "retry", [r#"{"class":"Ruby","args":[],"queue":"q","n":1E5}"#.to_owned()].into_iter()).await;
        let mut settings = settings(1, &[("a", 1)]);
        settings.profile = profile;
        let (process, _) = start(&server.redis, settings).await;
        until("moved", async || server.run::<usize>(&["LLEN", "queue:q"]).await == 1).await;
        process.stop().await;
        let moved: String = server.run(&["LINDEX", "queue:q", "0"]).await;
        assert!(moved.starts_with(r#"{"class":"Ruby","args":[],"queue":"q","n":1E5,"enqueued_at":"#), "{moved}");
        let parsed: serde_json::Value = serde_json::from_str(&moved).unwrap();
        assert!(is_right(&parsed["enqueued_at"]), "{moved}");
    }
}

#[tokio::test]
async fn processes_that_died_are_taken_off_the_list_by_one_at_a_time() {
    let server = RedisServer::start().await;
    server.run::<()>(&["SADD", "processes", "dead:1:0af3", "alive:2:0af3"]).await;
    server.run::<()>(&["HSET", "alive:2:0af3", "info", "{}"]).await;
    // Another process has just looked.
    server.run::<()>(&["SET", "process_cleanup", "1", "EX", "60"]).await;
    let (process, _) = start(&server.redis, settings(1, &[("a", 1)])).await;
    let looks = calls(&server, "zrangebyscore").await;
    until("it has polled", async || calls(&server, "zrangebyscore").await > looks).await;
    assert_eq!(server.run::<usize>(&["SCARD", "processes"]).await, 3);
    server.run::<()>(&["DEL", "process_cleanup"]).await;
    until("cleaned up", async || server.run::<usize>(&["SISMEMBER", "processes", "dead:1:0af3"]).await == 0).await;
    assert_eq!(server.run::<usize>(&["SISMEMBER", "processes", "alive:2:0af3"]).await, 1);
    assert!((1..=60).contains(&server.run::<i64>(&["TTL", "process_cleanup"]).await));
    process.stop().await;
    assert_eq!(server.run::<Vec<String>>(&["SMEMBERS", "processes"]).await, ["alive:2:0af3"], "we left by ourselves");
}
