//! Queues that are paused and resumed. No open-source Sidekiq pauses queues; those that do keep their names in
//! `paused`.

use std::time::{Duration, Instant};

use sidemirror::sidekiq::Outcome;

use crate::redis_server::{RedisServer, until};
use crate::worker::{settings, start};

/// A pause or its end is to be obeyed within this time.
const OBEYED: Duration = Duration::from_secs(5);
const LONG: &[u8] = br#"{"class":"Tested","args":["until told"]}"#;
const SHORT: &[u8] = br#"{"class":"Tested","args":["nap"]}"#;

async fn waits(server: &RedisServer) -> usize {
    server.run::<String>(&["CLIENT", "LIST"]).await.matches(" flags=b ").count()
}

#[tokio::test]
async fn a_queue_is_left_alone_from_its_pause_to_its_end_and_what_is_in_hand_goes_on() {
    let server = RedisServer::start().await;
    server.push("a", LONG).await;
    let (process, record) = start(&server.redis, settings(3, &[("a", 1), ("b", 1)])).await;
    until("one runs, and both queues are waited at", async || record.started() == 1 && waits(&server).await == 2).await;

    server.run::<()>(&["SADD", "paused", "a", "of no concern"]).await;
    let paused = Instant::now();
    until("only one queue is waited at", async || waits(&server).await == 1).await;
    assert!(paused.elapsed() < OBEYED, "{:?}", paused.elapsed());
    server.push("a", SHORT).await;
    for _ in 0..50 {
        server.push("b", SHORT).await;
    }
    until("the other queue is served", async || record.count(Outcome::Done) == 50).await;
    assert_eq!(server.run::<usize>(&["LLEN", "queue:a"]).await, 1);
    assert_eq!(process.busy(), 1);

    server.run::<()>(&["SREM", "paused", "a"]).await;
    let resumed = Instant::now();
    until("it is served again", async || record.count(Outcome::Done) == 51).await;
    assert!(resumed.elapsed() < OBEYED, "{:?}", resumed.elapsed());
    process.stop().await;
}

#[tokio::test]
async fn a_queue_that_was_paused_before_the_start_is_not_touched() {
    let server = RedisServer::start().await;
    server.run::<()>(&["SADD", "paused", "a"]).await;
    server.push("a", SHORT).await;
    server.push("b", SHORT).await;
    let (process, record) = start(&server.redis, settings(1, &[("a", 0), ("b", 0)])).await;
    until("the other queue is served", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
    assert_eq!((server.run::<usize>(&["LLEN", "queue:a"]).await, record.started()), (1, 1));
}

#[tokio::test]
async fn a_set_of_paused_queues_that_cannot_be_read_pauses_nothing() {
    let server = RedisServer::start().await;
    server.run::<()>(&["SET", "paused", "not a set"]).await;
    server.push("a", SHORT).await;
    let (process, record) = start(&server.redis, settings(1, &[("a", 0)])).await;
    until("served all the same", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
}
