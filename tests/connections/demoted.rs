//! A server that answers, but may be no master any more: the next command goes over a new connection, which leads to
//! whoever has its place by then.

use std::time::Duration;

use sidemirror::connections::{Redis, RedisSettings};

use crate::server::Server;

/// By which number the server knows the connection.
async fn connection(redis: &Redis) -> u64 {
    redis.query(redis::cmd("CLIENT").arg("ID")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_that_a_failover_brings_lead_to_a_new_connection_and_others_do_not() {
    let server = Server::start(&[]);
    let settings = RedisSettings::new(format!("redis://127.0.0.1:{}/0", server.port).parse().unwrap());
    let redis = Redis::connect(&settings).await.unwrap();
    let write = async || redis.query::<()>(redis::cmd("SADD").arg("set").arg("member")).await;
    write().await.unwrap();
    let first = connection(&redis).await;
    redis.query::<()>(redis::cmd("GET").arg("set")).await.unwrap_err();
    assert_eq!(connection(&redis).await, first, "WRONGTYPE has nothing to do with the server");

    server.run::<()>("CONFIG SET min-replicas-to-write 1");
    assert!(write().await.unwrap_err().to_string().contains("NOREPLICAS"));
    let second = connection(&redis).await;
    assert_ne!(second, first, "after NOREPLICAS");
    server.run::<()>("CONFIG SET min-replicas-to-write 0");

    server.run::<()>("REPLICAOF 127.0.0.1 1");
    assert!(write().await.unwrap_err().to_string().contains("read only replica"));
    let third = connection(&redis).await;
    assert_ne!(third, second, "after READONLY");
    server.run::<()>("REPLICAOF NO ONE");

    let mut blocked = redis.dedicated(Duration::from_secs(20)).await.unwrap();
    let id: u64 = blocked.query(redis::cmd("CLIENT").arg("ID")).await.unwrap();
    let waiting = tokio::spawn(async move { blocked.query::<()>(redis::cmd("BRPOP").arg("list").arg(20)).await });
    // As often as it takes: before it is blocked there is nothing to unblock.
    while server.run::<u32>(&format!("CLIENT UNBLOCK {id} ERROR")) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(waiting.await.unwrap().unwrap_err().to_string().contains("UNBLOCKED"));
    assert_ne!(connection(&redis).await, third, "after UNBLOCKED");
}
