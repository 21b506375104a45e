//! What the far side refuses, and what it says about it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::histories::{put, tell, word};
use crate::messages::assert_listed;
use crate::rig::git_http::GitServer;
use crate::rig::repository::Repository;
use crate::world::World;

/// Makes a shell script a hook of a repository.
pub(crate) fn install(repository: &Repository, hook: &str, script: &str) {
    let path = repository.path().join("hooks").join(hook);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Removes a hook.
pub(crate) fn uninstall(repository: &Repository, hook: &str) {
    fs::remove_file(repository.path().join("hooks").join(hook)).unwrap();
}

/// A push of `main` and `topic` to a far side that has neither, and where each ref counts for itself.
fn stage() -> (World, Repository, Repository) {
    stage_with(&["--on-divergence", "overwrite"])
}

fn stage_with(options: &[&str]) -> (World, Repository, Repository) {
    let world = World::start();
    let (here, there) = (world.create_local(1), world.git.create("far.git"));
    tell(&here);
    put(&here, "refs/heads/main", "next");
    put(&here, "refs/heads/topic", "fork");
    world.add_push(1, "far.git", options);
    (world, here, there)
}

#[test]
fn a_hook_that_refuses_one_ref_costs_only_that_one_and_its_words_reach_the_owner() {
    let (world, _, there) = stage();
    let password = GitServer::PASSWORD;
    let script = format!("[ \"$1\" = refs/heads/main ] && exit 0\necho 'GH007: not with {password} in it' >&2\nexit 1");
    install(&there, "update", &script);
    let error = world.fail("push", 1);
    assert_eq!(
        error,
        "Failed to create branch 'topic': hook declined.\n\n\
         The remote said:\nGH007: not with ***** in it\nerror: hook declined to update refs/heads/topic"
    );
    assert_listed(&error);
    assert_eq!((word_there(&there, "main").as_str(), word_there(&there, "topic").as_str()), ("next", ""));

    uninstall(&there, "update");
    assert_eq!(world.succeed("push", 1), 1);
}

#[test]
fn a_hook_that_refuses_the_whole_push_costs_all_of_it() {
    let (world, _, there) = stage();
    install(&there, "pre-receive", "echo 'we are closed' >&2; exit 1");
    let error = world.fail("push", 1);
    assert_eq!(
        error,
        "Failed to create branch 'main': pre-receive hook declined.\n\n\
         Failed to create branch 'topic': pre-receive hook declined.\n\nThe remote said:\nwe are closed"
    );
    assert_listed(&error);
    assert_eq!(there.refs().len(), 0);
}

#[test]
fn a_far_side_that_forbids_rewriting_or_deleting_is_told_apart() {
    let (world, here, there) = stage();
    put(&here, "refs/heads/merged", "base");
    world.succeed("push", 1);
    for rule in ["receive.denyNonFastForwards", "receive.denyDeletes"] {
        there.git(&["config", rule, "true"]);
    }
    put(&here, "refs/heads/topic", "base");
    here.delete("refs/heads/merged");
    let error = world.fail("push", 1);
    let told = "Failed to delete branch 'merged': deletion prohibited.\n\n\
                Failed to update branch 'topic': non-fast-forward.";
    assert!(error.starts_with(told), "{error}");
    assert_listed(&error);
}

#[test]
fn a_far_ref_that_moves_after_it_was_listed_is_not_overwritten_and_the_others_go() {
    let (world, here, there) = stage();
    world.succeed("push", 1);
    tell(&there);
    let theirs = there.commit("theirs", "somebody else's");
    there.delete("refs/heads/theirs");
    there.set("refs/kept/theirs", &theirs);
    // Runs after the far side has told its refs and taken our commands, and before it moves a ref.
    let meanwhile = format!(
        "unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\n\
         git update-ref refs/heads/main {theirs}"
    );
    install(&there, "pre-receive", &meanwhile);
    put(&here, "refs/heads/main", "last");
    put(&here, "refs/heads/topic", "next");
    let error = world.fail("push", 1);
    assert!(error.starts_with("Failed to update branch 'main': failed to update ref."), "{error}");
    assert_listed(&error);
    assert_eq!(there.id_of("refs/heads/main"), theirs);
    assert_eq!(word(&there, "refs/heads/topic"), "next");
}

#[test]
fn of_a_push_that_fails_on_divergence_all_refs_go_or_none() {
    let (world, here, there) = stage_with(&["--on-divergence", "fail"]);
    install(&there, "update", "[ \"$1\" = refs/heads/main ]");
    let error = world.fail("push", 1);
    assert!(error.contains("Failed to create branch 'topic': hook declined."), "{error}");
    let held_back = "Failed to create branch 'main': all refs are pushed or none, and refs/heads/topic was refused.";
    assert!(error.contains(held_back), "{error}");
    assert_listed(&error);
    assert_eq!(there.refs().len(), 0);

    uninstall(&there, "update");
    assert_eq!(world.succeed("push", 1), 2);
    assert_eq!(there.mirrored_refs(), here.mirrored_refs());
}

fn word_there(there: &Repository, branch: &str) -> String {
    tell(there);
    word(there, &format!("refs/heads/{branch}"))
}
