//! The same jobs given to Ruby's Sidekiq and to us, each with a Redis of its own: what is left is the same.

use std::thread;
use std::time::Duration;

use redis::{Commands as _, Connection};
use regex::bytes::Regex;

use crate::rig::redis::Redis;
use crate::rig::ruby::{Ruby, with_every_ruby};
use crate::rig::wait;
use crate::{beside, is_settled};

/// What a job may say about its retries, beside what all jobs say. Ruby writes its texts anew, so these are spelled
/// as it spells them, and all say "retry", since Ruby would put in the option of the class.
const OPTIONS: &[&str] = &[
    r#""retry":true"#,
    r#""retry":false"#,
    r#""retry":"yes""#,
    r#""retry":2.5"#,
    // The limit, one below it, and beyond.
    r#""retry":0"#,
    r#""retry":1"#,
    r#""retry":-1"#,
    r#""retry":3,"retry_count":1,"failed_at":1700000000.25"#,
    r#""retry":3,"retry_count":2,"failed_at":1700000000.25"#,
    r#""retry":true,"retry_count":5,"failed_at":1700000000.25"#,
    r#""retry":true,"retry_count":6,"failed_at":1700000000.25,"retried_at":1700000001.5"#,
    r#""retry":30,"retry_count":20"#,
    r#""retry":3,"retry_count":9"#,
    r#""retry":3,"retry_count":null"#,
    r#""retry":3,"retry_count":-1"#,
    // Who may die.
    r#""retry":0,"dead":false"#,
    r#""retry":0,"dead":true"#,
    r#""retry":0,"dead":null"#,
    r#""retry":true,"dead":false"#,
    r#""retry":1,"dead":false,"retry_count":0"#,
    // Where to.
    r#""retry":true,"retry_queue":"patience""#,
    r#""retry":0,"retry_queue":"patience""#,
    r#""retry":true,"retry_queue":null"#,
    r#""queue":"elsewhere","retry":true"#,
    // How much is told.
    r#""retry":true,"backtrace":true"#,
    r#""retry":true,"backtrace":1"#,
    r#""retry":true,"backtrace":0"#,
    r#""retry":true,"backtrace":false"#,
    r#""retry":true,"backtrace":null"#,
    r#""retry":0,"backtrace":true"#,
    r#""retry":true,"error_message":"old","error_class":"Old","error_backtrace":"old","backtrace":1"#,
];

with_every_ruby!(
    ruby_and_we_come_to_the_same_verdict_on_every_job_that_fails,
    ruby_and_we_keep_the_same_of_the_dead,
    ruby_and_we_let_the_dead_go_after_half_a_year
);

