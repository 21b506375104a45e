//! What our commands push, as each Sidekiq reads it.

use serde_json::Value;

use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::ruby::Ruby;

/// What Sidekiq's API makes of the two jobs.
const LOOK: &str = "
    queued, waiting = Sidekiq::Queue.new('mirrors').first, Sidekiq::ScheduledSet.new.first
    {
      'class' => queued.klass, 'args' => queued.args, 'latency' => queued.latency,
      'age' => Time.now - queued.created_at, 'raw' => queued['created_at'].class.name,
      'waiting_age' => Time.now - waiting.created_at, 'due_in' => waiting.at - Time.now
    }";

#[test]
fn a_command_writes_the_times_of_the_living_ruby_process_and_that_reads_them() {
    for (ruby, number) in [(Ruby::Bookworm, "Float"), (Ruby::Trixie, "Float"), (Ruby::Sid, "Integer")] {
        let redis = Redis::start();
        let _living = ruby.start_sidekiq(&redis.url(), "", &["elsewhere"], 1);
        let installation = Installation::new(&redis.url());
        installation.cli_ok(&["enqueue", "Some::Job", "1", "text"]);
        installation.cli_ok(&["enqueue", "Some::Job", "2", "--in", "1h"]);

        let seen = ruby.eval(&redis.url(), LOOK);
        let within = |field: &str, seconds: std::ops::Range<f64>| {
            let value = seen[field].as_f64().unwrap();
            assert!(seconds.contains(&value), "{ruby:?}: {field} is {value}");
        };
        assert_eq!((&seen["class"], &seen["args"]), (&"Some::Job".into(), &serde_json::json!([1, "text"])));
        assert_eq!(seen["raw"], Value::from(number), "{ruby:?}");
        within("latency", -0.01..30.0);
        within("age", -0.01..30.0);
        within("waiting_age", -0.01..30.0);
        within("due_in", 3570.0..3600.01);
    }
}
