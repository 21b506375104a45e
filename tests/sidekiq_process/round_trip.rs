//! Jobs of every kind go through failure, `retry`, the poller and their queue again.

use std::sync::Arc;

use async_trait::async_trait;
use sidemirror::sidekiq::{Identity, Job, JobFailure, NoObserver, NotDone, Payload, Perform, Process, Registry};

use crate::redis_server::{RedisServer, until};
use crate::rig::ruby::Ruby;
use crate::samples::{ours, rubys};
use crate::untouched;
use crate::worker::settings;

/// Fails whatever it is given.
struct Failing;

#[async_trait]
impl Perform for Failing {
    async fn perform(&self, _: &Job) -> Result<(), NotDone> {
        Err(JobFailure::new("IOError", "boom \"\\\u{2028}").into())
    }
}

/// How often each job goes round through `retry`.
const ROUNDS: usize = 3;

#[tokio::test]
async fn jobs_go_round_through_redis_with_every_unowned_byte_as_it_was() {
    let server = RedisServer::start().await;
    let bytes = [ours(300), rubys(Ruby::Bookworm, 150), rubys(Ruby::Sid, 150)].concat();
    let numbered = bytes.into_iter().enumerate().map(|(number, text)| {
        let number = format!(",\"number\":{number},\"retry\":9}}");
        [&text[..text.len() - 1], number.as_bytes()].concat()
    });
    let originals: Vec<Vec<u8>> = numbered.collect();
    for (number, job) in originals.iter().enumerate() {
        // Half of them come by way of the schedule.
        if number % 2 == 0 || Payload::parse(job.clone()).unwrap().get::<String>("queue").is_none() {
            server.push("a", job).await;
        } else {
            let mut command = redis::cmd("ZADD");
            server.redis.query::<()>(command.arg("schedule").arg(1).arg(job)).await.unwrap();
        }
    }
    let registry = Registry::new().serve("Tested", Arc::new(Failing));
    let settings = settings(5, &[("a", 1), ("b", 1), ("slow", 1)]);
    let process =
        Process::start(Identity::new(), settings, server.redis.clone(), registry, Arc::new(NoObserver)).await.unwrap();
    let settled = async || {
        let waiting = server.run::<usize>(&["ZCOUNT", "retry", "2", "+inf"]).await;
        waiting + server.run::<usize>(&["ZCARD", "dead"]).await
    };
    for round in 1..=ROUNDS {
        until("all have failed", async || settled().await == originals.len()).await;
        if round < ROUNDS {
            make_due(&server).await;
        }
    }
    process.stop().await;

    let mut seen = vec![0; originals.len()];
    let mut rounds = 0;
    for set in ["retry", "dead"] {
        for text in server.run::<Vec<Vec<u8>>>(&["ZRANGE", set, "0", "-1"]).await {
            let job = Payload::parse(text.clone()).unwrap();
            let number: usize = job.get("number").unwrap();
            seen[number] += 1;
            rounds += usize::from(job.raw("retried_at").is_some() && job.raw("enqueued_at").is_some());
            assert!(untouched::is_untouched(&originals[number], &text), "{}", text.escape_ascii());
        }
    }
    assert!(seen.iter().all(|times| *times == 1), "each job is there once");
    assert!(rounds > originals.len() / 2, "{rounds} jobs have gone round");
}

/// The time of every job in `retry` has come.
async fn make_due(server: &RedisServer) {
    // All at once, or some would go round before others are due.
    let script = redis::Script::new(
        "for _, job in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', KEYS[2], 1, job) end
         redis.call('DEL', KEYS[1])",
    );
    server.redis.invoke::<()>(script.key("retry").key("held")).await.unwrap();
    server.run::<()>(&["RENAMENX", "held", "retry"]).await;
}
