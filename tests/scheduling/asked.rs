//! A process that schedules nothing by itself, and is sent the job that asks for a pass.

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
fn a_pass_that_was_asked_for_goes_on_as_slots_become_free_also_where_nothing_is_scheduled_by_the_clock() {
    let (redis, git) = (Redis::start(), GitServer::start());
    git.create("up/stream.git").commit("main", "first");
    let installation = Installation::new(&redis.url())
        .mirror("scheduler", false)
        .mirror("max_capacity", 1)
        .mirror("capacity_threshold", 1);
    let store = Store::open(&redis, &installation);
    let worker = installation.start_worker();
    add_due(&store, 3, &git.url("up/stream.git"));
    // A pass ends with its minute.
    wait::until("the next minute is far", Duration::from_secs(30), || Utc::now().second() < 45);
    let mut connection = redis.connection();
    let pass = r#"{"class":"UpdateAllMirrors","args":[],"jid":"pass","queue":"mirrors","retry":false}"#;
    connection.lpush::<_, _, ()>("queue:mirrors", pass).unwrap();
    wait::until("all are done", Duration::from_secs(14), || {
        connection.scard::<_, u64>("sidemirror:pull:status:finished").unwrap() == 3
    });
    assert_eq!(worker.get("/healthz").unwrap().status, 200);
}
