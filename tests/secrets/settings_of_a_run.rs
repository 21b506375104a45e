//! Settings that become others while a run of the old ones is under way.

use std::time::Duration;

use crate::rig::silent::SilentServer;
use crate::rig::wait;
use crate::world::World;

#[test]
fn the_end_of_a_run_is_not_written_over_settings_that_came_meanwhile() {
    let world = World::with(|installation| installation.mirror("stall_timeout", "3s").mirror("connect_timeout", "3s"));
    world.git.create("up.git").commit("main", "first");
    let silent = SilentServer::start();
    let url = format!("http://127.0.0.1:{}/up.git", silent.port());
    world.installation.add_mirror("pull", 1, "group/project-1.git", &url, &[]);
    world.push_job("pull", 1);
    wait::until("the run has begun", Duration::from_secs(20), || world.state("pull", 1).status() == "started");

    let password = world.installation.password_file(crate::rig::git_http::GitServer::PASSWORD).display().to_string();
    let user = crate::rig::git_http::GitServer::USER;
    world.update("pull", 1, &["--url", &world.git.url("up.git"), "--user", user, "--password-file", &password]);
    assert_eq!(world.state("pull", 1).status(), "started", "the old run goes on");
    world.wait_for_jobs();
    let state = world.state("pull", 1);
    assert_eq!((state.status(), state.error(), state.number("retry_count")), ("none", None, 0), "{state:?}");
    assert!(state.time("next_execution_timestamp").is_some(), "and the new ones are due at once");
    assert!(world.worker.log().contains("sent nothing"), "the old run did fail:\n{}", world.worker.log());
    world.succeed("pull", 1);
}
