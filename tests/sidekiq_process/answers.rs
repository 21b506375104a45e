//! What a job's own answer does with it, in Redis and in the counters.

use std::time::{SystemTime, UNIX_EPOCH};

use sidemirror::sidekiq::{Outcome, Profile};

use crate::redis_server::{RedisServer, until};
use crate::worker::{settings, start};

/// A job that has failed twice already.
fn job(jid: &str, answer: &str, options: &str) -> String {
    format!(
        r#"{{"class":"Tested","args":["{answer}"],"jid":"{jid}","queue":"a","retry_count":1,"failed_at":1.5,"enqueued_at":2.5{options}}}"#
    )
}

/// The members of a sorted set and how far from now their scores are, in seconds.
async fn members(server: &RedisServer, set: &str) -> Vec<(String, f64)> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let members: Vec<(String, f64)> = server.run(&["ZRANGE", set, "0", "-1", "WITHSCORES"]).await;
    members.into_iter().map(|(text, score)| (text, score - now)).collect()
}

/// Runs these jobs, all of which end with this outcome, and stops.
async fn run(server: &RedisServer, jobs: &[String], outcome: Outcome) {
    for job in jobs {
        server.push("a", job.as_bytes()).await;
    }
    let mut settings = settings(1, &[("a", 1)]);
    settings.profile = Profile::V7;
    let (process, record) = start(&server.redis, settings).await;
    until("all settled", async || record.ended.lock().unwrap().len() == jobs.len()).await;
    process.stop().await;
    assert_eq!(record.count(outcome), jobs.len());
}

async fn counters(server: &RedisServer) -> [Option<u64>; 2] {
    server.run(&["MGET", "stat:processed", "stat:failed"]).await
}

#[tokio::test]
async fn a_job_that_names_its_own_delay_is_retried_after_it() {
    let server = RedisServer::start().await;
    run(&server, &[job("1", "again in 1000 s", "")], Outcome::Failed).await;
    let retry = members(&server, "retry").await;
    let [(text, due)] = &retry[..] else { panic!("{retry:?}") };
    // Up to three times nine seconds of jitter, and the time of the test itself.
    assert!((970.0..1028.0).contains(due), "{due}");
    assert!(text.contains(r#""retry_count":2"#) && text.contains(r#""error_message":"boom"#), "{text}");
    assert_eq!(counters(&server).await, [Some(1), Some(1)]);
}

#[tokio::test]
async fn a_job_that_asks_for_its_death_lies_in_the_dead_set_at_once() {
    let server = RedisServer::start().await;
    let jobs = [job("1", "kill", ""), job("2", "kill", r#","dead":false"#), job("3", "kill", r#","retry":false"#)];
    run(&server, &jobs, Outcome::Failed).await;
    let dead = members(&server, "dead").await;
    let [(text, died)] = &dead[..] else { panic!("{dead:?}") };
    assert!(died.abs() < 30.0 && text.contains(r#""jid":"1""#) && text.contains(r#""retry_count":2"#), "{text}");
    assert_eq!(server.run::<u32>(&["EXISTS", "retry", "schedule", "queue:a"]).await, 0);
    assert_eq!(counters(&server).await, [Some(3), Some(3)]);
}

#[tokio::test]
async fn a_discarded_job_leaves_no_trace_but_in_the_counters() {
    let server = RedisServer::start().await;
    run(&server, &[job("1", "discard", ""), job("2", "discard", r#","retry":0"#)], Outcome::Failed).await;
    assert_eq!(server.run::<u32>(&["EXISTS", "retry", "schedule", "dead", "queue:a"]).await, 0);
    assert_eq!(counters(&server).await, [Some(2), Some(2)]);
}

#[tokio::test]
async fn a_job_that_is_put_off_waits_as_it_was_and_is_not_counted() {
    let server = RedisServer::start().await;
    let jobs = [job("1", "later in 1000 s", r#","x":1E5"#)];
    run(&server, &jobs, Outcome::PutOff).await;
    let schedule = members(&server, "schedule").await;
    let [(text, due)] = &schedule[..] else { panic!("{schedule:?}") };
    assert_eq!(*text, jobs[0]);
    assert!((970.0..1001.0).contains(due), "{due}");
    assert_eq!(counters(&server).await, [None, None]);
}
