//! What our client pushes, as Ruby's Sidekiq 6.4 reads it.

use std::time::Duration;

use serde_json::{Value, json};
use sidemirror::sidekiq::{Client, Keys, NewJob, Profile, When};
use tokio::net::{TcpListener, TcpStream};

use crate::redis_server::{RedisServer, connect};
use crate::ruby;

#[tokio::test]
async fn ruby_finds_what_we_push_in_its_queue_or_among_what_waits() {
    let server = RedisServer::start().await;
    let client = Client::new(server.redis.clone(), Keys::default(), Profile::V6_4);
    let job = |number: u32| {
        let args = vec!["é\u{2028}/".into(), number.into(), json!({"a": 1.0})];
        NewJob::new("Some::Job", args).queue("mirrors").retry(3).with("tags", json!(["t"]))
    };
    client.push(&job(1)).await.unwrap();
    client.push_at(&job(2), When::In(Duration::from_hours(1))).await.unwrap();
    client.push_at(&job(3), When::At(1_600_000_000.0)).await.unwrap();
    client.push_bulk_at(&[job(4), job(5)], When::At(4_000_000_000.5)).await.unwrap();

    let seen = ruby::run(&server, "read_pushed.rb", &[]).await;
    let numbers = |list: &Value| list.as_array().unwrap().iter().map(|job| job["args"][1].clone()).collect::<Vec<_>>();
    assert_eq!(numbers(&seen["queued"]), [3, 1], "what is past goes at once; the newest is shown first");
    assert_eq!(numbers(&seen["waiting"]), [2, 4, 5]);
    let queued = &seen["queued"][1];
    assert_eq!(queued["args"], json!(["é\u{2028}/", 1, {"a": 1.0}]));
    assert_eq!((&queued["class"], &queued["retry"], &queued["tags"]), (&"Some::Job".into(), &3.into(), &json!(["t"])));
    assert!((0.0..60.0).contains(&queued["latency"].as_f64().unwrap()), "{queued}");
    let waiting = &seen["waiting"][0];
    assert!((3500.0..=3600.0).contains(&waiting["due_in"].as_f64().unwrap()), "{waiting}");
    assert_eq!((&waiting["enqueued_at"], &waiting["at"]), (&Value::Null, &Value::Null), "neither stands in the job");
    assert_eq!(seen["waiting"][1]["due"], json!(4_000_000_000.5));
    assert_eq!(seen["queues"], json!(["mirrors"]));
}

#[tokio::test]
async fn a_bulk_of_thousands_arrives_whole_and_in_order() {
    let server = RedisServer::start().await;
    let client = Client::new(server.redis.clone(), Keys::default(), Profile::V8);
    let jobs: Vec<NewJob> =
        (0..2500).map(|number| NewJob::new("Job", vec![number.into()]).queue(["a", "b"][number % 2])).collect();
    client.push_bulk(&jobs).await.unwrap();
    client.push_bulk_at(&jobs[..250], When::In(Duration::from_hours(1))).await.unwrap();
    let queue: Vec<String> = server.run(&["LRANGE", "queue:a", "0", "-1"]).await;
    let jids = queue.iter().rev().map(|text| serde_json::from_str::<Value>(text).unwrap()["jid"].clone());
    assert!(jids.eq(jobs.iter().step_by(2).map(|job| Value::from(job.jid()))));
    assert_eq!(server.run::<usize>(&["LLEN", "queue:b"]).await, 1250);
    assert_eq!(server.run::<usize>(&["ZCARD", "schedule"]).await, 250);
}

/// Leads the first connection to one server, and all others to another, as a name does during a failover.
async fn first_then(first: u16, then: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut to = first;
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
            to = then;
        }
    });
    port
}

#[tokio::test]
async fn a_push_that_a_demoted_server_refuses_is_made_at_the_new_master() {
    let (old, new) = (RedisServer::start().await, RedisServer::start().await);
    let redis = connect(first_then(old.port, new.port).await).await.unwrap();
    old.run::<()>(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let client = Client::new(redis, Keys::default(), Profile::V7);
    client.push(&NewJob::new("Job", vec![])).await.unwrap();
    assert_eq!(new.run::<usize>(&["LLEN", "queue:default"]).await, 1);
    assert_eq!(new.run::<Vec<String>>(&["SMEMBERS", "queues"]).await, ["default"]);
}
