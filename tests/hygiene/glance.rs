//! `sidemirror status` and the dump that TTIN asks for.

use redis::Commands as _;
use rustix::process::Signal;

use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::ruby::RubySidekiq;
use crate::rig::silent::SilentServer;
use crate::rig::wait;
use crate::{WORK, json, pull_job, push, slots};

#[test]
fn status_shows_every_process_every_job_and_what_waits() {
    let (redis, silent) = (Redis::start(), SilentServer::start());
    let installation = Installation::new(&redis.url()).mirror("scheduler", false).mirror("sidekiq", "\"6.4\"");
    assert!(installation.cli_ok(&["status"]).starts_with("no process is registered\n"));
    installation.add_mirror("pull", 1, "g/p.git", &GitServer::url_at(silent.port(), "up.git"), &[]);
    let ruby = RubySidekiq::start(&redis.url(), "", &["others"], 3);
    let worker = installation.start_worker();
    let mut connection = redis.connection();
    push(&mut connection, &pull_job(1, "hanging"));
    connection.sadd::<_, _, ()>("queues", "elsewhere").unwrap();
    for set in ["retry", "dead", "interrupted"] {
        connection.zadd::<_, _, _, ()>(set, "{}", 9_999_999_999_u64).unwrap();
    }
    connection.lpush::<_, _, ()>("queue:elsewhere", r#"{"enqueued_at":1.7E9}"#).unwrap();

    let status = wait::for_some("a heartbeat with the job", WORK, || {
        let status = json(&installation, &["status", "--json"]);
        let busy =
            status["processes"].as_array()?.iter().any(|process| !process["jobs"].as_array().unwrap().is_empty());
        busy.then_some(status)
    });
    let processes = status["processes"].as_array().unwrap();
    let (ours, others): (Vec<_>, Vec<_>) = processes.iter().partition(|process| process["sidemirror"] == true);
    assert_eq!((ours.len(), others.len()), (1, 1), "{status}");
    assert_eq!((&others[0]["concurrency"], &others[0]["queues"][0]), (&3.into(), &"others".into()));
    let job = &ours[0]["jobs"][0];
    assert_eq!(
        (&job["jid"], &job["class"], &job["queue"]),
        (&"hanging".into(), &"UpdateMirror".into(), &"mirrors".into())
    );
    assert_eq!(
        (&job["expected_seconds"], &job["overdue"]),
        (&10_860.into(), &false.into()),
        "three hours and a minute"
    );
    assert!(job["progress"].as_str().unwrap().contains("bytes received"), "{job}");
    let sets = &status["sets"];
    assert_eq!(
        (&sets["retry"], &sets["schedule"], &sets["dead"], &sets["interrupted"]),
        (&1.into(), &0.into(), &1.into(), &1.into())
    );
    let elsewhere = status["queues"].as_array().unwrap().iter().find(|queue| queue["name"] == "elsewhere").unwrap();
    assert!(elsewhere["length"] == 1 && elsewhere["latency_seconds"].as_f64().unwrap() > 1e7, "{elsewhere}");
    let page = installation.cli_ok(&["status"]);
    for part in ["sidemirror", "sidekiq", "hanging", "UpdateMirror", "1 of 25", "(interrupted)"] {
        assert!(page.contains(part), "{part} is missing:\n{page}");
    }
    drop((worker, ruby));
}

#[test]
fn ttin_has_the_worker_say_what_each_slot_is_doing() {
    let (redis, silent) = (Redis::start(), SilentServer::start());
    let installation = Installation::new(&redis.url()).mirror("scheduler", false);
    installation.add_mirror("pull", 1, "g/p.git", &GitServer::url_at(silent.port(), "up.git"), &[]);
    let worker = installation.start_worker();
    let mut connection = redis.connection();
    push(&mut connection, &pull_job(1, "hanging"));
    wait::until("it hangs", WORK, || silent.open_connections() == 1 && slots(&mut connection) == 1);
    worker.signal(Signal::TTIN);
    let line = wait::for_some("the dump", WORK, || {
        worker.log().lines().find(|line| line.contains("running slot=")).map(str::to_owned)
    });
    for part in [
        "slot0",
        "class=UpdateMirror",
        "jid=hanging",
        "queue=mirrors",
        "seconds=",
        "expected=10860",
        "overdue=false",
        "0 of 0 objects",
    ] {
        assert!(line.contains(part), "{part} is missing: {line}");
    }
    assert_eq!(worker.metric("sidemirror_overdue_jobs"), Some(0.0));
    wait::until("its age to be measured", WORK, || worker.metric("sidemirror_oldest_job_age_seconds") > Some(0.0));
}
