//! What a run leaves in the mirror's record: times, the number of failures, when it is due again.

use chrono::{DateTime, TimeDelta, Utc};

use crate::messages::assert_listed;
use crate::world::{State, World};

/// How long after the end of its last run a mirror is due, in seconds.
fn rest(state: &State) -> i64 {
    (state.time("next_execution_timestamp").unwrap() - state.time("last_update_at").unwrap()).num_seconds()
}

/// `n` times half an hour, and up to a minute on top of each, as the formula draws it.
fn assert_rests(state: &State, n: i64) {
    let rest = rest(state);
    assert!((n * 1800..=n * 1860).contains(&rest), "{rest} s after {state:?}");
}

#[test]
fn a_success_and_a_failure_are_written_down() {
    let world = World::start();
    let upstream = world.git.create("up.git");
    upstream.commit("main", "first");
    world.add_pull(1, "up.git", &[]);
    let new = world.state("pull", 1);
    assert_eq!((new.status(), new.time("last_update_at"), new.number("retry_count")), ("none", None, 0));

    let begun = Utc::now() - TimeDelta::milliseconds(1);
    let finished = world.run("pull", 1);
    let times = |state: &State| -> [Option<DateTime<Utc>>; 3] {
        ["last_update_started_at", "last_update_at", "last_successful_update_at"].map(|name| state.time(name))
    };
    let [started, ended, succeeded] = times(&finished);
    assert!(Some(begun) <= started && started <= ended && ended <= Some(Utc::now()), "{finished:?}");
    assert_eq!((succeeded, finished.time("last_changed_at")), (ended, ended));
    assert_eq!((finished.status(), finished.error(), finished.number("retry_count")), ("finished", None, 0));
    assert_rests(&finished, 1);

    std::fs::rename(upstream.path(), upstream.path().with_extension("away")).unwrap();
    for failures in 1..=3 {
        let failed = world.run("pull", 1);
        let error = "HTTP 404: 127.0.0.1 has no such repository, or does not show it to this user.";
        assert_eq!((failed.status(), failed.error()), ("failed", Some(error)));
        assert_listed(error);
        assert_eq!(failed.number("retry_count"), failures);
        let [_, failed_at, succeeded_at] = times(&failed);
        assert_eq!(succeeded_at, succeeded, "the last success stays");
        assert!(failed_at > ended);
        assert_eq!(failed.time("last_changed_at"), ended);
        assert_rests(&failed, i64::try_from(failures).unwrap());
    }

    std::fs::rename(upstream.path().with_extension("away"), upstream.path()).unwrap();
    let recovered = world.run("pull", 1);
    assert_eq!((recovered.status(), recovered.error(), recovered.number("retry_count")), ("finished", None, 0));
    assert_rests(&recovered, 1);
}

#[test]
fn the_fifteenth_failure_in_a_row_is_hard_and_sync_revives_the_mirror() {
    let world = World::start();
    world.add_pull(1, "up.git", &[]);
    for failures in 1..=15 {
        let state = world.run("pull", 1);
        assert_eq!((state.status(), state.number("retry_count")), ("failed", failures));
        assert_eq!(state.0["hard_failed"], failures == 15);
        assert_eq!(state.time("next_execution_timestamp").is_none(), failures == 15, "{state:?}");
    }

    world.git.create("up.git").commit("main", "first");
    world.installation.cli_ok(&["mirror", "sync", "pull", "1"]);
    world.wait_for_jobs();
    let revived = world.state("pull", 1);
    assert_eq!((revived.status(), revived.error(), revived.number("retry_count")), ("finished", None, 0));
    assert_rests(&revived, 1);
}

#[test]
fn a_push_mirror_is_never_due_by_time() {
    let world = World::start();
    world.create_local(1).commit("main", "first");
    world.add_push(1, "far.git", &[]);
    let failed = world.run("push", 1);
    assert_eq!((failed.status(), failed.number("retry_count")), ("failed", 1));
    assert_eq!(failed.time("next_execution_timestamp"), None);
    world.git.create("far.git");
    let finished = world.run("push", 1);
    assert_eq!((finished.status(), finished.error(), finished.number("retry_count")), ("finished", None, 0));
    assert_eq!(finished.time("next_execution_timestamp"), None);
    assert_eq!(finished.time("last_successful_update_at"), finished.time("last_update_at"));
}

#[test]
fn a_mirror_that_is_not_enabled_or_does_not_exist_is_not_run() {
    let world = World::start();
    world.git.create("up.git").commit("main", "first");
    world.add_pull(1, "up.git", &["--enabled", "false"]);
    for id in [1, 99] {
        world.push_job("pull", id);
    }
    world.wait_for_jobs();
    assert_eq!(world.state("pull", 1).status(), "none");
    assert_eq!(world.git.requests("up.git"), []);
    assert!(world.worker.metric(r#"sidekiq_jobs_failed_total{class="UpdateMirror"}"#).unwrap_or(0.0) < 1.0);
}
