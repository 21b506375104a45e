//! `sidemirror job cancel`, with far sides that are silent or slow.

use std::time::{Duration, Instant};

use redis::Commands as _;

use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::proxy::Proxy;
use crate::rig::redis::Redis;
use crate::rig::silent::SilentServer;
use crate::rig::wait;
use crate::{WORK, json, pull_job, push, run_keys, slots, wait_for_status};

const CANCELLED: &str = "Cancelled by an administrator.";

#[test]
fn a_cancelled_job_leaves_the_network_within_a_second_on_whichever_worker_it_runs() {
    let (redis, silent) = (Redis::start(), SilentServer::start());
    let installation = Installation::new(&redis.url()).mirror("scheduler", false);
    for id in 1..=4 {
        let url = GitServer::url_at(silent.port(), &format!("up/{id}.git"));
        installation.add_mirror("pull", id, &format!("g/{id}.git"), &url, &[]);
    }
    let workers = [installation.start_worker(), installation.start_worker()];
    let mut connection = redis.connection();
    for id in 1..=4 {
        push(&mut connection, &pull_job(id, &format!("jid{id}")));
    }
    wait::until("all runs to hang", WORK, || silent.open_connections() == 4 && slots(&mut connection) == 4);

    for (id, left) in [(2, 3), (3, 2)] {
        let order = redis::cmd("SET").arg(format!("sidemirror:cancel:jid{id}")).arg("1").exec(&mut connection);
        order.unwrap();
        let ordered = Instant::now();
        wait::until("it leaves the network", WORK, || silent.open_connections() == left);
        assert!(ordered.elapsed() < Duration::from_secs(1), "{:?}", ordered.elapsed());
        let state = wait_for_status(&installation, "pull", id, "failed");
        assert_eq!((&state["last_error"], &state["retry_count"]), (&CANCELLED.into(), &1.into()));
    }
    // The whole command, which waits for the end.
    let told = json(&installation, &["job", "cancel", "jid4", "--json"]);
    assert_eq!((&told["jid"], &told["end"]), (&"jid4".into(), &"cancelled".into()), "{told}");
    wait_for_status(&installation, "pull", 4, "failed");

    assert_eq!(installation.mirror_state("pull", 1)["update_status"], "started", "another run goes on");
    assert_eq!((silent.open_connections(), slots(&mut connection)), (1, 1));
    assert_eq!(run_keys(&mut connection), ["sidemirror:run:pull:1"]);
    assert_eq!(connection.zcard::<_, usize>("dead").unwrap(), 3);
    assert_eq!(connection.keys::<_, Vec<String>>("sidemirror:cancel:*").unwrap(), [""; 0]);
    let counted: f64 = workers
        .iter()
        .filter_map(|worker| worker.metric(r#"sidemirror_jobs_total{class="UpdateMirror",outcome="cancelled"}"#))
        .sum();
    assert!((counted - 3.0).abs() < f64::EPSILON, "{counted}");
}

#[test]
fn a_pull_cancelled_in_the_middle_of_its_transfer_leaves_the_repository_as_it_was() {
    let (redis, git) = (Redis::start(), GitServer::start());
    let upstream = git.create("up/stream.git");
    upstream.commits("main", 300);
    let gate = Proxy::to(git.port());
    let installation = Installation::new(&redis.url()).mirror("scheduler", false).mirror("stall_timeout", "10m");
    let url = GitServer::url_at(gate.port(), "up/stream.git");
    installation.add_mirror("pull", 1, "g/p.git", &url, &[]);
    let _worker = installation.start_worker();
    let sync = || json(&installation, &["mirror", "sync", "pull", "1", "--json"])["jid"].as_str().unwrap().to_owned();
    sync();
    wait_for_status(&installation, "pull", 1, "finished");
    let local = installation.repository("g/p.git");
    let before = local.refs();

    upstream.commits("main", 3000);
    gate.close_gate_after(20_000);
    let jid = sync();
    wait::until("the transfer to be half way", WORK, || gate.gate_is_closed());
    installation.cli_ok(&["job", "cancel", &jid]);
    let state = wait_for_status(&installation, "pull", 1, "failed");
    assert_eq!(state["last_error"], CANCELLED);
    assert_eq!(local.refs(), before);
    local.git(&["fsck", "--strict"]);

    gate.open_gate();
    sync();
    wait_for_status(&installation, "pull", 1, "finished");
    assert_eq!(local.mirrored_refs(), upstream.mirrored_refs());
}

#[test]
fn a_push_is_cancelled_as_well() {
    let (redis, silent) = (Redis::start(), SilentServer::start());
    let installation = Installation::new(&redis.url());
    crate::rig::repository::Repository::create(installation.repository("g/p.git").path()).commit("main", "first");
    installation.add_mirror("push", 7, "g/p.git", &GitServer::url_at(silent.port(), "far.git"), &[]);
    let _worker = installation.start_worker();
    let jid = json(&installation, &["mirror", "sync", "push", "7", "--json"])["jid"].as_str().unwrap().to_owned();
    wait::until("it hangs", WORK, || silent.open_connections() == 1);
    installation.cli_ok(&["job", "cancel", &jid]);
    let state = wait_for_status(&installation, "push", 7, "failed");
    assert_eq!((&state["last_error"], silent.open_connections()), (&CANCELLED.into(), 0));
}

#[test]
fn a_scheduled_mirror_whose_waiting_job_is_cancelled_has_failed_and_its_slot_is_free() {
    let (redis, silent) = (Redis::start(), SilentServer::start());
    // The scheduler marks both, and there is room for one run.
    let installation = Installation::new(&redis.url()).set("concurrency", 1);
    for id in 1..=2 {
        let url = GitServer::url_at(silent.port(), &format!("up/{id}.git"));
        installation.add_mirror("pull", id, &format!("g/{id}.git"), &url, &[]);
    }
    let _worker = installation.start_worker();
    let mut connection = redis.connection();
    wait::until("one to run and one to wait", Duration::from_secs(90), || {
        silent.open_connections() == 1 && slots(&mut connection) == 2
    });
    let waiting: Vec<String> = connection.lrange("queue:mirrors", 0, -1).unwrap();
    let waiting: serde_json::Value = serde_json::from_str(&waiting[0]).unwrap();
    let told = installation.cli_ok(&["job", "cancel", waiting["jid"].as_str().unwrap()]);
    assert!(told.contains("found in queue:mirrors"), "{told}");
    let state = installation.mirror_state("pull", waiting["args"][0].as_u64().unwrap());
    assert_eq!((&state["update_status"], &state["last_error"]), (&"failed".into(), &CANCELLED.into()));
    assert_eq!((slots(&mut connection), connection.zcard::<_, usize>("dead").unwrap()), (1, 1));

    let refused = installation.cli(&["job", "cancel", "nowhere"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("waits in no queue"));
}
