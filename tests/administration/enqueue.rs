//! `sidemirror enqueue`: what it pushes, and what it refuses.

use redis::Commands as _;
use serde_json::{Value, json};

use crate::{Desk, text};

impl Desk {
    fn enqueue(&self, args: &[&str]) -> String {
        let jid = self.installation.cli_ok(&[&["enqueue"], args].concat());
        let jid = jid.trim_end();
        assert!(jid.len() == 24 && jid.bytes().all(|digit| digit.is_ascii_hexdigit()), "{jid}");
        jid.to_owned()
    }

    /// What waits for its time, with that time.
    fn waiting(&self) -> Vec<(Value, f64)> {
        let entries: Vec<(String, f64)> = self.redis.connection().zrange_withscores("schedule", 0, -1).unwrap();
        entries.into_iter().map(|(job, due)| (serde_json::from_str(&job).unwrap(), due)).collect()
    }
}

#[test]
fn a_job_of_any_class_is_pushed_with_json_or_else_texts_as_its_arguments() {
    let desk = Desk::new();
    let args = ["42", "\"42\"", "main", "-7", "null", "[1,\"a\"]", "{\"b\": 1.0}", "{broken"];
    let jid = desk.enqueue(&[&["Some::Job"], &args[..]].concat());
    let mut redis = desk.redis.connection();
    let jobs: Vec<String> = redis.lrange("queue:mirrors", 0, -1).unwrap();
    let job: Value = serde_json::from_str(&jobs[0]).unwrap();
    assert_eq!(job["args"], json!([42, "42", "main", -7, null, [1, "a"], {"b": 1.0}, "{broken"]));
    assert_eq!((&job["class"], &job["jid"], &job["retry"]), (&"Some::Job".into(), &jid.into(), &true.into()));

    let answer = desk.json("enqueue UpdateMirror 42 --queue urgent --retry 3 --json");
    let job: Value = serde_json::from_str(&redis.lpop::<_, String>("queue:urgent", None).unwrap()).unwrap();
    assert_eq!(answer, json!({ "jid": job["jid"], "class": "UpdateMirror", "queue": "urgent" }));
    assert_eq!((&job["queue"], &job["retry"], &job["args"]), (&"urgent".into(), &3.into(), &json!([42])));
}

#[test]
fn a_job_for_later_waits_for_its_time() {
    let desk = Desk::new();
    let now = chrono::Utc::now().timestamp_millis() as f64 / 1000.0;
    let in_an_hour = desk.enqueue(&["Job", "1", "--in", "1h"]);
    desk.enqueue(&["Job", "2", "--at", "7200"]);
    desk.enqueue(&["Job", "3", "--at", "2100-01-01T01:00:00+01:00", "--retry", "false"]);
    desk.enqueue(&["Job", "4", "--at", "2001-09-10T00:00:00Z"]);

    let waiting = desk.waiting();
    assert_eq!(waiting.iter().map(|(job, _)| job["args"][0].clone()).collect::<Vec<_>>(), [1, 2, 3]);
    let (first, due) = &waiting[0];
    assert_eq!(first["jid"], in_an_hour);
    assert_eq!(first.get("enqueued_at"), None);
    assert!((3600.0..3660.0).contains(&(due - now)) && (7200.0..7260.0).contains(&(waiting[1].1 - now)));
    assert_eq!((waiting[2].1, &waiting[2].0["retry"]), (4_102_444_800.0, &Value::Bool(false)));
    assert_eq!(desk.redis.connection().llen::<_, usize>("queue:mirrors").unwrap(), 1, "what is past goes at once");
}

#[test]
fn what_makes_no_job_is_refused() {
    let desk = Desk::new();
    let refusals: Vec<String> = [
        &["Job", "123456789012345678901234567890"] as &[_],
        &["Job", "--in", "5"],
        &["Job", "--in", "-5m"],
        &["Job", "--in", "5m", "--at", "2100-01-01T00:00:00Z"],
        &["Job", "--at", "tomorrow"],
        &["Job", "--at", "1e300"],
        &["Job", "--retry", "often"],
        &["Job", "--retry", "-1"],
        &["Job", "--queue", ""],
        &["Two\nlines"],
        &[],
    ]
    .iter()
    .map(|args| {
        let output = desk.installation.cli(&[&["enqueue"], *args].concat());
        assert!(matches!(output.status.code(), Some(1 | 2)) && output.stdout.is_empty(), "{args:?}");
        format!("{args:?}\n    {}", text(&output.stderr).trim_end().replace('\n', "\n    "))
    })
    .collect();
    insta::assert_snapshot!(refusals.join("\n"));
    assert_eq!(redis::cmd("DBSIZE").query::<usize>(&mut desk.redis.connection()).unwrap(), 0);
}
