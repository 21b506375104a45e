//! The default branch of a pull mirror: the one whose divergence fails a run.

use crate::histories::{put, tell, word};
use crate::messages::assert_listed;
use crate::world::World;

const DIVERGED: &str =
    "The default branch (main) has diverged from its upstream counterpart and could not be updated automatically.";

/// A pull where `main` is at one commit here and at another upstream, with other changes beside it.
fn pull_diverged(here: &str, options: &[&str]) -> World {
    let world = World::start();
    let (local, upstream) = (world.create_local(1), world.git.create("up.git"));
    for repository in [&local, &upstream] {
        tell(repository);
    }
    put(&local, "refs/heads/main", here);
    for (name, commit) in [("heads/main", "next"), ("heads/topic", "next"), ("tags/v1", "next")] {
        put(&upstream, &format!("refs/{name}"), commit);
    }
    world.add_pull(1, "up.git", options);
    world
}

#[test]
fn a_diverged_default_branch_fails_the_run_after_all_else_was_applied() {
    for here in ["fork", "last"] {
        let world = pull_diverged(here, &[]);
        let error = world.fail("pull", 1);
        assert_eq!(error, DIVERGED);
        assert_listed(&error);
        let local = world.local(1);
        assert_eq!(word(&local, "refs/heads/main"), here);
        assert_eq!(word(&local, "refs/heads/topic"), "next");
        assert_eq!(word(&local, "refs/tags/v1"), "next");
        assert_eq!(word(&local, "refs/remotes/upstream/main"), "next");
        assert_eq!(world.fail("pull", 1), DIVERGED, "it stays an error while it lasts");
    }
}

#[test]
fn a_diverged_default_branch_outside_of_the_filter_is_no_error() {
    let world = pull_diverged("fork", &["--branch-regex", "topic"]);
    world.succeed("pull", 1);
    assert_eq!(word(&world.local(1), "refs/heads/main"), "fork");
}

#[test]
fn every_error_of_a_run_is_told() {
    let world = pull_diverged("fork", &[]);
    world.create_local(1).set("refs/heads/topic/mine", &world.local(1).id_of("main"));
    let error = world.fail("pull", 1);
    let conflict = "Failed to create branch 'topic': Branch name conflicts with existing branch hierarchy.";
    assert_eq!(error, format!("{DIVERGED}\n\n{conflict}"));
    assert_listed(&error);
}

#[test]
fn overwriting_takes_effect_at_the_next_run_although_upstream_has_not_changed() {
    let world = pull_diverged("fork", &[]);
    put(&world.local(1), "refs/heads/topic", "fork");
    put(&world.local(1), "refs/heads/main", "base");
    // Settled: the diverged topic is left alone, and nothing else is to be done.
    assert!(world.succeed("pull", 1) > 0);
    assert_eq!((world.succeed("pull", 1), world.succeed("pull", 1)), (0, 0));
    world.update("pull", 1, &["--overwrite-diverged"]);
    assert_eq!(world.succeed("pull", 1), 1);
    assert_eq!(word(&world.local(1), "refs/heads/topic"), "next");
}

#[test]
fn another_filter_takes_effect_at_the_next_run_although_upstream_has_not_changed() {
    let world = pull_diverged("base", &["--branch-regex", "main"]);
    for _ in 0..3 {
        world.succeed("pull", 1);
    }
    assert_eq!(word(&world.local(1), "refs/heads/topic"), "");
    world.update("pull", 1, &["--branch-regex", ""]);
    assert_eq!(world.succeed("pull", 1), 1);
    assert_eq!(word(&world.local(1), "refs/heads/topic"), "next");
}
