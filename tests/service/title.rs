//! What `top` and `ps -o comm` show.

use std::time::Duration;

use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::silent::SilentServer;
use crate::rig::wait;

#[test]
fn the_name_of_the_process_tells_how_many_of_its_slots_are_busy() {
    let (redis, far) = (Redis::start(), SilentServer::start());
    let installation = Installation::new(&redis.url()).set("concurrency", 4).mirror("scheduler", false);
    installation.add_mirror("pull", 1, "group/project.git", &format!("http://127.0.0.1:{}/p.git", far.port()), &[]);
    let worker = installation.start_worker();
    let name = || std::fs::read_to_string(format!("/proc/{}/comm", worker.id())).unwrap();
    wait::until("it is idle", Duration::from_secs(10), || name() == "sidemirror 0/4\n");
    installation.cli_ok(&["mirror", "sync", "pull", "1"]);
    wait::until("it is busy", Duration::from_secs(10), || name() == "sidemirror 1/4\n");
}
