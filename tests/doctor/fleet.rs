//! Who serves the queues, and what waits in them.

use crate::rig::redis::Redis;
use crate::rig::ruby::{Ruby, RubySidekiq};
use crate::rig::wait;
use crate::{Diagnosis, installation};

const RUBY_CLASSES: &str = "class RubyJob\n  include Sidekiq::Worker\n  def perform(*) = sleep\nend";

fn push(redis: &Redis, key: &str, class: &str) {
    let job = format!(r#"{{"class":"{class}","args":["geheim"],"jid":"j"}}"#);
    redis::cmd("LPUSH").arg(key).arg(job).exec(&mut redis.connection()).unwrap();
}

#[test]
fn jobs_that_nobody_serves_are_told_with_their_classes() {
    let redis = Redis::start();
    let installation = installation(&redis.url());
    for _ in 0..3 {
        push(&redis, "queue:mirrors", "UpdateMirror");
        push(&redis, "queue:mirrors", "RubyJob");
    }
    // Ours, too, are a pass of scheduling, and what Rails wraps; a job that is called `wrapped` for other reasons is not.
    push(&redis, "queue:mirrors", "UpdateAllMirrors");
    for job in [
        r#"{"class":"Sidekiq::ActiveJob::Wrapper","args":[{"job_class":"UpdateMirror","arguments":[1]}]}"#,
        r#"{"class":"RubyJob","wrapped":"UpdateMirror","args":[]}"#,
    ] {
        redis::cmd("LPUSH").arg("queue:mirrors").arg(job).exec(&mut redis.connection()).unwrap();
    }
    let diagnosis = Diagnosis::of(&installation);
    let (severity, seen) = diagnosis.about("queues");
    assert_eq!(severity, "warning");
    assert!(seen.starts_with("mirrors: 9 waiting; of the next 9 some are"), "{seen}");
    assert!(seen.contains("not ours: RubyJob (4); nobody else serves the queue"), "{seen}");
    assert!(!diagnosis.report.to_string().contains("geheim"));
}

#[test]
fn a_ruby_process_beside_us_is_told_and_whether_it_reads_what_we_write() {
    let redis = Redis::start();
    let ruby = RubySidekiq::start(&redis.url(), RUBY_CLASSES, &["mirrors"], 1);
    for _ in 0..3 {
        push(&redis, "queue:mirrors", "RubyJob");
    }
    wait::until("Ruby has taken a job", wait::START, || {
        redis::cmd("LLEN").arg("queue:mirrors").query(&mut redis.connection()) == Ok(2)
    });
    let diagnosis = Diagnosis::of(&installation(&redis.url()).mirror("sidekiq", "7"));
    assert_eq!(diagnosis.about("other_processes").0, "info");
    assert_eq!(diagnosis.about("queues").0, "info");
    let (severity, seen) = diagnosis.about("profile");
    assert_eq!(severity, "warning");
    assert!(seen.contains("is of Sidekiq older than 7.0.2, but the formats of 7 are written"), "{seen}");
    let diagnosis = Diagnosis::of(&installation(&redis.url()).mirror("sidekiq", "6.4"));
    assert!(!diagnosis.mentions("profile"));
    // Beside a newer one the formats of the older are found out and written, which both read.
    let _newer = Ruby::Sid.start_sidekiq(&redis.url(), "", &["elsewhere"], 1);
    let diagnosis = Diagnosis::of(&installation(&redis.url()));
    assert!(!diagnosis.mentions("profile"), "{:#}", diagnosis.report);
    ruby.kill();
}

#[test]
fn a_worker_that_is_absent_or_silent_is_an_error() {
    let redis = Redis::start();
    let installation = installation(&redis.url());
    assert_eq!(Diagnosis::of(&installation).about("worker"), ("error", "no worker of sidemirror serves these queues"));
    let mut worker = installation.start_worker();
    let identity: Vec<String> = wait::for_some("the worker registered", wait::START, || {
        redis::cmd("SMEMBERS").arg("processes").query(&mut redis.connection()).ok().filter(|it: &Vec<_>| !it.is_empty())
    });
    assert_eq!(Diagnosis::of(&installation).about("worker").0, "ok");
    worker.kill();
    redis::cmd("HSET").arg(&identity[0]).arg("beat").arg("1795330943.5").exec(&mut redis.connection()).unwrap();
    let diagnosis = Diagnosis::of(&installation);
    let (severity, seen) = diagnosis.about("worker");
    assert_eq!(severity, "error");
    assert!(seen.starts_with(&identity[0]) && seen.contains("was silent for"), "{seen}");
}

#[test]
fn a_pause_that_stands_is_a_warning_with_the_command_that_ends_it() {
    let redis = Redis::start();
    let installation = installation(&redis.url());
    assert!(!Diagnosis::of(&installation).mentions("orders"));
    installation.cli_ok(&["pause", "--class", "UpdateMirror"]);
    assert_eq!(Diagnosis::of(&installation).about("orders").0, "warning");
    assert!(Diagnosis::of(&installation).report.to_string().contains("sidemirror resume --class UpdateMirror"));
    installation.cli_ok(&["pause"]);
    assert!(Diagnosis::of(&installation).about("orders").1.starts_with("everything is paused"));
}

#[test]
fn queues_in_a_namespace_that_is_not_configured_are_an_error() {
    let redis = Redis::start();
    redis::cmd("SADD").arg("resque:gitlab:queues").arg("mirrors").exec(&mut redis.connection()).unwrap();
    let diagnosis = Diagnosis::of(&installation(&redis.url()));
    let (severity, seen) = diagnosis.about("namespace");
    assert_eq!(severity, "error");
    assert!(seen.contains("resque:gitlab"), "{seen}");
    let diagnosis = Diagnosis::of(&installation(&redis.url()).mirror("namespace", "resque:gitlab"));
    assert!(!diagnosis.mentions("namespace"));
    assert_eq!(diagnosis.about("permissions").0, "ok");
}
