//! A Ruby of older days, whose Sidekiq lies in a namespace and whose jobs carry GitLab's fields, beside the real
//! worker.

use serde_json::{Value, json};

use crate::beside_ruby;
use crate::rig::redis::Redis;
use crate::rig::{ruby, wait};

/// Puts Sidekiq's client and API into GitLab's old namespace.
const NAMESPACED: &str = r#"
    require "redis-namespace"
    Sidekiq.configure_client { |config| config.redis = { url: ENV["REDIS_URL"], namespace: "resque:gitlab" } }
"#;

#[test]
fn a_worker_in_ruby_s_namespace_runs_its_jobs_and_logs_where_they_came_from() {
    let redis = Redis::start();
    let installation = beside_ruby(&redis).mirror("namespace", "resque:gitlab").mirror("log_format", "json");
    let worker = installation.start_worker();
    let eval = |script: &str| ruby::eval(&redis.url(), &format!("{NAMESPACED}{script}"));
    let jid = eval(
        r#"Sidekiq::Client.push("class" => "UpdateMirror", "args" => ["none"], "queue" => "mirrors", "retry" => 0,
               "correlation_id" => "01HX\n#{"x" * 300}", "meta.user" => "root", "meta.user_id" => 1,
               "meta.caller_id" => "ProjectsController#show", "meta.unheard_of" => "never logged")"#,
    );
    let dead = "Sidekiq::DeadSet.new.map(&:jid)";
    wait::until("the job among the dead", wait::START, || eval(dead) == json!([jid]));
    assert_eq!(eval("Sidekiq::ProcessSet.new(false).map(&:tag).size"), json!(1));
    wait::until("the failure is counted", wait::START, || eval("Sidekiq::Stats.new.failed") == json!(1));

    let log = worker.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let start = lines.into_iter().find(|line| line["message"] == "start").unwrap();
    let span = &start["span"];
    assert_eq!((&span["meta.user"], &span["meta.user_id"]), (&json!("root"), &json!("1")), "{start}");
    assert_eq!((&span["meta.caller_id"], &span["jid"]), (&json!("ProjectsController#show"), &jid));
    assert_eq!(span["correlation_id"], json!(format!("01HX\u{fffd}{}", "x".repeat(195))));
    assert_eq!(span.get("meta.project"), None);
    assert!(!log.contains("never logged"));
}
