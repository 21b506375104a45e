//! Several capsules in one process: queues with slots of their own.

use serde_json::{Value, json};
use sidemirror::sidekiq::{Capsule, Outcome, QueueSet, Settings};

use crate::redis_server::{RedisServer, until};
use crate::worker::{self, start};

/// A capsule `default` for the queue `a` and a capsule `single`, for `b` and `c`, with one slot.
fn settings(concurrency: usize) -> Settings {
    let mut settings = worker::settings(concurrency, &[("a", 1)]);
    let queues = QueueSet::new([("b".to_owned(), 2), ("c".to_owned(), 1)]).unwrap();
    settings.capsules.push(Capsule { name: "single".to_owned(), concurrency: 1, queues });
    settings
}

#[tokio::test]
async fn a_capsule_whose_slots_are_taken_leaves_the_others_alone() {
    let server = RedisServer::start().await;
    let (process, record) = start(&server.redis, settings(2)).await;
    for queue in ["a", "a", "a", "b", "c"] {
        server.push(queue, br#"{"class":"Tested","args":["until told"]}"#).await;
    }
    until("all slots are taken", async || record.started() == 3).await;
    let waiting = async |queue: &str| server.run::<usize>(&["LLEN", &format!("queue:{queue}")]).await;
    assert_eq!((waiting("a").await, waiting("b").await + waiting("c").await), (1, 1));
    process.stop().await;
    assert_eq!((record.started(), record.count(Outcome::Returned)), (3, 3));
}

#[tokio::test]
async fn the_heartbeat_tells_of_all_capsules_in_one_entry() {
    let server = RedisServer::start().await;
    let mut settings = settings(4);
    let more = QueueSet::new([("a".to_owned(), 0), ("d".to_owned(), 0)]).unwrap();
    settings.capsules.push(Capsule { name: "more".to_owned(), concurrency: 2, queues: more });
    let (process, _record) = start(&server.redis, settings).await;
    let identity = process.identity().to_string();
    until("registered", async || server.run::<usize>(&["EXISTS", &identity]).await == 1).await;
    let info: Value = serde_json::from_str(&server.run::<String>(&["HGET", &identity, "info"]).await).unwrap();
    assert_eq!((&info["concurrency"], &info["queues"]), (&json!(7), &json!(["a", "b", "c", "d"])));
    assert_eq!(info["weights"], json!([{ "a": 1 }, { "b": 2, "c": 1 }, { "a": 0, "d": 0 }]));
    assert_eq!(
        info["capsules"]["single"],
        json!({ "concurrency": 1, "mode": "weighted", "weights": { "b": 2, "c": 1 } })
    );
    assert_eq!(
        (&info["capsules"]["default"]["mode"], &info["capsules"]["more"]["mode"]),
        (&json!("random"), &json!("strict"))
    );
    assert_eq!(server.run::<String>(&["HGET", &identity, "concurrency"]).await, "7");
    process.stop().await;
}
