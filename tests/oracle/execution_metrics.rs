//! What the page of metrics of Sidekiq 7 and 8 reads of our executions.

use std::time::Duration;

use redis::Commands as _;
use serde_json::Value;

use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::ruby::Ruby;
use crate::rig::wait;

/// Runs three jobs that succeed, one of them as a wrapper, and one that fails, and asks Ruby about them.
fn run_and_look(ruby: Ruby, when_written: impl FnOnce(&Redis)) -> Value {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url()).mirror("sidekiq", ruby.profile());
    let mut connection = redis.connection();
    for job in [
        r#"{"class":"UpdateMirror","args":[1],"jid":"a"}"#,
        r#"{"class":"UpdateMirror","args":[2],"jid":"b"}"#,
        r#"{"class":"UpdateMirror","args":["x"],"jid":"c","retry":false}"#,
        r#"{"class":"UpdateMirror","wrapped":"Inner::Job","args":[3],"jid":"d"}"#,
    ] {
        connection.lpush::<_, _, ()>("queue:mirrors", job).unwrap();
    }
    let mut worker = installation.start_worker();
    wait::until("all are done", Duration::from_secs(20), || worker.log().matches("outcome=").count() == 4);
    when_written(&redis);
    worker.terminate();
    ruby.eval(&redis.url(), include_str!("execution_metrics.rb"))
}

fn assert_shown(seen: &Value) {
    let totals = &seen["totals"];
    assert_eq!((&totals["UpdateMirror"]["p"], &totals["UpdateMirror"]["f"]), (&3.into(), &1.into()), "{seen}");
    assert_eq!((&totals["Inner::Job"]["p"], &totals["Inner::Job"]["f"]), (&1.into(), &Value::Null), "{seen}");
    assert_eq!(seen["histogram"], 2, "the times of those that succeeded: {seen}");
}

#[test]
fn the_page_of_sidekiq_7_shows_executions_failures_and_times_within_a_beat() {
    let seen = run_and_look(Ruby::Trixie, |redis| {
        wait::until("a beat writes them", Duration::from_secs(20), || {
            let keys: Vec<String> = redis.connection().keys("j|*").unwrap();
            keys.iter().any(|key| redis.connection().hexists(key, "UpdateMirror|p").unwrap())
        });
    });
    assert_shown(&seen);
}

#[test]
fn the_page_of_sidekiq_8_shows_them_as_soon_as_the_worker_ends_also_by_ten_minutes() {
    let seen = run_and_look(Ruby::Sid, |_| ());
    assert_shown(&seen);
    assert_eq!(seen["totals_of_hours"]["UpdateMirror"], seen["totals"]["UpdateMirror"], "{seen}");
}

#[test]
fn sidekiq_6_gets_no_keys_that_it_does_not_know() {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url()).mirror("sidekiq", "6.5");
    let mut connection = redis.connection();
    connection.lpush::<_, _, ()>("queue:mirrors", r#"{"class":"UpdateMirror","args":[1],"jid":"a"}"#).unwrap();
    let mut worker = installation.start_worker();
    wait::until("it is done", Duration::from_secs(20), || worker.log().contains("outcome="));
    worker.terminate();
    assert_eq!(connection.get::<_, u64>("stat:processed").unwrap(), 1);
    let keys: Vec<String> = connection.keys("*").unwrap();
    assert!(!keys.iter().any(|key| key.contains('|') || key.contains("UpdateMirror")), "{keys:?}");
}
