//! A job may fail on one side and be retried on the other.

use std::time::Duration;

use redis::{Commands as _, Connection};

use crate::beside;
use crate::changes::{
    Change::{self, Now, To, ToAnotherText},
    assert_changed,
};
use crate::rig::git_http::GitServer;
use crate::rig::redis::Redis;
use crate::rig::repository;
use crate::rig::ruby::{Ruby, with_every_ruby};
use crate::rig::wait;
use crate::ruby_api;
use crate::untouched::is_untouched;

const PATIENCE: Duration = Duration::from_secs(30);

with_every_ruby!(
    jobs_that_we_failed_are_retried_by_ruby,
    jobs_that_ruby_failed_are_retried_by_us,
    a_job_that_both_fail_in_turn_changes_only_what_failures_change
);

fn jobs_that_we_failed_are_retried_by_ruby(ruby: Ruby) {
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
    let jids: [String; 3] = serde_json::from_value(ruby.eval(&redis.url(), push)).unwrap();
    let pushed: Vec<Vec<u8>> = connection.lrange("queue:mirrors", 0, -1).unwrap();
    let mut worker = beside(ruby, &redis).start_worker();
    wait::until("all to be failed", PATIENCE, || {
        connection.zcard::<_, u64>("retry").unwrap() + connection.zcard::<_, u64>("dead").unwrap() == 3
    });
    assert!(worker.terminate().success());

    let sidekiq = ruby.start_sidekiq(
        &redis.url(),
        concat!(include_str!("keep_bytes.rb"), include_str!("forge_that_works.rb")),
        &["mirrors"],
        2,
    );
    let [by_hand, _, dead] = &jids;
    let buttons = format!(
        "Sidekiq::RetrySet.new.find_job('{by_hand}').retry\nSidekiq::DeadSet.new.find_job('{dead}').retry\nnil"
    );
    ruby.eval(&redis.url(), &buttons);
    make_due(&mut connection);
    wait::until("all to be taken by Ruby", PATIENCE, || connection.llen::<_, u64>("taken").unwrap() == 3);
    sidekiq.terminate();

    let taken: Vec<Vec<u8>> = connection.lrange("taken", 0, -1).unwrap();
    for original in &pushed {
        // What Ruby's client wrote, Ruby writes again as it was, if we left it so.
        assert_eq!(taken.iter().filter(|text| is_untouched(original, text)).count(), 1, "{}", shown(original));
    }
    let seen = ruby_api::look(ruby, &redis);
    assert_eq!((seen.enqueued, seen.retry.len(), seen.dead.len()), (0, 0, 0));
    assert_eq!((seen.processed, seen.failed), (6, 3));
}

