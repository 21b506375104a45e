//! Rails' own ActiveJob: what it enqueues we run, what we retry it runs, and its counts stay its own.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sidemirror::sidekiq::{
    Identity, Job, JobFailure, JobReport, NotDone, Observer, Perform, Process, Profile, Registry,
};

use crate::redis_server::{RedisServer, until};
use crate::rig::ruby::Ruby;
use crate::ruby::{Worker, script};
use crate::worker::settings;

/// Writes down the class and the arguments of each job, and whether the observer was told the same class.
#[derive(Default)]
struct Reader {
    seen: Mutex<Vec<(String, Value)>>,
    reported: Mutex<Vec<String>>,
}

#[async_trait]
impl Perform for Reader {
    async fn perform(&self, job: &Job) -> Result<(), NotDone> {
        let args = job.args()?;
        let fails = args.first().is_some_and(|first| first == "fail" || first == "fail for Rails");
        self.seen.lock().unwrap().push((job.class().to_owned(), args.into()));
        if fails { Err(JobFailure::new("IOError", "boom").into()) } else { Ok(()) }
    }
}

struct Reports(Arc<Reader>);

impl Observer for Reports {
    fn job_finished(&self, report: &JobReport<'_>) {
        self.0.reported.lock().unwrap().push(report.class.to_owned());
    }
}

fn profile_of(ruby: Ruby) -> Profile {
    ruby.profile().parse().unwrap()
}

/// Runs so many jobs of queue `a` and gives what was seen of them.
async fn run(server: &RedisServer, profile: Profile, jobs: usize) -> Vec<(String, Value)> {
    let reader = Arc::new(Reader::default());
    let registry = Registry::new().serve("Tested", Arc::clone(&reader) as _).serve("Patient", Arc::clone(&reader) as _);
    let mut settings = settings(1, &[("a", 1)]);
    (settings.profile, settings.poller.enabled) = (profile, false);
    let observer = Arc::new(Reports(Arc::clone(&reader)));
    let process = Process::start(Identity::new(), settings, server.redis.clone(), registry, observer).await.unwrap();
    until("all jobs are settled", async || reader.reported.lock().unwrap().len() == jobs).await;
    process.stop().await;
    let seen = std::mem::take(&mut *reader.seen.lock().unwrap());
    assert!(seen.iter().map(|(class, _)| class).eq(reader.reported.lock().unwrap().iter()));
    seen
}

/// Has Rails evaluate a line.
async fn rails(server: &RedisServer, ruby: Ruby, line: &str) {
    let mut command = ruby.command("ruby", &server.url());
    command.arg(script("rails.rb")).env("GIVEN", line).stdout(Stdio::null());
    let status = tokio::task::spawn_blocking(move || command.status()).await.unwrap().unwrap();
    assert!(status.success(), "{line}: {status}");
}

/// The only member of `retry`, as it is and parsed; it is taken away.
async fn retry(server: &RedisServer) -> (String, Value) {
    let retry: Vec<String> = server.run(&["ZRANGE", "retry", "0", "-1"]).await;
    let [text] = &retry[..] else { panic!("{retry:?}") };
    server.run::<()>(&["DEL", "retry"]).await;
    (text.clone(), serde_json::from_str(text).unwrap())
}

