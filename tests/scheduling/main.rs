//! The cron thread of real workers: due mirrors by free capacity, in due order, never twice.

#![cfg(test)]

mod asked;
mod origin;
mod sampler;

#[path = "../rig/mod.rs"]
mod rig;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use redis::Commands as _;
use rig::git_http::GitServer;
use rig::installation::Installation;
use rig::redis::Redis;
use rig::store::Store;
use rig::wait;
use sampler::Sampler;
use sidemirror::mirror::state::Status;

/// Adds pull mirrors 1 to `count` of one upstream, of which 1 has been due longest.
fn add_due(store: &Store, count: u64, url: &str) {
    let now = Utc::now();
    for id in 1..=count {
        let due_at = now - TimeDelta::seconds(i64::try_from(count - id).unwrap() + 1);
        store.add_pull(id, &format!("group/project-{id}.git"), url, due_at);
    }
}

/// Mirrors that are due, and slots for a tenth of them.
const MIRRORS: u64 = 1000;
const CAPACITY: usize = 100;

#[test]
fn a_thousand_due_mirrors_are_all_done_within_the_capacity_and_near_due_order_by_two_racing_schedulers() {
    let (redis, git) = (Redis::start(), GitServer::start());
    git.create("up/stream.git").commit("main", "first");
    let installation =
        Installation::new(&redis.url()).mirror("max_capacity", CAPACITY).mirror("capacity_threshold", 50);
    let store = Store::open(&redis, &installation);
    add_due(&store, MIRRORS, &git.url("up/stream.git"));

    let sampler = Sampler::start(&redis);
    let workers = [installation.start_worker(), installation.start_worker()];
    let finished = |redis: &mut redis::Connection| -> u64 { redis.scard("sidemirror:pull:status:finished").unwrap() };
    let mut connection = redis.connection();
    wait::until("all mirrors are done", Duration::from_mins(4), || finished(&mut connection) == MIRRORS);
    let most = sampler.stop();

    assert!(most.under_way <= CAPACITY, "{} mirrors were scheduled or started at once", most.under_way);
    assert!(most.slots <= CAPACITY, "{} slots were taken at once", most.slots);
    assert!(most.under_way > CAPACITY / 2, "only {} were under way at once: the capacity was not used", most.under_way);

    // Each was scheduled by one of the two, once, and run once.
    let of_both =
        |series: &str| workers.iter().map(|worker| worker.metric(series).unwrap_or(0.0)).sum::<f64>().to_string();
    assert_eq!(of_both("sidemirror_mirrors_scheduled_total"), MIRRORS.to_string());
    assert_eq!(
        of_both(r#"sidemirror_runs_total{direction="pull",engine="git",outcome="changed"}"#),
        MIRRORS.to_string()
    );
    wait::until("the last jobs are counted", Duration::from_secs(20), || {
        connection.get::<_, Option<u64>>("stat:processed").unwrap() == Some(MIRRORS)
    });
    assert_eq!(connection.llen::<_, u64>("queue:mirrors").unwrap(), 0);
    assert_eq!(connection.zcard::<_, u64>("sidemirror:capacity").unwrap(), 0);

    let mirrors = store.mirrors();
    let mut starts: Vec<(DateTime<Utc>, u64)> =
        mirrors.iter().map(|mirror| (mirror.state.last_update_started_at.unwrap(), mirror.id.0)).collect();
    starts.sort();
    let page = u64::try_from(CAPACITY).unwrap();
    for (place, (_, id)) in (1..).zip(starts) {
        assert!(id.abs_diff(place) <= page, "mirror {id}, due as number {id}, was started as number {place}");
    }
    assert!(mirrors.iter().all(|mirror| mirror.state.due_at() > Some(Utc::now() + TimeDelta::minutes(20))));
}

#[test]
fn a_mirror_that_is_not_enabled_or_not_due_or_hard_failed_is_not_scheduled() {
    let (redis, git) = (Redis::start(), GitServer::start());
    git.create("up/stream.git").commit("main", "first");
    let url = git.url("up/stream.git");
    let installation = Installation::new(&redis.url());
    let password = installation.password_file(GitServer::PASSWORD);
    for (id, enabled) in [("1", "true"), ("2", "false"), ("3", "true"), ("4", "true")] {
        let repository = format!("group/{id}.git");
        installation.cli_ok(&[
            "mirror",
            "add",
            "pull",
            "--id",
            id,
            "--repository",
            &repository,
            "--url",
            &url,
            "--enabled",
            enabled,
            "--user",
            GitServer::USER,
            "--password-file",
            &password.display().to_string(),
        ]);
    }
    let store = Store::open(&redis, &installation);
    store.change_state(3, |state| state.next_execution_at = Some(Utc::now() + TimeDelta::minutes(5)));
    store.change_state(4, |state| state.retry_count = 15);

    let worker = installation.start_worker();
    wait::until("the due mirror is done", Duration::from_secs(30), || {
        store.mirrors()[0].state.status == Status::Finished
    });
    let statuses: Vec<Status> = store.mirrors().iter().map(|mirror| mirror.state.status).collect();
    assert_eq!(statuses, [Status::Finished, Status::None, Status::None, Status::None]);
    assert_eq!(worker.metric("sidemirror_mirrors_scheduled_total"), Some(1.0));
}

#[test]
fn when_the_scheduling_worker_is_gone_another_one_schedules() {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url());
    let mut first = installation.start_worker();
    let mut connection = redis.connection();
    let holder = |connection: &mut redis::Connection| -> Option<String> {
        connection.get("sidemirror:lease:scheduler").unwrap()
    };
    let before = wait::for_some("one schedules", Duration::from_secs(5), || holder(&mut connection));
    // A worker that stops in good order gives the lease back, and the other need not wait for its end.
    first.terminate();
    assert_eq!(holder(&mut connection), None);
    let second = installation.start_worker();
    let after = wait::for_some("another one schedules", Duration::from_secs(5), || holder(&mut connection));
    assert_ne!(before, after);
    wait::until("it shows the mirrors", Duration::from_secs(5), || {
        second.metric(r#"sidemirror_mirrors{state="due"}"#) == Some(0.0)
    });
}

#[test]
fn a_record_that_cannot_be_read_does_not_keep_the_others_from_being_scheduled() {
    let (redis, git) = (Redis::start(), GitServer::start());
    git.create("up/stream.git").commit("main", "first");
    let installation = Installation::new(&redis.url());
    let store = Store::open(&redis, &installation);
    add_due(&store, 4, &git.url("up/stream.git"));
    let mut connection = redis.connection();
    connection.hset::<_, _, _, ()>("sidemirror:pull:1", "record", "{\"settings\":").unwrap();
    connection.del::<_, ()>("sidemirror:pull:2").unwrap();
    connection.set::<_, _, ()>("sidemirror:pull:2", "no hash").unwrap();
    connection.zadd::<_, _, _, ()>("sidemirror:pull:due", "no number", 0).unwrap();

    let worker = installation.start_worker();
    wait::until("the others are done", Duration::from_secs(30), || {
        connection.scard::<_, u64>("sidemirror:pull:status:finished").unwrap() == 2
    });
    wait::until("the slots are free", Duration::from_secs(10), || {
        connection.zcard::<_, u64>("sidemirror:capacity").unwrap() == 0
    });
    let due: Vec<String> =
        connection.zrangebyscore("sidemirror:pull:due", "-inf", Utc::now().timestamp_millis()).unwrap();
    assert_eq!(due, [""; 0], "what cannot be run is not due any more");
    assert!(worker.log().contains("pull:1 is not readable"), "it is said in the log");
    assert_eq!(store.mirrors().len(), 2, "a list shows those that can be shown");
}

#[test]
fn a_mirror_disabled_while_it_waits_lets_go_of_its_slot() {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url()).mirror("scheduler", false);
    let store = Store::open(&redis, &installation);
    add_due(&store, 1, "http://127.0.0.1:1/unreachable.git");
    store.change_state(1, |state| {
        state.status = Status::Scheduled;
        state.jid = Some("j".to_owned());
        state.last_update_scheduled_at = Some(Utc::now());
    });
    let mut connection = redis.connection();
    connection.zadd::<_, _, _, ()>("sidemirror:capacity", 1, Utc::now().timestamp_millis()).unwrap();
    installation.cli_ok(&["mirror", "update", "pull", "1", "--enabled", "false"]);
    let job = r#"{"class":"UpdateMirror","args":[1],"jid":"j","queue":"mirrors","retry":false}"#;
    connection.lpush::<_, _, ()>("queue:mirrors", job).unwrap();

    let _worker = installation.start_worker();
    wait::until("its slot is free", Duration::from_secs(20), || {
        connection.zcard::<_, u64>("sidemirror:capacity").unwrap() == 0
    });
    let state = store.mirrors()[0].state.clone();
    assert_eq!((state.status, state.retry_count), (Status::Failed, 0), "given up, and no failure of its own");
}
