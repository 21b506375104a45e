//! `x` and `x/y` cannot both be refs. One conflict costs only the branch that it concerns.

use crate::messages::assert_listed;
use crate::world::World;

/// Upstream renames a branch in a way that ours stands in the way of.
fn rename_upstream(from: &str, to: &str) -> World {
    let world = World::start();
    let upstream = world.git.create("up.git");
    upstream.commit("main", "first");
    upstream.commit(from, "topic");
    world.add_pull(1, "up.git", &[]);
    world.succeed("pull", 1);

    let id = upstream.id_of(from);
    upstream.delete(&format!("refs/heads/{from}"));
    upstream.set(&format!("refs/heads/{to}"), &id);
    upstream.commit("main", "second");
    upstream.commit("zebra", "third");

    let error = world.fail("pull", 1);
    assert_eq!(error, format!("Failed to create branch '{to}': Branch name conflicts with existing branch hierarchy."));
    assert_listed(&error);
    let local = world.local(1);
    assert_eq!(local.id_of(&format!("refs/heads/{from}")), id, "ours stays");
    for branch in ["main", "zebra"] {
        assert_eq!(local.id_of(&format!("refs/heads/{branch}")), upstream.id_of(branch), "all else is applied");
    }
    assert_eq!(local.id_of(&format!("refs/remotes/upstream/{to}")), id, "the tracking ref follows");
    world
}

#[test]
fn a_branch_below_one_that_we_keep_is_an_error_that_names_it() {
    let world = rename_upstream("x", "x/y");
    // Whoever makes room has it at the next run.
    world.local(1).delete("refs/heads/x");
    world.succeed("pull", 1);
    assert_eq!(world.local(1).mirrored_refs(), world.git.create("up.git").mirrored_refs());
}

#[test]
fn a_branch_above_one_that_we_keep_is_an_error_that_names_it() {
    let world = rename_upstream("x/y", "x");
    world.local(1).delete("refs/heads/x/y");
    world.succeed("pull", 1);
    assert_eq!(world.local(1).mirrored_refs(), world.git.create("up.git").mirrored_refs());
}

#[test]
fn a_push_replaces_a_merged_branch_by_one_below_or_above_it() {
    let world = World::start();
    let (local, far) = (world.create_local(1), world.git.create("far.git"));
    local.commit("main", "first");
    local.tag("x", "main");
    for branch in ["a", "z/y"] {
        local.set(&format!("refs/heads/{branch}"), &local.id_of("main"));
    }
    world.add_push(1, "far.git", &[]);
    world.succeed("push", 1);
    for (from, to) in [("a", "a/b"), ("z/y", "z")] {
        local.delete(&format!("refs/heads/{from}"));
        local.commit(to, "more");
    }
    world.succeed("push", 1);
    assert_eq!(far.refs(), local.mirrored_refs());
}
