//! A key of another type or a right that is missing: Redis refuses one command each time. Nothing is lost, and what does
//! not need it goes on.

use std::sync::Arc;

use sidemirror::sidekiq::{Cancellations, Keys, Outcome, Process, Profile, Quarantine, Settings};

use crate::redis_server::{RedisServer, until};
use crate::worker::{Record, settings, start};

fn job(jid: &str, work: &str) -> String {
    format!(r#"{{"class":"Tested","queue":"a","args":["at the gate","{work}"],"jid":"{jid}","retry":true}}"#)
}

/// A process with this job in hand.
async fn with_in_hand(server: &RedisServer, job: &str) -> (Process, Arc<Record>) {
    server.push("a", job.as_bytes()).await;
    let (process, record) = start(&server.redis, settings(1, &[("a", 1)])).await;
    until("it runs", async || record.started() == 1).await;
    (process, record)
}

/// How often the server has answered with this error.
async fn refusals(server: &RedisServer, code: &str) -> u64 {
    let stats: String = server.run(&["INFO", "errorstats"]).await;
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("errorstat_{code}:count=")));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

/// Lets a job end that finds no place where it is to go, and sees that it waits in the working list until it does.
async fn waits_in_hand(work: &str, code: &str, into: &[&str], out: &[&str], place: &[&str]) {
    let server = RedisServer::start().await;
    let job = job("one", work);
    let (process, record) = with_in_hand(&server, &job).await;
    let list = format!("working:queue:a:{}", process.identity());
    server.run::<()>(into).await;
    let before = refusals(&server, code).await;
    record.open_gate();
    until("it was refused twice", async || refusals(&server, code).await >= before + 2).await;
    assert_eq!(server.run::<Vec<String>>(&["LRANGE", &list, "0", "-1"]).await, [job], "{work}");
    server.run::<()>(out).await;
    until("it has got there", async || server.run::<usize>(place).await == 1).await;
    process.stop().await;
    assert_eq!((record.started(), record.ended.lock().unwrap().len()), (1, 1), "{work}");
    assert_eq!(server.run::<usize>(&["EXISTS", &list, "queue:a"]).await, 0, "{work}");
}

#[tokio::test]
async fn a_job_whose_retry_schedule_or_dead_set_is_of_another_type_stays_in_the_working_list_until_it_is_not() {
    for (work, set) in [("fail", "retry"), ("later in 1000 s", "schedule"), ("kill", "dead")] {
        waits_in_hand(work, "WRONGTYPE", &["SET", set, "x"], &["DEL", set], &["ZCARD", set]).await;
    }
}

#[tokio::test]
async fn a_job_that_may_not_be_put_off_stays_in_the_working_list_until_it_may() {
    let acl = |rule| ["ACL", "SETUSER", "default", rule];
    // In a script the refusal of a right has no code of its own.
    waits_in_hand("fail", "ERR", &acl("-zadd"), &acl("+zadd"), &["ZCARD", "retry"]).await;
}

