//! What our last push left on the far side is ours to move, also after runs that went wrong in between.

use std::fs;
use std::time::Duration;

use crate::histories::{put, tell, word};
use crate::hooks::{install, uninstall};
use crate::rig::repository::Repository;
use crate::rig::wait;
use crate::world::World;

/// A push mirror whose `topic` was pushed as `fork` and is rebased to `next` here.
fn rebased() -> (World, Repository, Repository) {
    let world = World::start();
    let (here, there) = (world.create_local(1), world.git.create("far.git"));
    tell(&here);
    put(&here, "refs/heads/main", "base");
    put(&here, "refs/heads/topic", "fork");
    world.add_push(1, "far.git", &[]);
    world.succeed("push", 1);
    put(&here, "refs/heads/topic", "next");
    (world, here, there)
}

#[test]
fn our_own_rebase_is_still_ours_after_the_far_side_refused_it_once() {
    let (world, here, there) = rebased();
    install(&there, "pre-receive", "exit 1");
    assert!(world.fail("push", 1).starts_with("Failed to update branch 'topic': "));
    uninstall(&there, "pre-receive");
    world.succeed("push", 1);
    assert_eq!(there.refs(), here.mirrored_refs());
}

#[test]
fn our_own_rebase_is_still_ours_after_the_far_side_was_away() {
    let (world, here, there) = rebased();
    let away = there.path().with_extension("away");
    fs::rename(there.path(), &away).unwrap();
    world.fail("push", 1);
    fs::rename(&away, there.path()).unwrap();
    world.succeed("push", 1);
    assert_eq!(there.refs(), here.mirrored_refs());
}

#[test]
fn somebody_elses_commit_on_top_of_ours_is_not_ours() {
    let (world, here, there) = rebased();
    let theirs = there.commit("topic", "somebody else's");
    let error = world.fail("push", 1);
    assert!(error.ends_with("on the remote:\n\nrefs/heads/topic"), "{error}");
    assert_eq!(there.id_of("topic"), theirs);
    assert_eq!(word(&here, "refs/heads/topic"), "next");
}

#[test]
fn each_mirror_of_a_repository_has_a_memory_of_its_own() {
    let (world, here, there) = rebased();
    let other = world.git.create("other.git");
    tell(&other);
    put(&other, "refs/heads/topic", "fork");
    let (repository, url) = ("group/project-1.git", world.git.url("other.git"));
    world.installation.add_mirror("push", 2, repository, &url, &[]);
    assert!(world.fail("push", 2).contains("refs/heads/topic"), "nobody of us has put it there");
    assert_eq!(word(&other, "refs/heads/topic"), "fork");
    world.succeed("push", 1);
    assert_eq!(there.refs(), here.mirrored_refs());
}

#[test]
fn what_is_pushed_while_a_run_is_under_way_is_sent_afterwards() {
    let (world, here, there) = rebased();
    let gate = there.path().join("gate");
    let wait = format!("touch {0}.reached; while [ ! -e {0} ]; do sleep 0.05; done", gate.display());
    install(&there, "pre-receive", &wait);
    world.push_job("push", 1);
    wait::until("the run is at the far side", wait::START, || gate.with_extension("reached").exists());
    here.commit("main", "came in between");
    world.push_job("push", 1);
    wait::until("the second job was seen", wait::START, || {
        world.worker.log().contains("Another run is at this mirror")
    });
    fs::write(&gate, "").unwrap();
    wait::until("all is sent", Duration::from_mins(1), || there.refs() == here.mirrored_refs());
}
