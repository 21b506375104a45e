//! A queue shared with another Sidekiq: its jobs are left to it.

use sidemirror::sidekiq::Outcome;

use crate::redis_server::{RedisServer, until};
use crate::rig::ruby::Ruby;
use crate::ruby::Worker;
use crate::worker::{settings, start};

/// A Ruby process that serves the queue and takes nothing from it.
async fn quiet_ruby(server: &RedisServer) -> Worker {
    let ruby = Worker::start(server, Ruby::Bookworm, "", "shared").await;
    ruby.quiet();
    until("Ruby is quiet", async || {
        let ruby: Vec<String> = server.run(&["SMEMBERS", "processes"]).await;
        server.run::<String>(&["HGET", &ruby[0], "quiet"]).await == "true"
    })
    .await;
    ruby
}

#[tokio::test]
async fn ours_are_picked_out_and_foreign_jobs_stay_byte_for_byte() {
    let server = RedisServer::start().await;
    let _ruby = quiet_ruby(&server).await;
    let mut foreign: Vec<&[u8]> = vec![
        br#"{"class":"RubyJob","x":1E5,"args":[]}"#,
        b"{ \"class\":\"RubyJob\",\"a\":\"\xff\" }",
        br#"{"class":"Sidekiq::ActiveJob::Wrapper","wrapped":"RubyJob","args":[{"arguments":[]}]}"#,
    ];
    let ours: [&[u8]; 2] = [
        br#"{"class":"Tested","args":[]}"#,
        br#"{"class":"Sidekiq::ActiveJob::Wrapper","wrapped":"Tested","args":[{"arguments":[]}]}"#,
    ];
    for payload in foreign.iter().chain(ours.iter().cycle().take(40)) {
        server.push("shared", payload).await;
    }
    let (process, record) = start(&server.redis, settings(1, &[("shared", 1)])).await;
    until("ours are done", async || record.count(Outcome::Done) == 40).await;
    process.stop().await;
    let mut lying: Vec<Vec<u8>> = server.run(&["LRANGE", "queue:shared", "0", "-1"]).await;
    lying.sort();
    foreign.sort_unstable();
    assert_eq!(lying, foreign);
    assert_eq!(record.count(Outcome::Foreign), 1, "only the first foreign job is ever drawn");
    assert_eq!(server.run::<usize>(&["EXISTS", "retry", "dead"]).await, 0);
}

/// Of our class, and yet for a Ruby with Pro or Enterprise.
const BEYOND_US: [&[u8]; 2] = [
    br#"{"class":"Tested","args":[],"retry":2,"bid":"b-XXXXXXXXXXXXXX"}"#,
    br#"{"class":"Tested","args":["BAhUOhdBY3Rp"],"retry":2,"encrypt":true}"#,
];

#[tokio::test]
async fn jobs_of_a_batch_and_encrypted_ones_are_left_to_the_ruby_process_that_serves_the_queue() {
    let server = RedisServer::start().await;
    let _ruby = quiet_ruby(&server).await;
    for payload in BEYOND_US {
        server.push("shared", payload).await;
        server.push("shared", br#"{"class":"Tested","args":[],"bid":null,"encrypt":false}"#).await;
    }
    let (process, record) = start(&server.redis, settings(1, &[("shared", 1)])).await;
    until("ours are done", async || record.count(Outcome::Done) == 2).await;
    process.stop().await;
    let mut lying: Vec<Vec<u8>> = server.run(&["LRANGE", "queue:shared", "0", "-1"]).await;
    lying.sort_by_key(|text| !text.ends_with(b"\"}"));
    assert_eq!((lying, record.started()), (BEYOND_US.map(<[u8]>::to_vec).to_vec(), 2));
}

#[tokio::test]
async fn a_job_of_a_batch_that_nobody_else_can_run_fails_and_says_why() {
    let server = RedisServer::start().await;
    for payload in BEYOND_US {
        server.push("a", payload).await;
    }
    let (process, record) = start(&server.redis, settings(1, &[("a", 1)])).await;
    until("both failed", async || record.count(Outcome::Failed) == 2).await;
    process.stop().await;
    let retry = server.run::<Vec<String>>(&["ZRANGE", "retry", "0", "-1"]).await.join("\n");
    assert!(retry.contains("it belongs to a batch of Sidekiq Pro (bid)"), "{retry}");
    assert!(retry.contains("encrypted by Sidekiq Enterprise (encrypt)"), "{retry}");
    assert_eq!(record.started(), 0);
}

#[tokio::test]
async fn a_job_of_ours_behind_fifty_foreign_ones_waits_until_there_are_fewer() {
    let server = RedisServer::start().await;
    let _ruby = quiet_ruby(&server).await;
    // The first is drawn and goes behind all others.
    for _ in 0..51 {
        server.push("shared", br#"{"class":"RubyJob","args":[]}"#).await;
    }
    server.push("shared", br#"{"class":"Tested","args":[]}"#).await;
    let (process, record) = start(&server.redis, settings(1, &[("shared", 1)])).await;
    until("it has looked several times", async || looks(&server).await > 3).await;
    assert_eq!(record.started(), 0);
    server.run::<()>(&["RPOP", "queue:shared"]).await;
    until("ours is done", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
    assert_eq!(server.run::<usize>(&["LLEN", "queue:shared"]).await, 50);
}

/// How often anybody has looked into a list.
async fn looks(server: &RedisServer) -> u64 {
    let commands: String = server.run(&["INFO", "commandstats"]).await;
    let looks = commands.lines().find_map(|line| line.strip_prefix("cmdstat_lrange:calls=")?.split(',').next());
    looks.map_or(0, |looks| looks.parse().unwrap())
}

#[tokio::test]
async fn a_process_of_our_own_kind_does_not_count_as_the_one_that_serves_the_class() {
    let server = RedisServer::start().await;
    let (other, _) = start(&server.redis, settings(1, &[("a", 1)])).await;
    until("registered", async || server.run::<usize>(&["SCARD", "processes"]).await == 1).await;
    other.quiet();
    server.push("a", br#"{"class":"Unknown","args":[],"retry":3}"#).await;
    let (process, record) = start(&server.redis, settings(1, &[("a", 1)])).await;
    until("failed", async || record.count(Outcome::Failed) == 1).await;
    process.stop().await;
    other.stop().await;
    assert_eq!(server.run::<usize>(&["ZCARD", "retry"]).await, 1);
}
