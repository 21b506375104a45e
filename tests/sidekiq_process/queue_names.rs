//! Queues with odd names, and queues that do not exist yet.

use sidemirror::sidekiq::Outcome;

use crate::redis_server::{RedisServer, until};
use crate::ruby;
use crate::worker::{settings, start};

/// Names that mean something elsewhere: to patterns, to keys, to those who take keys apart, to a shell.
const NAMES: [&str; 9] =
    ["a:b", "x*?[y]\\", "with a space", "größe☃", "working:queue:z", "vm:1:0af3", "{tag}", "a\nb", "%s'\""];

#[tokio::test]
async fn queues_with_odd_names_are_served_and_their_jobs_rescued() {
    let server = RedisServer::start().await;
    for queue in NAMES {
        server.push(queue, br#"{"class":"Tested","args":["nap"]}"#).await;
        let of_the_dead = format!("working:queue:{queue}:gone:1:0af3");
        server.run::<()>(&["LPUSH", &of_the_dead, r#"{"class":"Tested","args":[]}"#]).await;
        let due = serde_json::json!({ "class": "Tested", "args": [], "queue": queue }).to_string();
        server.run::<()>(&["ZADD", "schedule", "1", &due]).await;
    }
    let (process, record) = start(&server.redis, settings(4, &NAMES.map(|queue| (queue, 1)))).await;
    until("all are done", async || record.count(Outcome::Done) == 3 * NAMES.len()).await;
    let seen = ruby::run(&server, "queue_names.rb", &[]).await;
    assert_eq!(seen["queues"], serde_json::json!(NAMES), "as Ruby sees them in our entry");
    process.stop().await;
    assert_eq!(server.run::<Vec<String>>(&["KEYS", "*queue:*"]).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_queue_that_appears_only_later_is_served_at_once() {
    let server = RedisServer::start().await;
    let (process, record) = start(&server.redis, settings(2, &[("early", 1), ("late", 1)])).await;
    until("waits", async || server.run::<String>(&["CLIENT", "LIST"]).await.matches("cmd=brpoplpush").count() == 2)
        .await;
    assert_eq!(server.run::<usize>(&["EXISTS", "queues", "queue:late"]).await, 0);
    let pushed = std::time::Instant::now();
    server.push("late", br#"{"class":"Tested","args":[]}"#).await;
    until("done", async || record.count(Outcome::Done) == 1).await;
    assert!(pushed.elapsed().as_millis() < 1000, "{:?}", pushed.elapsed());
    process.stop().await;
}
