//! Due jobs come back with every byte but `enqueued_at` as it was.

use sidemirror::sidekiq::Outcome;

use crate::redis_server::{RedisServer, until};
use crate::worker::{settings, start};

#[tokio::test]
async fn due_jobs_are_moved_and_others_wait() {
    let server = RedisServer::start().await;
    let mut due: Vec<String> = (0..250)
        .map(|number| format!(r#"{{"class":"Tested","args":[],"queue":"a","jid":"{number}","x":1E5}}"#))
        .collect();
    due.push(
        r#"{"class":"Other","queue":"elsewhere","n":123456789012345678901234567890,"enqueued_at":1.5}"#.to_owned(),
    );
    for (number, member) in due.iter().enumerate() {
        server.run::<()>(&["ZADD", ["retry", "schedule"][number % 2], "1700000000.5", member]).await;
    }
    server.run::<()>(&["ZADD", "schedule", "9999999999", "later"]).await;
    server.run::<()>(&["ZADD", "schedule", "1", "not json"]).await;
    let (process, record) = start(&server.redis, settings(5, &[("a", 1)])).await;
    until("all done", async || record.count(Outcome::Done) == 250).await;
    until("the dead one is buried", async || server.run::<usize>(&["ZCARD", "dead"]).await == 1).await;
    process.stop().await;
    let elsewhere: Vec<String> = server.run(&["LRANGE", "queue:elsewhere", "0", "-1"]).await;
    let (before, after) = elsewhere[0].split_once("\"enqueued_at\":").unwrap();
    assert_eq!(before, r#"{"class":"Other","queue":"elsewhere","n":123456789012345678901234567890,"#);
    assert!(after.starts_with('1') && after.contains('.') && after.len() > 12, "{after}");
    assert_eq!(server.run::<Vec<String>>(&["ZRANGE", "schedule", "0", "-1"]).await, ["later"]);
    assert_eq!(server.run::<usize>(&["SISMEMBER", "queues", "elsewhere"]).await, 1);
}
