//! The rules of retry and death in three versions of the real Sidekiq, and ours for each of them.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sidemirror::sidekiq::Profile;

use crate::redis_server::{RedisServer, until};
use crate::rig::ruby::Ruby;
use crate::ruby::Worker;
use crate::worker::{settings, start};

/// The first argument, which says how the job fails, and its options; `NOW-9` stands for a time nine seconds ago.
const CASES: &[(&str, &str)] = &[
    ("fail", r#""retry":true"#),
    ("fail", r#""retry":false"#),
    ("fail", r#""retry":0"#),
    ("fail", r#""retry":-1"#),
    ("fail", r#""retry":"yes""#),
    ("fail", r#""retry":2.5"#),
    ("fail", r#""retry":99999999999999999999,"retry_count":400,"failed_at":NOW-9"#),
    ("fail", r#""retry":3,"retry_count":1,"failed_at":NOW-9"#),
    ("fail", r#""retry":3,"retry_count":2,"failed_at":NOW-9"#),
    ("fail", r#""retry":3,"retry_count":-1,"failed_at":NOW-9"#),
    ("fail", r#""retry":3,"retry_count":false,"failed_at":NOW-9"#),
    ("fail", r#""retry":true,"retry_count":23,"failed_at":NOW-9"#),
    ("fail", r#""retry":true,"retry_count":24,"failed_at":NOW-9"#),
    ("fail", r#""retry":0,"dead":false"#),
    ("fail", r#""retry":true,"retry_queue":"patience""#),
    // A limit in time: within it, and past it.
    ("fail", r#""retry":true,"retry_for":600"#),
    ("fail", r#""retry":true,"retry_for":600,"retry_count":1,"failed_at":NOW-300"#),
    ("fail", r#""retry":true,"retry_for":600,"retry_count":1,"failed_at":NOW-900"#),
    ("fail", r#""retry":0,"retry_for":600"#),
    ("fail", r#""retry":2,"retry_for":600,"retry_count":7,"failed_at":NOW-300"#),
    ("fail", r#""retry":2,"retry_for":600,"retry_count":7,"failed_at":NOW-900"#),
    ("fail", r#""retry":true,"retry_for":0"#),
    ("fail", r#""retry":true,"retry_for":600.5,"retry_count":1,"failed_at":NOW-300"#),
    ("fail", r#""retry":true,"retry_for":null,"retry_count":1,"failed_at":NOW-900"#),
    ("fail", r#""retry":true,"retry_for":false,"retry_count":1,"failed_at":NOW-900"#),
    ("fail", r#""retry":false,"retry_for":600"#),
    ("fail", r#""retry":true,"retry_for":600,"retry_count":1,"failed_at":NOW-900,"dead":false"#),
    // How much is told.
    ("fail", r#""retry":true,"backtrace":true"#),
    ("fail", r#""retry":true,"backtrace":0"#),
    ("fail", r#""retry":true,"backtrace":"1""#),
    ("fail", r#""retry":true,"backtrace":false"#),
    // What a class answers to it: from 6.5 on.
    ("kill", r#""retry":true"#),
    ("kill", r#""retry":true,"dead":false"#),
    ("kill", r#""retry":false"#),
    ("discard", r#""retry":true"#),
    ("discard", r#""retry":false"#),
    ("again in 1000 s", r#""retry":true"#),
    ("again in 1000 s", r#""retry":0"#),
    ("again in 1000 s", r#""retry":true,"retry_count":3,"failed_at":NOW-9"#),
];

/// The jobs as a client of this version would have pushed them.
fn jobs(profile: Profile) -> Vec<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let answers = profile != Profile::V6_4;
    let cases = CASES.iter().enumerate().filter(|(_, (answer, _))| answers || !["kill", "discard"].contains(answer));
    let jobs = cases.map(|(number, (answer, options))| {
        let mut options = (*options).to_owned();
        for ago in [9, 300, 900] {
            let time = profile.timestamp(now - f64::from(ago)).to_string();
            options = options.replace(&format!("NOW-{ago}"), &time);
        }
        format!(r#"{{"class":"Tested","args":["{answer}"],"jid":"{number}","queue":"a",{options}}}"#)
    });
    jobs.collect()
}

/// What became of each job by its number, and the counters.
async fn left(server: &RedisServer) -> (BTreeMap<String, String>, [u64; 2]) {
    let mut left = BTreeMap::new();
    for set in ["retry", "dead"] {
        let members: Vec<(String, f64)> = server.run(&["ZRANGE", set, "0", "-1", "WITHSCORES"]).await;
        for (text, score) in members {
            let job: Value = serde_json::from_str(&text).unwrap();
            let last = job.get("retried_at").unwrap_or(&job["failed_at"]);
            let failed = if last.is_i64() { last.as_f64().unwrap() / 1000.0 } else { last.as_f64().unwrap() };
            let own = job["args"][0] == "again in 1000 s" && set == "retry";
            let count = job["retry_count"].as_f64().unwrap().max(0.0);
            let usual = if own { 1000.0 } else { count.powi(4) + 15.0 };
            let delay = score - failed - if set == "retry" { usual } else { 0.0 };
            let longest = if set == "retry" { 10.0 * (count + 1.0) } else { 1.0 };
            let in_time = (-0.01..longest).contains(&delay);
            let kinds: Vec<String> = ["failed_at", "retried_at"].map(|key| kind(&job[key])).into();
            let (queue, count, traced) = (&job["queue"], &job["retry_count"], job["error_backtrace"].is_string());
            let told = format!("{set} {queue} {count} {kinds:?} in time: {in_time}, traced: {traced}");
            assert!(left.insert(job["jid"].as_str().unwrap().to_owned(), told).is_none());
        }
    }
    let counters: [Option<u64>; 2] = server.run(&["MGET", "stat:processed", "stat:failed"]).await;
    (left, counters.map(Option::unwrap_or_default))
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        value if value.is_i64() => "milliseconds".to_owned(),
        value if value.is_f64() => "seconds".to_owned(),
        other => other.to_string(),
    }
}

async fn same_as(ruby: Ruby) {
    let profile: Profile = ruby.profile().parse().unwrap();
    let (rubys, ours) = (RedisServer::start().await, RedisServer::start().await);
    let jobs = jobs(profile);
    for server in [&rubys, &ours] {
        for job in &jobs {
            server.push("a", job.as_bytes()).await;
        }
    }
    let taken = async |server: &RedisServer| server.run::<u32>(&["EXISTS", "queue:a"]).await == 0;

    let worker = Worker::start(&rubys, ruby, include_str!("rules.rb"), "a").await;
    until("Ruby has taken all jobs", async || taken(&rubys).await).await;
    worker.stop().await;

    let mut settings = settings(1, &[("a", 1)]);
    (settings.profile, settings.poller.enabled) = (profile, false);
    let (process, record) = start(&ours.redis, settings).await;
    until("we have settled all jobs", async || record.ended.lock().unwrap().len() == jobs.len()).await;
    process.stop().await;

    let read = "Sidekiq::RetrySet.new.map(&:error_backtrace).compact.sort";
    let url = ours.url();
    let told = tokio::task::spawn_blocking(move || ruby.eval(&url, read)).await.unwrap();
    let lines = [vec![], vec!["IOError: boom \u{e9}"], vec!["IOError: boom \u{e9}", "caused by: a cause"]];
    assert_eq!(told, json!(lines), "the backtraces that we wrote");

    let (rubys, ours) = (left(&rubys).await, left(&ours).await);
    for (number, (answer, options)) in CASES.iter().enumerate() {
        let number = number.to_string();
        assert_eq!(ours.0.get(&number), rubys.0.get(&number), "{profile}: {answer} {options}");
    }
    assert!(ours.0.values().all(|told| told.contains("in time: true")), "{:?}", ours.0);
    assert_eq!(ours.1, rubys.1, "processed and failed");
    assert!(ours.0.len() > jobs.len() / 2);
}

#[tokio::test]
async fn sidekiq_6_and_we_decide_alike_on_a_failure() {
    same_as(Ruby::Bookworm).await;
}

#[tokio::test]
async fn sidekiq_7_and_we_decide_alike_on_a_failure() {
    same_as(Ruby::Trixie).await;
}

#[tokio::test]
async fn sidekiq_8_and_we_decide_alike_on_a_failure() {
    same_as(Ruby::Sid).await;
}
