//! Where the jobs that a pass pushes say they come from.

use std::time::Duration;

use chrono::{Timelike as _, Utc};
use redis::Commands as _;

use crate::add_due;
use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::store::Store;
use crate::rig::wait;

#[test]
fn a_pass_that_a_job_asked_for_passes_the_jobs_context_on_also_to_mirrors_that_had_to_wait_for_room() {
    let (redis, git) = (Redis::start(), GitServer::start());
    git.create("up/stream.git").commit("main", "first");
    let installation = Installation::new(&redis.url()).mirror("max_capacity", 1).mirror("capacity_threshold", 1);
    let store = Store::open(&redis, &installation);
    let worker = installation.start_worker();
    wait::until("the first minute is over", Duration::from_secs(10), || {
        worker.metric(r#"sidemirror_mirrors{state="due"}"#) == Some(0.0)
    });
    // What the clock would schedule comes from nobody.
    wait::until("the next minute is far", Duration::from_secs(30), || (2..45).contains(&Utc::now().second()));
    add_due(&store, 3, &git.url("up/stream.git"));
    let pass = r#"{"class":"UpdateAllMirrors","args":[],"jid":"pass","queue":"mirrors","retry":false,
        "correlation_id":"c-1","meta.user":"root","meta.caller_id":"Cronjob"}"#;
    let mut connection = redis.connection();
    connection.lpush::<_, _, ()>("queue:mirrors", pass).unwrap();
    wait::until("all are done", Duration::from_secs(14), || {
        connection.scard::<_, u64>("sidemirror:pull:status:finished").unwrap() == 3
    });
    let log = worker.log();
    let starts: Vec<&str> =
        log.lines().filter(|line| line.contains("class=UpdateMirror") && line.ends_with("start")).collect();
    assert_eq!(starts.len(), 3, "{log}");
    for (line, field) in starts.iter().flat_map(|line| {
        ["correlation_id=\"c-1\"", "meta.user=\"root\"", "meta.caller_id=\"UpdateAllMirrors\""].map(|it| (line, it))
    }) {
        assert!(line.contains(field), "{field}: {line}");
    }
}
