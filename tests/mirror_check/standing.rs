//! What stands in a run's way before the network does.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use redis::Commands as _;
use serde_json::Value;

use crate::rig::git_daemon::GitDaemon;
use crate::rig::port;
use crate::rig::repository::Repository;
use crate::rig::silent::SilentServer;
use crate::rig::wait;
use crate::scene::Scene;

/// A server with `far.git`.
fn daemon(scene: &Scene) -> GitDaemon {
    let folder = scene.installation.folder().join("far");
    std::fs::create_dir(&folder).unwrap();
    Repository::create(&folder.join("far.git")).commit("main", "far");
    GitDaemon::start(&folder, true)
}

#[test]
fn a_mirror_that_will_not_run_is_noted_and_its_way_is_tried_all_the_same() {
    let scene = Scene::new();
    let daemon = daemon(&scene);
    scene.add("pull", 1, &daemon.url("far.git"), &["--enabled", "false"]);
    let disabled = scene.check("pull", 1);
    assert_eq!((disabled.outcome("mirror"), disabled.outcome("list")), ("note", "ok"));
    assert_eq!(disabled.json["ok"], true);
    insta::assert_snapshot!(disabled.text);
}

#[test]
fn a_mirror_is_checked_while_it_runs() {
    let scene = Scene::new();
    let silent = SilentServer::start();
    scene.add("pull", 1, &format!("git://127.0.0.1:{}/far.git", silent.port()), &[]);
    let worker = scene.installation.start_worker();
    scene.installation.cli_ok(&["mirror", "sync", "pull", "1"]);
    wait::until("the run to be at its host", wait::START, || silent.open_connections() > 0);
    let output = scene.installation.cli(&["mirror", "check", "pull", "2"]);
    assert_eq!(output.status.code(), Some(1));
    let daemon = daemon(&scene);
    let record = "sidemirror:pull:1";
    let mut connection = scene.redis.connection();
    let text: String = connection.hget(record, "record").unwrap();
    // The worker goes on with the settings that it has read.
    let elsewhere = text.replace(&format!(":{}/", silent.port()), &format!(":{}/", daemon.port));
    let _: u64 = connection.hset(record, "record", elsewhere).unwrap();
    let output = scene.installation.cli(&["mirror", "check", "pull", "1", "--json"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["ok"], true, "{said}");
    assert_eq!(said["steps"][0]["outcome"], "note");
    assert_eq!(said["steps"][0]["detail"], "a run is at it now, and is not disturbed");
    assert!(!worker.log().contains("ERROR"), "{}", worker.log());
}

#[test]
fn a_host_that_is_given_up_is_noted_with_its_last_failure() {
    let scene = Scene::with(|installation| installation.mirror("hosts", "{failures: 1, pause: 5m}"));
    scene.add("pull", 1, &format!("git://127.0.0.1:{}/far.git", port::free()), &[]);
    let worker = scene.installation.start_worker();
    scene.installation.cli_ok(&["mirror", "sync", "pull", "1"]);
    wait::until("the run to fail", wait::START, || {
        scene.installation.mirror_state("pull", 1)["last_error"].is_string()
    });
    drop(worker);
    let checked = scene.check("pull", 1);
    assert_eq!((checked.outcome("host"), checked.failed()), ("note", "connection"));
    let said = checked.step("host")["detail"].as_str().unwrap();
    assert!(said.contains("is given up after 1 failures; runs fail at once") && said.contains("refused"), "{said}");
}

#[test]
fn what_is_stored_and_cannot_be_used_is_a_step_that_fails() {
    let scene = Scene::new();
    let daemon = daemon(&scene);
    let password = scene.installation.password_file("s3cr3t");
    let login = ["--user", "me", "--password-file", password.to_str().unwrap()];
    scene.add("pull", 1, &daemon.url("far.git"), &[]);
    scene.add("pull", 2, "http://127.0.0.1:8080/far.git", &login);
    scene.add("push", 3, &daemon.url("far.git"), &[]);
    let mut connection = scene.redis.connection();
    let text: String = connection.hget("sidemirror:pull:1", "record").unwrap();
    let _: u64 = connection.hset("sidemirror:pull:1", "record", text.replace("git://", "ext::sh -c ")).unwrap();
    std::fs::write(scene.installation.folder().join("secret.key"), BASE64_STANDARD.encode([8; 32])).unwrap();
    std::fs::rename(scene.installation.repository("p.git").path(), scene.installation.repository("gone.git").path())
        .unwrap();
    let checks = [("pull", 1), ("pull", 2), ("push", 3)].map(|(way, id)| scene.check(way, id));
    assert_eq!([0, 1, 2].map(|one| checks[one].failed()), ["url", "secrets", "repository"]);
    // The far side is told about, too.
    assert_eq!(checks[2].outcome("push"), "ok");
    insta::assert_snapshot!(checks.map(|checked| checked.text).join("\n"));
}

#[test]
fn a_mirror_that_is_not_there_and_a_line_that_is_none_have_codes_of_their_own() {
    let scene = Scene::new();
    let missing = scene.installation.cli(&["mirror", "check", "pull", "9"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("there is no pull mirror 9"));
    assert_eq!(scene.installation.cli(&["mirror", "check", "sideways", "9"]).status.code(), Some(2));
}