/// What Rails has run, and what it counted.
async fn seen_by_rails(server: &RedisServer) -> Vec<Value> {
    let seen: Vec<String> = server.run(&["LRANGE", "seen", "0", "-1"]).await;
    seen.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

#[tokio::test]
async fn what_rails_enqueues_reaches_the_class_inside_with_records_as_ids() {
    let each = Ruby::ALL.map(async |ruby| {
        let server = RedisServer::start().await;
        let line = r#"
            Tested.perform_later(Project.new(42), "x", 7, [Project.new(43)], "a" => :symbol)
            Tested.perform_later(Project.new(44), force: true)
            Patient.perform_later(Project.new("5b2f-7a"))"#;
        rails(&server, ruby, line).await;
        let wrapper: String = server.run(&["LINDEX", "queue:a", "0"]).await;
        let wrapper: Value = serde_json::from_str(&wrapper).unwrap();
        let expected = match profile_of(ruby) {
            Profile::V8 => "Sidekiq::ActiveJob::Wrapper",
            _ => "ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper",
        };
        assert_eq!(wrapper["class"], expected, "{ruby:?}");
        let tested = "Tested".to_owned();
        let expected = [
            (tested.clone(), json!([42, "x", 7, [43], {"a": "symbol"}])),
            (tested, json!([44, {"force": true}])),
            ("Patient".to_owned(), json!(["5b2f-7a"])),
        ];
        assert_eq!(run(&server, profile_of(ruby), 3).await, expected, "{ruby:?}");
    });
    join_all(each).await;
}

#[tokio::test]
async fn rails_counts_the_executions_of_a_job_that_we_failed_as_it_counts_its_own() {
    let each = Ruby::ALL.map(async |ruby| {
        // The same job fails once, here under Rails and Sidekiq, there under us.
        let (theirs, ours) = (RedisServer::start().await, RedisServer::start().await);
        for server in [&theirs, &ours] {
            rails(server, ruby, r#"Tested.perform_later("fail for Rails", Project.new(42))"#).await;
        }
        let before: String = ours.run(&["LINDEX", "queue:a", "0"]).await;
        let worker = Worker::start(&theirs, ruby, include_str!("rails.rb"), "a").await;
        until("Rails has failed it", async || theirs.run::<u32>(&["ZCARD", "retry"]).await == 1).await;
        worker.stop().await;
        run(&ours, profile_of(ruby), 1).await;

        let ((_, their_job), (text, job)) = (retry(&theirs).await, retry(&ours).await);
        let fields = |job: &Value| job.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(fields(&job), fields(&their_job), "{ruby:?}: the same fields in the same order");
        assert_eq!((&job["error_class"], &job["retry_count"]), (&their_job["error_class"], &their_job["retry_count"]));
        let counts =
            |job: &Value| [&job["args"][0]["executions"], &job["args"][0]["exception_executions"]].map(Clone::clone);
        assert_eq!((counts(&job), counts(&their_job)), ([json!(0), json!({})], [json!(0), json!({})]), "{ruby:?}");
        assert!(text.starts_with(before.trim_end_matches('}')), "{ruby:?}: not one byte of the job has changed");

        // And Rails runs the one that comes from us.
        ours.push("a", text.as_bytes()).await;
        let worker = Worker::start(&ours, ruby, include_str!("rails.rb"), "a").await;
        until("Rails has run it", async || ours.run::<u32>(&["ZCARD", "retry"]).await == 1).await;
        worker.stop().await;
        assert_eq!(seen_by_rails(&ours).await, seen_by_rails(&theirs).await, "{ruby:?}");
        assert_eq!(retry(&ours).await.1["retry_count"], 1);
    });
    join_all(each).await;
}

#[tokio::test]
async fn what_rails_itself_enqueued_again_keeps_its_counts_through_a_failure_of_ours() {
    let each = Ruby::ALL.map(async |ruby| {
        let server = RedisServer::start().await;
        rails(&server, ruby, r#"Patient.perform_later("fail for Rails")"#).await;
        let worker = Worker::start(&server, ruby, include_str!("rails.rb"), "a").await;
        until("Rails gives up", async || server.run::<u32>(&["ZCARD", "retry"]).await == 1).await;
        worker.stop().await;
        let (text, job) = retry(&server).await;
        assert_eq!(job["args"][0]["executions"], 2, "{ruby:?}");
        assert_eq!(job["args"][0]["exception_executions"], json!({"[IOError]": 2}), "{ruby:?}");

        server.push("a", text.as_bytes()).await;
        run(&server, profile_of(ruby), 1).await;
        let (_, again) = retry(&server).await;
        assert_eq!(again["args"], job["args"], "{ruby:?}");
        assert_eq!(again["retry_count"], 1, "{ruby:?}");
    });
    join_all(each).await;
}
