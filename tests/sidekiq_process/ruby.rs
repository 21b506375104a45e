//! The real Sidekiq: what it pushes we run, what we write it reads.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use sidemirror::sidekiq::Outcome;

use crate::redis_server::{RedisServer, until};
use crate::rig::ruby::{Ruby, RubySidekiq};
use crate::worker::{settings, start};

/// A Ruby file beside this one.
pub(crate) fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sidekiq_process").join(name)
}

/// Runs a script with the client and API of the oldest Sidekiq loaded; gives what it prints, which is JSON.
pub(crate) async fn run(server: &RedisServer, name: &str, arguments: &[&str]) -> Value {
    let mut command = Ruby::Bookworm.command("ruby", &server.url());
    command.arg("-rsidekiq").arg("-rsidekiq/api").arg(script(name)).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.stderr(Stdio::inherit()).output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{name}: {}", output.status);
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

/// A Sidekiq process of Ruby's that serves one queue, one job at a time.
pub(crate) struct Worker(RubySidekiq);

impl Worker {
    /// Starts one with these job classes.
    pub(crate) async fn start(server: &RedisServer, ruby: Ruby, classes: &'static str, queue: &'static str) -> Self {
        let url = server.url();
        Self(tokio::task::spawn_blocking(move || ruby.start_sidekiq(&url, classes, &[queue], 1)).await.unwrap())
    }

    /// Asks it to fetch no more.
    pub(crate) fn quiet(&self) {
        let process = rustix::process::Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::TSTP).unwrap();
    }

    /// Asks it to end, and waits until it has written its figures.
    pub(crate) async fn stop(self) {
        tokio::task::spawn_blocking(move || self.0.terminate()).await.unwrap();
    }
}

#[tokio::test]
async fn ruby_reads_what_we_write() {
    let server = RedisServer::start().await;
    run(&server, "push_for_us.rb", &[]).await;
    let mut settings = settings(3, &[("mirrors", 2), ("default", 1)]);
    settings.tag = "mytag".to_owned();
    settings.labels = vec!["alpha".to_owned()];
    let (process, record) = start(&server.redis, settings).await;
    until("all but the long one settled", async || record.ended.lock().unwrap().len() == 12).await;
    until("figures and busy jobs are written", async || {
        server.run::<Option<String>>(&["GET", "stat:processed"]).await.is_some_and(|count| count == "12")
            && server.run::<usize>(&["EXISTS", &format!("{}:workers", process.identity())]).await == 1
    })
    .await;
    let seen = run(&server, "read_ours.rb", &[]).await;
    let identity = process.identity().to_string();
    process.stop().await;

    assert_eq!(record.count(Outcome::Done), 10);
    let process = &seen["processes"][0];
    assert_eq!((process["identity"].as_str(), process["tag"].as_str()), (Some(&*identity), Some("mytag")));
    assert_eq!((&process["concurrency"], &process["busy"]), (&3.into(), &1.into()));
    assert_eq!(process["queues"], serde_json::json!(["mirrors", "default"]));
    assert_eq!(process["labels"][0], "sidemirror");
    assert_eq!(process["labels"][2], "alpha");
    let work = &seen["workers"][0];
    assert_eq!((work["queue"].as_str(), work["class"].as_str()), (Some("mirrors"), Some("Tested")));
    assert!(work["run_at"].is_i64());
    assert_eq!((&seen["processed"], &seen["failed"]), (&12.into(), &2.into()));
    let retry = &seen["retry"][0];
    assert_eq!(
        (retry["error_class"].as_str(), retry["error_message"].as_str()),
        (Some("IOError"), Some("boom \u{e9}"))
    );
    assert_eq!(retry["backtrace"], serde_json::json!(["IOError: boom \u{e9}", "caused by: a cause"]));
    assert_eq!((&retry["retry_count"], &retry["queue"]), (&0.into(), &"mirrors".into()));
    assert_eq!(seen["dead"][0]["error_class"], "IOError");
}
