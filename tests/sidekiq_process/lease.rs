//! The proof that a process lives, while Redis is in trouble.

use sidemirror::sidekiq::Outcome;

use crate::redis_server::{RedisServer, until};
use crate::worker::{settings, start};

#[tokio::test]
async fn a_worker_does_not_look_dead_because_the_memory_of_redis_is_full() {
    let server = RedisServer::start().await;
    server.push("a", br#"{"class":"Tested","args":["at the gate","nap"],"jid":"one"}"#).await;
    let (process, record) = start(&server.redis, settings(1, &[("a", 1)])).await;
    until("runs", async || record.started() == 1).await;
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let identity = process.identity().as_str();
    let lease = format!("reliable-fetcher-heartbeat-{}", identity.replace(':', "-"));
    let keys = [lease, format!("sidemirror:process:{identity}")];
    // As if the last refresh had been a while ago.
    for key in &keys {
        server.run::<()>(&["EXPIRE", key, "35"]).await;
    }
    for key in &keys {
        until("it is refreshed", async || server.run::<i64>(&["TTL", key]).await > 40).await;
    }
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    record.open_gate();
    until("done", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
}
