//! `git://`, and object ids of another format.

use crate::rig::git_daemon::GitDaemon;
use crate::rig::repository::Repository;
use crate::scene::Scene;

#[test]
fn every_step_over_the_git_protocol_is_told_and_a_daemon_without_pushes_as_well() {
    let scene = Scene::new();
    let folder = scene.installation.folder().join("far");
    std::fs::create_dir(&folder).unwrap();
    let far = Repository::create(&folder.join("far.git"));
    far.commit("main", "far");
    let (both, reading) = (GitDaemon::start(&folder, true), GitDaemon::start(&folder, false));
    scene.add("pull", 1, &both.url("far.git"), &[]);
    scene.add("push", 1, &both.url("far.git"), &[]);
    scene.add("push", 2, &reading.url("far.git"), &[]);
    scene.add("pull", 2, &reading.url("none.git"), &[]);
    let checks = [("pull", 1), ("push", 1), ("push", 2), ("pull", 2)].map(|(way, id)| scene.check(way, id));
    assert_eq!([0, 1].map(|good| checks[good].json["ok"] == true), [true; 2]);
    assert_eq!((checks[2].outcome("list"), checks[2].failed()), ("ok", "push"));
    assert_eq!(checks[3].failed(), "list");
    insta::assert_snapshot!(checks.map(|checked| checked.text).join("\n"));
    assert_eq!(far.refs().len(), 1);
}

#[test]
fn object_ids_that_do_not_mix_are_found() {
    let scene = Scene::new();
    let folder = scene.installation.folder().join("far");
    std::fs::create_dir(&folder).unwrap();
    Repository::create_as(&folder.join("long.git"), "sha256").commit("main", "far");
    Repository::create(&folder.join("short.git")).commit("main", "far");
    let daemon = GitDaemon::start(&folder, true);
    scene.add("pull", 1, &daemon.url("long.git"), &[]);
    let fresh = scene.check("pull", 1);
    assert!(fresh.step("list")["detail"].as_str().unwrap().contains("object ids SHA-256"), "{}", fresh.text);
    // Adds a repository with refs at home.
    scene.add("push", 1, &daemon.url("long.git"), &[]);
    let (pull, push) = (scene.check("pull", 1), scene.check("push", 1));
    assert_eq!((pull.failed(), push.failed()), ("list", "list"));
    for checked in [pull, push] {
        let said = checked.step("list")["detail"].as_str().unwrap();
        assert!(said.starts_with("The remote has SHA-256 object ids and the repository has SHA-1 ones"), "{said}");
    }
}

#[test]
fn a_folder_is_listed_without_a_step_over_the_network() {
    let (roots, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let scene = Scene::with(|installation| {
        installation.mirror("network", format!("{{file_roots: ['{}']}}", roots.path().display()))
    });
    for (folder, id, step) in [(&roots, 1, None), (&elsewhere, 2, Some("list"))] {
        let far = Repository::create(&folder.path().join("far.git"));
        far.commit("main", "far");
        let before = far.refs();
        for direction in ["pull", "push"] {
            scene.add(direction, id, &format!("file://{}", far.path().display()), &[]);
            let checked = scene.check(direction, id);
            assert_eq!(checked.outcome("address"), "skipped", "{}", checked.text);
            match step {
                None => assert_eq!(checked.json["ok"], true, "{}", checked.text),
                Some(step) => assert_eq!(checked.failed(), step),
            }
        }
        assert_eq!(far.refs(), before);
    }
}