#[tokio::test]
async fn a_job_whose_queue_takes_nothing_is_left_to_be_rescued_when_the_process_stops() {
    let server = RedisServer::start().await;
    let (job, other) = (job("one", "until told"), r#"{"class":"Tested","args":["never"]}"#);
    server.push("a", job.as_bytes()).await;
    server.push("b", other.as_bytes()).await;
    let (process, record) = start(&server.redis, settings(2, &[("a", 1), ("b", 1)])).await;
    until("both run", async || record.started() == 2).await;
    server.run::<()>(&["SET", "queue:a", "x"]).await;
    let identity = process.identity().to_string();
    process.stop().await;
    let list = format!("working:queue:a:{identity}");
    assert_eq!(server.run::<Vec<String>>(&["LRANGE", &list, "0", "-1"]).await, [job]);
    assert_eq!(server.run::<Vec<String>>(&["LRANGE", "queue:b", "0", "-1"]).await, [other]);
    let lease = format!("reliable-fetcher-heartbeat-{}", identity.replace(':', "-"));
    assert_eq!(server.run::<usize>(&["EXISTS", &lease, "processes"]).await, 0, "others may take it at once");
}

#[tokio::test]
async fn a_job_that_cannot_be_cancelled_or_released_stays_where_it_was() {
    let server = RedisServer::start().await;
    let cancellations = Cancellations::new(server.redis.clone(), &settings(1, &[("a", 1)]));
    server.push("a", job("waits", "").as_bytes()).await;
    server.run::<()>(&["ZADD", "schedule", "9999999999", &job("scheduled", "")]).await;
    server.run::<()>(&["ZADD", "interrupted", "1", &job("aside", "").replace("\"a\"", "\"wrong\"")]).await;
    server.run::<()>(&["SET", "dead", "x"]).await;
    server.run::<()>(&["SET", "queue:wrong", "x"]).await;
    for jid in ["waits", "scheduled"] {
        assert!(cancellations.cancel(jid).await.unwrap_err().to_string().contains("WRONGTYPE"), "{jid}");
    }
    let quarantine = Quarantine::new(server.redis.clone(), Keys::default(), Profile::V6_4);
    assert!(quarantine.release("aside").await.unwrap_err().to_string().contains("WRONGTYPE"));
    assert_eq!(server.run::<Vec<String>>(&["LRANGE", "queue:a", "0", "-1"]).await, [job("waits", "")]);
    assert_eq!(server.run::<usize>(&["ZCARD", "schedule"]).await, 1);
    assert_eq!(server.run::<usize>(&["ZCARD", "interrupted"]).await, 1);
    server.run::<()>(&["DEL", "dead", "queue:wrong"]).await;
    for jid in ["waits", "scheduled"] {
        cancellations.cancel(jid).await.unwrap();
    }
    assert_eq!(quarantine.release("aside").await.unwrap().as_deref(), Some("wrong"));
    assert_eq!(server.run::<usize>(&["ZCARD", "dead"]).await, 2);
    assert_eq!(server.run::<usize>(&["EXISTS", "schedule", "interrupted", "queue:a"]).await, 0);
}

/// Does a job while a figure is refused, and sees what is told of the process in the two beats after that.
async fn beats_on(profile: Profile, trouble: &[&str], figure: impl AsyncFn(&RedisServer) -> u64) {
    let server = RedisServer::start().await;
    server.run::<()>(trouble).await;
    server.push("a", br#"{"class":"Tested","args":["nap"],"jid":"one"}"#).await;
    let (process, record) = start(&server.redis, Settings { profile, ..settings(1, &[("a", 1)]) }).await;
    until("done", async || record.count(Outcome::Done) == 1).await;
    until("the figures are told", async || figure(&server).await > 0).await;
    let identity = process.identity().to_string();
    for _ in 0..2 {
        let beat: Option<String> = server.run(&["HGET", &identity, "beat"]).await;
        until("a beat", async || server.run::<Option<String>>(&["HGET", &identity, "beat"]).await != beat).await;
    }
    assert_eq!(figure(&server).await, 1, "counted once");
    process.stop().await;
    let lease = format!("reliable-fetcher-heartbeat-{}", identity.replace(':', "-"));
    assert_eq!(server.run::<usize>(&["EXISTS", &lease, "processes"]).await, 0, "it said goodbye");
}

#[tokio::test]
async fn a_total_that_cannot_be_written_neither_ends_the_heartbeat_nor_counts_the_others_twice() {
    let dated = async |server: &RedisServer| {
        let keys: Vec<String> = server.run(&["KEYS", "stat:processed:*"]).await;
        match keys.first() {
            Some(key) => server.run(&["GET", key]).await,
            None => 0,
        }
    };
    beats_on(Profile::V6_4, &["LPUSH", "stat:processed", "x"], dated).await;
}

#[tokio::test]
async fn metrics_that_may_not_be_written_neither_end_the_heartbeat_nor_are_counted_twice() {
    let counted = async |server: &RedisServer| {
        let mut sum = 0;
        for key in server.run::<Vec<String>>(&["KEYS", "j|*"]).await {
            sum += server.run::<Option<u64>>(&["HGET", &key, "Tested|p"]).await.unwrap_or(0);
        }
        sum
    };
    beats_on(Profile::V7, &["ACL", "SETUSER", "default", "-bitfield"], counted).await;
}
