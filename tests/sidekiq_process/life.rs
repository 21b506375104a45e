//! What becomes of a job that is fetched: done, retried, dead or gone.

use std::sync::atomic::Ordering;

use sidemirror::sidekiq::{Client, Keys, NewJob, Outcome, Profile};

use crate::redis_server::{RedisServer, until};
use crate::worker::{settings, start};

#[tokio::test]
async fn every_job_is_run_once_with_no_more_at_a_time_than_slots() {
    let server = RedisServer::start().await;
    let jobs: Vec<NewJob> =
        (0..500).map(|number| NewJob::new("Tested", vec!["nap".into()]).queue(["a", "b", "c"][number % 3])).collect();
    Client::new(server.redis.clone(), Keys::default(), Profile::V6_4).push_bulk(&jobs).await.unwrap();
    let (process, record) = start(&server.redis, settings(10, &[("a", 3), ("b", 1), ("c", 1)])).await;
    until("all done", async || record.count(Outcome::Done) == 500).await;
    process.stop().await;
    assert_eq!((record.started(), record.most_running.load(Ordering::SeqCst)), (500, 10));
    assert_eq!(server.run::<String>(&["GET", "stat:processed"]).await, "500");
    let keys: Vec<String> = server.run(&["KEYS", "*"]).await;
    assert!(!keys.iter().any(|key| key.starts_with("working:") || key.starts_with("queue:")), "{keys:?}");
    assert_eq!(server.run::<usize>(&["SCARD", "processes"]).await, 0);
}

#[tokio::test]
async fn a_failure_is_written_to_retry_with_every_unowned_byte_unchanged() {
    let server = RedisServer::start().await;
    let odd = b"{\"class\":\"Tested\",\"x\":1E5,\"args\":[\"fail\",\"\xff\"],\"n\":123456789012345678901234567890";
    server.push("a", &[&odd[..], b"}"].concat()).await;
    let (process, record) = start(&server.redis, settings(1, &[("a", 1)])).await;
    until("failed", async || record.count(Outcome::Failed) == 1).await;
    process.stop().await;
    let retry: Vec<Vec<u8>> = server.run(&["ZRANGE", "retry", "0", "-1"]).await;
    assert!(retry[0].starts_with(&[&odd[..], b",\"queue\":\"a\",\"error_message\":\"boom \xc3\xa9\""].concat()));
    assert!(String::from_utf8_lossy(&retry[0]).contains(r#""error_class":"IOError","failed_at":"#));
    assert_eq!(server.run::<String>(&["GET", "stat:failed"]).await, "1");
}

#[tokio::test]
async fn exhausted_malformed_and_unretried_jobs_end_where_they_should() {
    let server = RedisServer::start().await;
    for payload in [
        r#"{"class":"Tested","args":["fail"],"retry":0,"jid":"exhausted"}"#,
        r#"{"class":"Tested","args":["fail"],"retry":false,"jid":"unretried"}"#,
        r#"{"class":"Tested","args":["fail"],"retry":0,"dead":false,"jid":"undead"}"#,
        r#"{"class":"Tested","args":["panic"],"retry":0,"jid":"panicked"}"#,
        r#"{"class":"Unknown::Thing","args":[],"retry":0,"jid":"unknown"}"#,
        "[1,2]",
        "not json",
    ] {
        server.push("a", payload.as_bytes()).await;
    }
    let (process, record) = start(&server.redis, settings(3, &[("a", 1)])).await;
    until("all settled", async || record.ended.lock().unwrap().len() == 7).await;
    process.stop().await;
    assert_eq!((record.count(Outcome::Failed), record.count(Outcome::Malformed)), (5, 2));
    let dead: Vec<String> = server.run(&["ZRANGE", "dead", "0", "-1"]).await;
    let has = |part: &str| dead.iter().filter(|text| text.contains(part)).count();
    assert_eq!((dead.len(), has("exhausted"), has("[1,2]"), has("not json")), (5, 1, 1, 1), "{dead:?}");
    assert_eq!(has(r#""error_message":"out of order","error_class":"Panic""#), 1);
    assert_eq!(has(r#""error_message":"uninitialized constant Unknown::Thing","error_class":"NameError""#), 1);
    assert_eq!(server.run::<usize>(&["EXISTS", "retry"]).await, 0);
    assert_eq!(server.run::<String>(&["GET", "stat:processed"]).await, "5");
}

#[tokio::test]
async fn a_job_does_not_wait_while_slots_are_parked_at_other_queues() {
    let server = RedisServer::start().await;
    let (process, record) = start(&server.redis, settings(3, &[("a", 1), ("b", 1), ("c", 1)])).await;
    until("waiting at all queues", async || {
        let clients: String = server.run(&["CLIENT", "LIST"]).await;
        clients.matches("cmd=brpoplpush").count() == 3
    })
    .await;
    let began = std::time::Instant::now();
    for _ in 0..3 {
        server.push("a", br#"{"class":"Tested","args":["until told"]}"#).await;
    }
    until("all started", async || record.started() == 3).await;
    assert!(began.elapsed().as_millis() < 1000, "took {:?}", began.elapsed());
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_counted_just_before_a_stop_is_written_once() {
    let server = RedisServer::start().await;
    for round in 1..=40 {
        let (process, record) = start(&server.redis, settings(2, &[("a", 1)])).await;
        for _ in 0..5 {
            server.push("a", br#"{"class":"Tested","args":[]}"#).await;
        }
        until("done", async || record.count(Outcome::Done) == 5).await;
        // Being quiet makes it beat at once; the stop comes in the middle of that.
        process.stop().await;
        assert_eq!(server.run::<u64>(&["GET", "stat:processed"]).await, 5 * round);
        assert_eq!(server.run::<usize>(&["SCARD", "processes"]).await, 0);
    }
}
