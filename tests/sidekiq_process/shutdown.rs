//! Stopping: what can be finished is, what cannot goes back.

use sidemirror::sidekiq::Outcome;

use crate::redis_server::{RedisServer, until};
use crate::worker::{settings, start};

#[tokio::test]
async fn jobs_that_do_not_end_in_time_run_next_elsewhere_and_are_no_failures() {
    let server = RedisServer::start().await;
    let obedient = r#"{"class":"Tested","args":["until told"],"jid":"obedient"}"#;
    let stubborn = r#"{"class":"Tested","args":["never"],"jid":"stubborn"}"#;
    let waiting = r#"{"class":"Tested","args":["nap"],"jid":"waiting"}"#;
    for payload in [obedient, stubborn, waiting] {
        server.push("a", payload.as_bytes()).await;
    }
    let mut settings = settings(2, &[("a", 1)]);
    settings.timeout = std::time::Duration::from_secs(1);
    let (process, record) = start(&server.redis, settings).await;
    until("both run", async || record.started() == 2).await;
    process.stop().await;

    let queue: Vec<String> = server.run(&["LRANGE", "queue:a", "0", "-1"]).await;
    assert_eq!(queue[0], waiting);
    assert!(queue[1..].contains(&obedient.to_owned()) && queue[1..].contains(&stubborn.to_owned()));
    assert_eq!(record.count(Outcome::Returned), 1);
    let keys: Vec<String> = server.run(&["KEYS", "*"]).await;
    assert!(!keys.iter().any(|key| key.contains("working") || key.contains("reliable")), "{keys:?}");
    assert!(!keys.contains(&"retry".to_owned()) && !keys.contains(&"stat:failed".to_owned()), "{keys:?}");
}

#[tokio::test]
async fn signals_left_in_redis_are_obeyed() {
    let server = RedisServer::start().await;
    let (process, record) = start(&server.redis, settings(2, &[("a", 1)])).await;
    let signals = format!("{}-signals", process.identity());
    server.run::<()>(&["LPUSH", &signals, "TERM", "TSTP"]).await;
    until("quiet", async || process.is_quiet()).await;
    server.push("a", br#"{"class":"Tested","args":[]}"#).await;
    tokio::time::timeout(std::time::Duration::from_secs(20), process.asked_to_stop()).await.unwrap();
    process.stop().await;
    assert_eq!(record.started(), 0);
    assert_eq!(server.run::<usize>(&["LLEN", "queue:a"]).await, 1);
}
