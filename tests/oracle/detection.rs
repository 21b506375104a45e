//! `mirror.sidekiq: auto`: whose formats are written beside which Sidekiq.

use std::time::Duration;

use redis::Commands as _;

use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::ruby::{Ruby, RubySidekiq};
use crate::rig::wait;

/// A Ruby process that serves a queue of its own.
fn ruby(ruby: Ruby, redis: &Redis) -> RubySidekiq {
    ruby.start_sidekiq(&redis.url(), "", &["elsewhere"], 1)
}

/// What a worker that is started now finds, as its log tells.
fn found(installation: &Installation) -> String {
    let log = installation.start_worker().log();
    let line = log.lines().find(|line| line.contains("Sidekiq's formats")).map(ToOwned::to_owned);
    line.unwrap_or_else(|| panic!("not told: {log}"))
}

#[test]
fn a_living_ruby_process_tells_its_version() {
    for (version, profile) in [(Ruby::Bookworm, "6.4"), (Ruby::Trixie, "7"), (Ruby::Sid, "8")] {
        let redis = Redis::start();
        let _ruby = ruby(version, &redis);
        let line = found(&Installation::new(&redis.url()));
        assert!(line.contains(&format!("there is 1 living Ruby process of Sidekiq {profile} ")), "{line}");
        assert!(line.contains(&format!("profile={profile}")), "{line}");
    }
}

#[test]
fn in_a_mixed_fleet_the_oldest_is_followed_with_a_warning() {
    let redis = Redis::start();
    let _rubies = [ruby(Ruby::Sid, &redis), ruby(Ruby::Bookworm, &redis), ruby(Ruby::Sid, &redis)];
    let line = found(&Installation::new(&redis.url()));
    assert!(line.contains("WARN") && line.contains("3 living Ruby processes of Sidekiq 6.4 and 8"), "{line}");
    assert!(line.contains("profile=6.4"), "{line}");
}

#[test]
fn without_a_ruby_process_a_job_of_sidekiq_8_tells_and_what_we_wrote_does_not() {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url());
    let eight = Installation::new(&redis.url()).mirror("sidekiq", "8");
    let _ours = eight.start_worker();
    eight.cli_ok(&["enqueue", "UpdateMirror", "1", "--in", "1h"]);
    let line = found(&installation);
    assert!(line.contains("no living Ruby process, and no job that tells") && line.contains("profile=7"), "{line}");

    // A class that we push, too: what counts is who wrote it.
    let push = |ruby: Ruby| {
        let push = "Sidekiq::Client.push('class' => 'UpdateMirror', 'args' => [2], 'queue' => 'mail')";
        ruby.eval(&redis.url(), push)
    };
    push(Ruby::Bookworm);
    assert!(found(&installation).contains("profile=7"));
    push(Ruby::Sid);
    let line = found(&installation);
    assert!(line.contains("a job of \"UpdateMirror\" with times in milliseconds"), "{line}");
    assert!(line.contains("profile=8"), "{line}");
}

#[test]
fn a_process_without_a_version_that_shows_its_work_is_of_6_5() {
    // As 6.5 writes it; there is none to be had.
    let redis = Redis::start();
    let mut connection = redis.connection();
    let info = r#"{"hostname":"vm","started_at":1.5,"pid":1,"tag":"","concurrency":3,"queues":["a"],"labels":[]}"#;
    connection.sadd::<_, _, ()>("processes", "vm:1:0").unwrap();
    connection.hset::<_, _, _, ()>("vm:1:0", "info", info).unwrap();
    assert!(found(&Installation::new(&redis.url())).contains("profile=6.4"), "it could be either");
    connection.hset::<_, _, _, ()>("vm:1:0:work", "1", "{}").unwrap();
    assert!(found(&Installation::new(&redis.url())).contains("profile=6.5"));
}

#[test]
fn a_fleet_that_changes_while_we_run_is_warned_about() {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url());
    let worker = installation.start_worker();
    let _ruby = ruby(Ruby::Bookworm, &redis);
    wait::until("it is told", Duration::from_mins(1), || {
        worker.log().contains("1 living Ruby process of Sidekiq 6.4; restart this process")
    });
    assert!(worker.log().contains("followed=7"));
}
