//! SSH.

use crate::rig::repository::Repository;
use crate::rig::sshd::{Sshd, me};
use crate::scene::Scene;

/// A scene with a server and a far repository beside it.
fn scene() -> (Scene, Sshd, Repository) {
    let scene = Scene::new();
    let sshd = Sshd::start(scene.installation.folder(), &["ed25519"], &[]);
    let far = Repository::create(&scene.installation.folder().join("far.git"));
    far.commit("main", "far");
    (scene, sshd, far)
}

fn url(sshd: &Sshd, far: &Repository) -> String {
    format!("ssh://{}@127.0.0.1:{}{}", me(), sshd.port, far.path().display())
}

/// Makes a key for a mirror, and returns its public line.
fn key(scene: &Scene, direction: &str, id: &str) -> String {
    let made = scene.installation.cli_ok(&["key", "generate", direction, id, "--type", "ed25519"]);
    made.lines().last().unwrap().to_owned()
}

#[test]
fn every_step_over_ssh_is_told_in_both_directions() {
    let (scene, sshd, far) = scene();
    let before = far.refs();
    let mut lines = Vec::new();
    for direction in ["pull", "push"] {
        scene.add(direction, 1, &url(&sshd, &far), &[]);
        lines.push(key(&scene, direction, "1"));
        scene.installation.cli_ok(&["host-keys", "trust", direction, "1", "--detect"]);
    }
    sshd.authorise(&lines.join("\n"));
    let (pull, push) = (scene.check("pull", 1), scene.check("push", 1));
    assert!(pull.step("host_key")["detail"].as_str().unwrap().contains(&sshd.fingerprint("ed25519")));
    insta::assert_snapshot!(format!("{}\n{}", pull.text, push.text));
    for direction in ["pull", "push"] {
        scene.installation.cli_ok(&["mirror", "update", direction, "1", "--engine", "git"]);
        let by_program = scene.check(direction, 1);
        assert!(by_program.step("list")["detail"].as_str().unwrap().ends_with("asked by git"), "{}", by_program.text);
        assert_eq!(by_program.json["ok"], true, "{}", by_program.text);
    }
    assert_eq!(far.refs(), before);
}

#[test]
fn host_keys_logins_and_paths_fail_at_steps_of_their_own() {
    let (scene, sshd, far) = scene();
    scene.add("pull", 1, &url(&sshd, &far), &[]);
    let unknown = scene.check("pull", 1);
    assert_eq!(unknown.failed(), "host_key");
    scene.installation.cli_ok(&["host-keys", "trust", "pull", "1", "--detect"]);
    let nothing = scene.check("pull", 1);
    assert_eq!(nothing.failed(), "login");
    let public = key(&scene, "pull", "1");
    let refused = scene.check("pull", 1);
    assert_eq!(refused.failed(), "login");
    sshd.authorise(&public);
    let elsewhere = format!("ssh://{}@127.0.0.1:{}/no/such.git", me(), sshd.port);
    scene.installation.cli_ok(&["mirror", "update", "pull", "1", "--url", &elsewhere]);
    let missing = scene.check("pull", 1);
    assert_eq!(missing.failed(), "list");
    let sshd = sshd.with_new_host_key("ed25519");
    let changed = scene.check("pull", 1);
    assert_eq!(changed.failed(), "host_key");
    drop(sshd);
    insta::assert_snapshot!([unknown, nothing, refused, missing, changed].map(|checked| checked.text).join("\n"));
}

#[test]
fn a_key_that_may_only_read_is_told_from_one_that_may_nothing() {
    let (scene, sshd, far) = scene();
    scene.add("push", 1, &url(&sshd, &far), &[]);
    scene.installation.cli_ok(&["host-keys", "trust", "push", "1", "--detect"]);
    let public = key(&scene, "push", "1");
    // As a forge answers a deploy key without leave to write.
    let script = scene.installation.folder().join("forge");
    std::fs::write(
        &script,
        "case $SSH_ORIGINAL_COMMAND in git-upload-pack*) eval \"$SSH_ORIGINAL_COMMAND\";; \
         *) echo 'ERROR: This deploy key does not have write access to this project.' >&2; exit 1;; esac\n",
    )
    .unwrap();
    sshd.authorise(&format!("command=\"/bin/sh {}\" {public}", script.display()));
    let reading = scene.check("push", 1);
    assert_eq!((reading.outcome("list"), reading.failed()), ("ok", "push"));
    std::fs::write(&script, "echo 'ERROR: The project is gone.' >&2; exit 1\n").unwrap();
    let nothing = scene.check("push", 1);
    assert_eq!((nothing.failed(), nothing.outcome("push")), ("list", "skipped"));
    insta::assert_snapshot!(format!("{}\n{}", reading.text, nothing.text));
}
