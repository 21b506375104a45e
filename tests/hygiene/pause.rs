//! `sidemirror pause` and `resume`.

use std::time::Duration;

use redis::Commands as _;

use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::wait;
use crate::{WORK, json, slots, wait_for_status};

#[test]
fn in_a_pause_nothing_is_scheduled_or_run_and_after_it_everything_is() {
    let (redis, git) = (Redis::start(), GitServer::start());
    git.create("up/stream.git").commit("main", "first");
    let installation = Installation::new(&redis.url());
    installation.cli_ok(&["pause", "--reason", "repairs"]);
    installation.add_mirror("pull", 1, "g/due.git", &git.url("up/stream.git"), &[]);
    installation.add_mirror("push", 2, "g/due.git", &git.url("up/stream.git"), &[]);
    let worker = installation.start_worker();
    assert_eq!(worker.metric("sidemirror_paused"), Some(1.0));
    installation.cli_ok(&["mirror", "sync", "push", "2"]);
    // The scheduler's first look is at its start, and was before this figure.
    wait::until("the scheduler to look", WORK, || {
        worker.metric("sidemirror_scheduler_last_tick_timestamp_seconds").is_some_and(|tick| tick > 0.0)
    });
    let mut connection = redis.connection();
    assert_eq!((connection.llen::<_, usize>("queue:mirrors").unwrap(), slots(&mut connection)), (1, 0));
    let status = json(&installation, &["status", "--json"]);
    assert_eq!(status["paused"]["reason"], "repairs", "{status}");
    assert!(installation.cli_ok(&["status"]).starts_with("PAUSED  everything now: repairs\n"));
    assert_eq!(worker.log().matches("paused by an administrator").count(), 1);

    installation.cli_ok(&["resume"]);
    assert_eq!(installation.cli_ok(&["resume"]), "everything was not paused\n");
    wait::until("the mirror to be scheduled and run", Duration::from_secs(90), || {
        installation.mirror_state("pull", 1)["update_status"] == "finished"
    });
    assert_eq!(worker.metric("sidemirror_paused"), Some(0.0));
    assert_eq!(json(&installation, &["status", "--json"])["paused"], serde_json::Value::Null);
}

#[test]
fn a_class_that_is_paused_waits_while_others_run() {
    let (redis, git) = (Redis::start(), GitServer::start());
    git.create("up/stream.git").commit("main", "first");
    let installation = Installation::new(&redis.url()).mirror("scheduler", false);
    installation.add_mirror("pull", 1, "g/p.git", &git.url("up/stream.git"), &[]);
    installation.cli_ok(&["pause", "--class", "RemoteMirror"]);
    let worker = installation.start_worker();
    installation.add_mirror("push", 2, "g/p.git", &git.url("up/stream.git"), &[]);
    installation.cli_ok(&["mirror", "sync", "push", "2"]);
    installation.cli_ok(&["mirror", "sync", "pull", "1"]);
    wait_for_status(&installation, "pull", 1, "finished");
    let mut connection = redis.connection();
    wait::until("the push to wait", WORK, || connection.zcard::<_, usize>("schedule").unwrap() == 1);
    assert_eq!(installation.mirror_state("push", 2)["update_status"], "none");
    let status = json(&installation, &["status", "--json"]);
    assert!(status["paused_classes"]["RemoteMirror"]["since"].is_string(), "{status}");
    assert_eq!(worker.metric(r#"sidemirror_jobs_total{class="RemoteMirror",outcome="held"}"#), Some(1.0));

    installation.cli_ok(&["resume", "--class", "RemoteMirror"]);
    wait::until("the push to run", Duration::from_secs(90), || {
        installation.mirror_state("push", 2)["update_status"] == "finished"
    });
    let unknown = installation.cli(&["pause", "--class", "Mailer"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("expected one of"));
}
