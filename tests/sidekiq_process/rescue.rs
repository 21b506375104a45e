//! Jobs of dead processes are run; those of living ones are left alone.

use sidemirror::sidekiq::Outcome;

use crate::redis_server::{RedisServer, until};
use crate::worker::{settings, start};

const JOB: &str = r#"{"class":"Tested","args":[]}"#;

#[tokio::test]
async fn jobs_of_dead_processes_are_run_and_those_of_living_ones_are_not() {
    let server = RedisServer::start().await;
    for owner in ["gone:1:0af3", "gone:2", "alive:3:0af3"] {
        server.run::<()>(&["LPUSH", &format!("working:queue:a:{owner}"), JOB, JOB]).await;
    }
    server.run::<()>(&["SET", "reliable-fetcher-heartbeat-alive-3-0af3", "1", "EX", "60"]).await;
    let (process, record) = start(&server.redis, settings(2, &[("a", 1)])).await;
    until("rescued jobs done", async || record.count(Outcome::Done) == 4).await;
    process.stop().await;
    assert_eq!(server.run::<usize>(&["LLEN", "working:queue:a:alive:3:0af3"]).await, 2);
    assert_eq!(record.count(Outcome::Done), 4);
}

#[tokio::test]
async fn a_process_that_died_with_jobs_in_hand_is_survived() {
    let server = RedisServer::start().await;
    server.push("a", br#"{"class":"Tested","args":["until told"]}"#).await;
    let (process, record) = start(&server.redis, settings(2, &[("a", 1)])).await;
    until("runs", async || record.started() == 1).await;
    let lease = format!("reliable-fetcher-heartbeat-{}", process.identity().as_str().replace(':', "-"));
    drop(process);
    // What 60 seconds would do.
    server.run::<()>(&["DEL", &lease]).await;
    let (process, record) = start(&server.redis, settings(2, &[("a", 1)])).await;
    until("runs again", async || record.started() == 1).await;
    process.stop().await;
}