fn jobs_that_ruby_failed_are_retried_by_us(ruby: Ruby) {
    let (redis, git) = (Redis::start(), GitServer::start());
    git.create("up/stream.git").commit("main", "first");
    let installation = beside(ruby, &redis).mirror("poller", true).set("poll_interval_average", 0.5);
    installation.add_mirror("pull", 1, "group/project.git", &git.url("up/stream.git"), &[]);
    let mut connection = redis.connection();
    let push = r#"
        class UpdateMirror
          include Sidekiq::Worker
          sidekiq_options queue: "mirrors", backtrace: 3, tags: ["größe"]
        end
        [UpdateMirror.perform_async(1), UpdateMirror.perform_async("x", 1.0e+16, { "é/\u2028" => 1.0 })]"#;
    let jids: [String; 2] = serde_json::from_value(ruby.eval(&redis.url(), push)).unwrap();
    let sidekiq = ruby.start_sidekiq(&redis.url(), include_str!("forge_that_fails.rb"), &["mirrors"], 2);
    wait::until("both to be failed by Ruby", PATIENCE, || connection.zcard::<_, u64>("retry").unwrap() == 2);
    sidekiq.terminate();
    let before = ruby_api::look(ruby, &redis);
    make_due(&mut connection);

    let mut worker = installation.start_worker();
    wait::until("one to be done and one to have failed again", PATIENCE, || {
        worker.metric(r#"sidemirror_jobs_total{class="UpdateMirror",outcome="done"}"#) == Some(1.0)
            && worker.metric(r#"sidemirror_jobs_total{class="UpdateMirror",outcome="failed"}"#) == Some(1.0)
    });
    assert!(worker.terminate().success());
    let upstream = repository::refs(&git.repository_path("up/stream.git"));
    assert_eq!(installation.repository("group/project.git").mirrored_refs(), upstream, "the retry did the job's work");

    let after = ruby_api::look(ruby, &redis);
    assert_eq!((after.retry.len(), after.dead.len(), after.processed, after.failed), (1, 0, 4, 3));
    let (failed, again) = (before.entry(&jids[1]), after.entry(&jids[1]));
    assert!(is_untouched(&failed.value, &again.value), "{}", shown(&again.value));
    let changes = [&FAILED_BY_US[..], &AGAIN, &[("retry_count", To("1"))]].concat();
    assert_changed(ruby, &failed.value, &again.value, &changes);
    let second = if ruby == Ruby::Sid { 1000.0 } else { 1.0 };
    assert!((15.999..36.0).contains(&(again.score - again.retried_at.as_f64().unwrap() / second)));
    assert!(failed.backtrace.as_ref().unwrap()[0].contains("jobs.rb"));
    assert_eq!(again.backtrace.as_ref().unwrap().len(), 1);
    assert_eq!(again.tags, ["größe"]);
}

const FAILED_BY_RUBY: [(&str, Change<'_>); 3] = [
    ("error_class", To(r#""IOError""#)),
    ("error_message", To("\"the forge is down: größe \u{fffd}\"")),
    ("error_backtrace", ToAnotherText),
];
const FAILED_BY_US: [(&str, Change<'_>); 3] =
    [("error_class", To(r#""ArgumentError""#)), ("error_message", ToAnotherText), ("error_backtrace", ToAnotherText)];
/// It came out of `retry` in between.
const AGAIN: [(&str, Change<'_>); 2] = [("enqueued_at", Now), ("retried_at", Now)];

fn a_job_that_both_fail_in_turn_changes_only_what_failures_change(ruby: Ruby) {
    let redis = Redis::start();
    let mut connection = redis.connection();
    let push = r#"
        %w[ruby we].each do |first|
          Sidekiq::Client.push(
            "class" => "UpdateMirror", "queue" => first, "retry" => 5, "backtrace" => 2, "tags" => ["größe"],
            "args" => ["x", 1.0e+16, 123456789012345678901234567890, 1700000000.0, { "é/\u2028" => nil }],
            "dead" => false, "cattr" => { "user" => { "_aj" => 1 } }, "meta.caller_id" => "Projects#update", "bid" => nil
          )
        end"#;
    ruby.eval(&redis.url(), push);
    for (queue, ruby_is_next) in [("ruby", true), ("we", false)] {
        let mut before: Vec<u8> = connection.lindex(format!("queue:{queue}"), 0).unwrap();
        let mut ruby_is_next = ruby_is_next;
        for (failures, retry_count) in ["0", "1", "2"].into_iter().enumerate() {
            make_due(&mut connection);
            let failed_again = |connection: &mut Connection| -> Option<Vec<u8>> {
                let members: Vec<Vec<u8>> = connection.zrangebyscore("retry", "(1700000000.5", "+inf").unwrap();
                members.into_iter().next()
            };
            let mut wait_for = |what| wait::for_some(what, PATIENCE, || failed_again(&mut connection));
            let after = if ruby_is_next {
                let sidekiq = ruby.start_sidekiq(&redis.url(), include_str!("forge_that_fails.rb"), &[queue], 1);
                let after = wait_for("the job to be failed by Ruby");
                sidekiq.terminate();
                after
            } else {
                let installation = beside(ruby, &redis).mirror("poller", true).set("poll_interval_average", 0.5);
                let mut worker = installation.set("queues", format!("[[{queue}, 1]]")).start_worker();
                let after = wait_for("the job to be failed by us");
                assert!(worker.terminate().success());
                after
            };
            let by = if ruby_is_next { FAILED_BY_RUBY } else { FAILED_BY_US };
            let first = [("failed_at", Now)];
            let time: &[_] = if failures == 0 { &first } else { &AGAIN };
            assert_changed(ruby, &before, &after, &[&by[..], time, &[("retry_count", To(retry_count))]].concat());
            (before, ruby_is_next) = (after, !ruby_is_next);
        }
        connection.del::<_, ()>("retry").unwrap();
    }
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
