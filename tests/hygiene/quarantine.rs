//! A job that takes its worker down with it, three times.

use redis::Commands as _;

use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::silent::SilentServer;
use crate::rig::wait;
use crate::{WORK, json, pull_job, push, run_keys, slots, wait_for_status};

const REASON: &str = "Set aside: the worker died 3 times while it was at this job.";

#[test]
fn a_job_under_which_three_workers_died_is_set_aside_and_its_mirror_waits_for_it_no_longer() {
    let (redis, silent) = (Redis::start(), SilentServer::start());
    let installation = Installation::new(&redis.url()).mirror("scheduler", false).set("timeout", 1);
    installation.add_mirror("pull", 1, "g/p.git", &GitServer::url_at(silent.port(), "up.git"), &[]);
    let mut connection = redis.connection();
    push(&mut connection, &pull_job(1, "deadly"));

    // An orderly stop does not count.
    let mut worker = installation.start_worker();
    wait::until("it hangs", WORK, || silent.open_connections() == 1);
    worker.terminate();
    let waiting: Vec<String> = connection.lrange("queue:mirrors", 0, -1).unwrap();
    assert_eq!(waiting, [pull_job(1, "deadly")]);

    for death in 1..=3 {
        let mut worker = installation.start_worker();
        wait::until("it hangs", WORK, || silent.open_connections() == 1 && slots(&mut connection) == 1);
        worker.kill();
        // What 60 and 30 seconds would do.
        for pattern in ["reliable-fetcher-heartbeat-*", "sidemirror:run:*"] {
            let keys: Vec<String> = connection.keys(pattern).unwrap();
            assert_eq!(keys.len(), 1, "after death {death}");
            connection.del::<_, ()>(keys).unwrap();
        }
        wait::until("the dead have left", WORK, || silent.open_connections() == 0);
    }
    let worker = installation.start_worker();
    let state = wait_for_status(&installation, "pull", 1, "failed");
    assert_eq!((&state["last_error"], &state["retry_count"]), (&REASON.into(), &1.into()));
    wait::until("its slot is free", WORK, || slots(&mut connection) == 0);
    assert_eq!((silent.open_connections(), run_keys(&mut connection)), (0, vec![]));
    assert_eq!(worker.metric("sidemirror_quarantined_jobs_total"), Some(1.0));

    let listed = json(&installation, &["job", "quarantined", "--json"]);
    let job = &listed[0];
    assert_eq!(
        (&job["jid"], &job["class"], &job["queue"]),
        (&"deadly".into(), &"UpdateMirror".into(), &"mirrors".into())
    );
    assert_eq!((&job["interrupted_count"], &job["reason"]), (&3.into(), &REASON.into()));
    assert!(installation.cli_ok(&["job", "quarantined"]).contains(REASON));
    assert_eq!(installation.cli(&["job", "release", "another"]).status.code(), Some(1));
    installation.cli_ok(&["job", "release", "deadly"]);
    wait::until("it runs again", WORK, || silent.open_connections() == 1);
    assert_eq!(installation.cli_ok(&["job", "quarantined"]), "no job is set aside\n");
}