/// Texts that are no jobs for Ruby; the first is one level less deep, or two: the JSON beside Sidekiq 8 reads one level
/// more than it writes, and what is so deep is lost when it fails.
fn no_jobs(ruby: Ruby) -> [String; 6] {
    let nested = |depth: usize| {
        format!(r#"{{"class":"UpdateMirror","args":["x",{}{}],"retry":0}}"#, "[".repeat(depth), "]".repeat(depth))
    };
    [
        nested(98),
        nested(if ruby == Ruby::Sid { 100 } else { 99 }),
        String::new(),
        "no job".into(),
        r#"{"class":"UpdateMirror","#.into(),
        r#"{"a":NaN}"#.into(),
    ]
}

fn jobs(ruby: Ruby) -> Vec<String> {
    let of = |class: &str, number: usize, options: &str| {
        format!(r#"{{"class":"{class}","args":["é"],"jid":"{class} {number}","created_at":1700000000.0,{options}}}"#)
    };
    let both = ["UpdateMirror", "Nobody"].into_iter();
    let failing = both.flat_map(|class| OPTIONS.iter().enumerate().map(move |(number, text)| of(class, number, text)));
    let long = of(&"A".repeat(12_000), 0, r#""retry":1"#);
    failing.chain([long]).chain(no_jobs(ruby)).collect()
}

fn ruby_and_we_come_to_the_same_verdict_on_every_job_that_fails(ruby: Ruby) {
    let [rubys, ours] = by_both(ruby, &jobs(ruby), |_| ());
    assert_eq!(only_in(&ours, &rubys), Vec::<String>::new());
    assert_eq!(only_in(&rubys, &ours), Vec::<String>::new());
    assert_eq!((ours.retry.len(), ours.dead.len()), (39, 24));
    assert!(rubys.retry.iter().chain(&ours.retry).chain(&ours.dead).all(|(_, in_time)| *in_time));
    assert_eq!((ours.processed, ours.failed), (rubys.processed, rubys.failed));
}

/// What is in one and not in the other.
fn only_in(one: &Left, other: &Left) -> Vec<String> {
    let missing = |set: &str, one: &[Entry], other: &[Entry]| -> Vec<String> {
        one.iter().filter(|entry| !other.contains(entry)).map(|entry| format!("{set}: {entry:?}")).collect()
    };
    [missing("retry", &one.retry, &other.retry), missing("dead", &one.dead, &other.dead)].concat()
}

fn ruby_and_we_keep_the_same_of_the_dead(ruby: Ruby) {
    let jobs: Vec<String> = (0..60)
        .map(|number| format!(r#"{{"class":"UpdateMirror","args":["x"],"jid":"{number}","retry":0}}"#))
        .collect();
    let [rubys, ours] = by_both(ruby, &jobs, |_| ());
    assert_eq!(ours.dead, rubys.dead);
    assert_eq!(ours.dead.len(), 49, "one less than the setting says, and the last ones of all");
}

fn ruby_and_we_let_the_dead_go_after_half_a_year(ruby: Ruby) {
    let job = [r#"{"class":"UpdateMirror","args":["x"],"retry":0}"#.to_owned()];
    let [rubys, ours] = by_both(ruby, &job, |connection| {
        for (member, days) in [("181", 181.0), ("180.01", 180.01), ("179.99", 179.99)] {
            let died = chrono::Utc::now().timestamp() as f64 - days * 86_400.0;
            connection.zadd::<_, _, _, ()>("dead", member, died).unwrap();
        }
    });
    assert_eq!(ours.dead, rubys.dead);
    assert_eq!((ours.dead.len(), &*ours.dead[0].0), (2, "179.99"));
}

/// A job by its text, and whether its score is as the rules say.
type Entry = (String, bool);

/// What a process left behind.
#[derive(Debug, Default)]
struct Left {
    retry: Vec<Entry>,
    dead: Vec<Entry>,
    processed: u64,
    failed: u64,
}

/// Has Ruby and us run the same jobs, one after the other, beginning with what `prepare` puts into Redis.
fn by_both(ruby: Ruby, jobs: &[String], prepare: fn(&mut Connection)) -> [Left; 2] {
    let by = |run: fn(Ruby, &Redis)| {
        let redis = Redis::start();
        let mut connection = redis.connection();
        prepare(&mut connection);
        connection.lpush::<_, _, ()>("queue:mirrors", jobs).unwrap();
        run(ruby, &redis);
        Left::read(ruby, &mut connection)
    };
    thread::scope(|scope| {
        let (ruby, ours) = (scope.spawn(|| by(run_by_ruby)), scope.spawn(|| by(run_by_us)));
        [ruby.join().unwrap(), ours.join().unwrap()]
    })
}

fn run_by_ruby(ruby: Ruby, redis: &Redis) {
    let sidekiq = ruby.start_sidekiq(&redis.url(), include_str!("forge_with_rules.rb"), &["mirrors"], 1);
    wait_until_settled(redis);
    sidekiq.terminate();
}

fn run_by_us(ruby: Ruby, redis: &Redis) {
    let installation = beside(ruby, redis).set("concurrency", 1).set("dead_max_jobs", 50).set("max_retries", 7);
    let mut worker = installation.start_worker();
    wait_until_settled(redis);
    assert!(worker.terminate().success());
}

fn wait_until_settled(redis: &Redis) {
    let mut connection = redis.connection();
    wait::until("all jobs to be settled", Duration::from_mins(1), || is_settled(&mut connection, "queue:mirrors"));
}

impl Left {
    fn read(ruby: Ruby, connection: &mut Connection) -> Self {
        assert_eq!(connection.exists::<_, u64>(&["queue:mirrors", "queue:patience", "queue:elsewhere"]).unwrap(), 0);
        let mut set = |name: &str| {
            let members: Vec<(Vec<u8>, f64)> = connection.zrange_withscores(name, 0, -1).unwrap();
            let mut seen: Vec<Entry> = members
                .iter()
                .map(|(text, score)| (without_chance(text), is_in_time(ruby, name, text, *score)))
                .collect();
            // Those that die within the same moment have no order.
            seen.sort();
            seen
        };
        let (retry, dead) = (set("retry"), set("dead"));
        let mut figure = |name: &str| connection.get::<_, Option<u64>>(name).unwrap().unwrap_or(0);
        Self { retry, dead, processed: figure("stat:processed"), failed: figure("stat:failed") }
    }
}

/// The text with a mark for the time of this failure, and for a backtrace.
fn without_chance(text: &[u8]) -> String {
    let now = Regex::new(r#""(failed_at|retried_at)":1[0-9]{9}(\.[0-9]+|[0-9]{3})(?P<end>[,}])"#).unwrap();
    let text = now.replace_all(text, |found: &regex::bytes::Captures<'_>| {
        let old = found[0].windows(10).any(|digits| digits == b"1700000000" || digits == b"1700000001");
        if old { found[0].to_vec() } else { [b"\"", &found[1], b"\":NOW", &found["end"]].concat() }
    });
    let backtrace = Regex::new(r#""error_backtrace":"[^"]*""#).unwrap();
    String::from_utf8_lossy(&backtrace.replace_all(&text, &b"\"error_backtrace\":LINES"[..])).into_owned()
}

/// Whether a job that failed for the n-th time is due when n says, and one that died did so when it failed.
fn is_in_time(ruby: Ruby, set: &str, text: &[u8], score: f64) -> bool {
    let Ok(job) = serde_json::from_slice::<serde_json::Value>(text) else { return true };
    // 8 writes milliseconds.
    let unit = if ruby == Ruby::Sid { 1000.0 } else { 1.0 };
    let moment = |key: &str| Some(job[key].as_f64()? / unit);
    let Some(failed) = moment("retried_at").or(moment("failed_at")) else { return true };
    let count = job["retry_count"].as_f64().unwrap();
    // 8 draws once from all seconds, the others draw one of ten and multiply it.
    let jitter = if ruby == Ruby::Sid { 10.0 * (count + 1.0) - 1.0 } else { 9.0 * (count + 1.0) };
    let (delay, jitter) = if set == "retry" { (count.powi(4) + 15.0, jitter) } else { (0.0, 0.0) };
    // Both are read from the clock, a moment apart, and rounded.
    (delay - 0.001..delay + jitter + 1.0).contains(&(score - failed))
}
