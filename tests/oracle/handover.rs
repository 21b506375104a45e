//! A job may fail on one side and be retried on the other.

use std::time::Duration;

use redis::{Commands as _, Connection};
use serde_json::Value;

use crate::beside_ruby;
use crate::rig::git_http::GitServer;
use crate::rig::redis::Redis;
use crate::rig::repository;
use crate::rig::ruby::{self, RubySidekiq};
use crate::rig::wait;
use crate::ruby_api;
use crate::untouched::is_untouched;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn jobs_that_we_failed_are_retried_by_ruby() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    let push = r#"
        class UpdateMirror
          include Sidekiq::Worker
          sidekiq_options queue: "mirrors", backtrace: true, tags: ["größe"]
        end
        [
          UpdateMirror.perform_async("retried by hand", { "é/\u2028" => 1.0 }),
          UpdateMirror.perform_async("due", 123456789012345678901234567890),
          UpdateMirror.set(retry: 0).perform_async("dead")
        ]"#;
    let jids: [String; 3] = serde_json::from_value(ruby::eval(&redis.url(), push)).unwrap();
    let pushed: Vec<Vec<u8>> = connection.lrange("queue:mirrors", 0, -1).unwrap();
    let mut worker = beside_ruby(&redis).start_worker();
    wait::until("all to be failed", PATIENCE, || {
        connection.zcard::<_, u64>("retry").unwrap() + connection.zcard::<_, u64>("dead").unwrap() == 3
    });
    assert!(worker.terminate().success());

    let ruby = RubySidekiq::start(&redis.url(), include_str!("forge_that_works.rb"), &["mirrors"], 2);
    let [by_hand, _, dead] = &jids;
    let buttons = format!(
        "Sidekiq::RetrySet.new.find_job('{by_hand}').retry\nSidekiq::DeadSet.new.find_job('{dead}').retry\nnil"
    );
    ruby::eval(&redis.url(), &buttons);
    make_due(&mut connection);
    wait::until("all to be taken by Ruby", PATIENCE, || connection.llen::<_, u64>("taken").unwrap() == 3);
    ruby.terminate();

    let taken: Vec<Vec<u8>> = connection.lrange("taken", 0, -1).unwrap();
    for original in &pushed {
        // What Ruby's client wrote, Ruby writes again as it was, if we left it so.
        assert_eq!(taken.iter().filter(|text| is_untouched(original, text)).count(), 1, "{}", shown(original));
    }
    let seen = ruby_api::look(&redis);
    assert_eq!((seen.enqueued, seen.retry.len(), seen.dead.len()), (0, 0, 0));
    assert_eq!((seen.processed, seen.failed), (6, 3));
}

#[test]
fn jobs_that_ruby_failed_are_retried_by_us() {
    let (redis, git) = (Redis::start(), GitServer::start());
    git.create("up/stream.git").commit("main", "first");
    let installation = beside_ruby(&redis).mirror("poller", true).set("poll_interval_average", 0.5);
    installation.add_mirror("pull", 1, "group/project.git", &git.url("up/stream.git"), &[]);
    let mut connection = redis.connection();
    let push = r#"
        class UpdateMirror
          include Sidekiq::Worker
          sidekiq_options queue: "mirrors", backtrace: 3, tags: ["größe"]
        end
        [UpdateMirror.perform_async(1), UpdateMirror.perform_async("x", 1.0e+16, { "é/\u2028" => 1.0 })]"#;
    let jids: [String; 2] = serde_json::from_value(ruby::eval(&redis.url(), push)).unwrap();
    let ruby = RubySidekiq::start(&redis.url(), include_str!("forge_that_fails.rb"), &["mirrors"], 2);
    wait::until("both to be failed by Ruby", PATIENCE, || connection.zcard::<_, u64>("retry").unwrap() == 2);
    ruby.terminate();
    let before = ruby_api::look(&redis);
    make_due(&mut connection);

    let mut worker = installation.start_worker();
    wait::until("one to be done and one to have failed again", PATIENCE, || {
        worker.metric(r#"sidemirror_jobs_total{class="UpdateMirror",outcome="done"}"#) == Some(1.0)
            && worker.metric(r#"sidemirror_jobs_total{class="UpdateMirror",outcome="failed"}"#) == Some(1.0)
    });
    assert!(worker.terminate().success());
    let upstream = repository::refs(&git.repository_path("up/stream.git"));
    assert_eq!(installation.repository("group/project.git").mirrored_refs(), upstream, "the retry did the job's work");

    let after = ruby_api::look(&redis);
    assert_eq!((after.retry.len(), after.dead.len(), after.processed, after.failed), (1, 0, 4, 3));
    let (failed, again) = (before.entry(&jids[1]), after.entry(&jids[1]));
    assert!(is_untouched(&failed.value, &again.value), "{}", shown(&again.value));
    assert_eq!((&failed.retry_count, &again.retry_count), (&0.into(), &1.into()));
    assert_eq!((&failed.retried_at, &again.failed_at), (&Value::Null, &failed.failed_at));
    let retried_at = again.retried_at.as_f64().unwrap();
    assert!(again.retried_at.is_f64() && retried_at > failed.failed_at.as_f64().unwrap());
    assert!((15.999..36.0).contains(&(again.score - retried_at)));
    assert_eq!((&failed.error_class, &again.error_class), (&"IOError".into(), &"ArgumentError".into()));
    assert!(failed.backtrace.as_ref().unwrap()[0].contains("jobs.rb"));
    assert_eq!(again.backtrace.as_ref().unwrap().len(), 1);
    assert_eq!(again.tags, ["größe"]);
}

/// What is to be retried some time is to be retried now.
fn make_due(connection: &mut Connection) {
    let members: Vec<Vec<u8>> = connection.zrange("retry", 0, -1).unwrap();
    for member in members {
        connection.zadd::<_, _, _, ()>("retry", member, 1_700_000_000.5).unwrap();
    }
}

fn shown(text: &[u8]) -> String {
    text.escape_ascii().to_string()
}
