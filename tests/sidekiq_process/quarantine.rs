//! Jobs under which workers died too often are set aside; Ruby sees them, and they can be brought back.

use sidemirror::sidekiq::{Keys, Outcome, Profile, Quarantine};

use crate::redis_server::{RedisServer, until};
use crate::ruby;
use crate::worker::{settings, start};

const REASON: &str = "Set aside: the worker died 3 times while it was at this job.";

fn job(jid: &str, more: &str) -> String {
    format!(r#"{{"class":"Tested","queue":"a","args":[],"x":1E5,"jid":"{jid}"{more}}}"#)
}

#[tokio::test]
async fn a_job_whose_worker_died_a_third_time_is_set_aside_and_others_are_run() {
    let server = RedisServer::start().await;
    let list = "working:queue:a:gone:1:0af3";
    for more in [r#","interrupted_count":2"#, r#","interrupted_count":1"#, ""] {
        server.run::<()>(&["LPUSH", list, &job(&more.len().to_string(), more)]).await;
    }
    let foreign = r#"{"class":"Unknown","queue":"a","jid":"f","interrupted_count":2,"args":[]}"#;
    server.run::<()>(&["LPUSH", list, foreign]).await;
    // Old ones make room.
    server.run::<()>(&["ZADD", "interrupted", "1700000000", "old"]).await;
    let (process, record) = start(&server.redis, settings(2, &[("a", 1)])).await;
    until("the others are done", async || record.count(Outcome::Done) == 2).await;
    process.stop().await;

    let aside: Vec<String> = server.run(&["ZRANGE", "interrupted", "0", "-1"]).await;
    let error = format!(r#""error_message":"{REASON}","error_class":"Sidemirror::WorkerDied"}}"#);
    let mut expected = [
        format!("{},{error}", job("22", r#","interrupted_count":3"#).trim_end_matches('}')),
        format!("{},{error}", foreign.replace("count\":2", "count\":3").trim_end_matches('}')),
    ];
    expected.sort();
    let mut sorted = aside.clone();
    sorted.sort();
    assert_eq!(sorted, expected);
    assert_eq!(
        *record.abandoned.lock().unwrap(),
        [("22".to_owned(), REASON.to_owned())],
        "only the class that is ours"
    );
    assert_eq!(server.run::<usize>(&["EXISTS", list, "queue:a"]).await, 0);
}

#[tokio::test]
async fn a_job_that_two_processes_find_at_once_is_moved_once() {
    let server = RedisServer::start().await;
    for number in 0..500 {
        server.run::<()>(&["LPUSH", "working:queue:a:gone:1:0af3", &job(&number.to_string(), "")]).await;
    }
    let starts = (0..6).map(|_| start(&server.redis, settings(2, &[("a", 1)])));
    let all = futures_util::future::join_all(starts).await;
    let done = || all.iter().map(|(_, record)| record.count(Outcome::Done)).sum::<usize>();
    until("all are done", async || done() >= 500).await;
    let mut started = 0;
    for (process, record) in all {
        process.stop().await;
        started += record.started();
    }
    assert_eq!(started, 500);
}

#[tokio::test]
async fn what_was_set_aside_is_seen_by_ruby_and_runs_again_when_it_is_released() {
    let server = RedisServer::start().await;
    let sent = job("again", r#","interrupted_count":2"#);
    server.run::<()>(&["LPUSH", "working:queue:a:gone:1:0af3", &sent]).await;
    let (process, record) = start(&server.redis, settings(2, &[("a", 1)])).await;
    until("it is set aside", async || server.run::<usize>(&["ZCARD", "interrupted"]).await == 1).await;
    let seen = ruby::run(&server, "read_interrupted.rb", &[]).await;
    assert_eq!(
        (seen[0]["jid"].as_str(), seen[0]["count"].as_i64(), seen[0]["error"].as_str()),
        (Some("again"), Some(3), Some(REASON))
    );

    let quarantine = Quarantine::new(server.redis.clone(), Keys::default(), Profile::V6_4);
    let listed = quarantine.list().await.unwrap();
    assert_eq!((&*listed[0].jid, listed[0].interruptions, listed[0].reason.as_deref()), ("again", 3, Some(REASON)));
    assert_eq!(quarantine.release("other").await.unwrap(), None);
    assert_eq!(quarantine.release("again").await.unwrap().as_deref(), Some("a"));
    until("it is done", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
    assert_eq!(server.run::<usize>(&["EXISTS", "interrupted", "queue:a"]).await, 0);
}
