//! Redis goes away and comes back: nothing exits, and work goes on.

use std::time::Duration;

use sidemirror::sidekiq::Outcome;

use crate::redis_server::{RedisServer, connect, until};
use crate::worker::{settings, start};

#[tokio::test]
async fn a_process_outlives_a_crash_of_redis() {
    let mut server = RedisServer::start().await;
    let redis = connect(server.port).await.unwrap();
    server.push("a", br#"{"class":"Tested","args":["nap"]}"#).await;
    let (process, record) = start(&redis, settings(2, &[("a", 1)])).await;
    until("works", async || record.count(Outcome::Done) == 1).await;
    server.crash(Duration::from_secs(2)).await;
    server.push("a", br#"{"class":"Tested","args":["nap"]}"#).await;
    until("works again", async || record.count(Outcome::Done) == 2).await;
    until("is known again", async || server.run::<usize>(&["SCARD", "processes"]).await == 1).await;
    process.stop().await;
}

#[tokio::test]
async fn an_unreachable_redis_is_told_at_once_by_its_address() {
    let error = connect(1).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot connect to Redis at 127.0.0.1:1/0: "), "{error}");
}
