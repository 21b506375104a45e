//! From nothing at all to two thousand refs, in both directions.

use std::collections::BTreeMap;

use crate::world::World;

/// Mirrors a repository with so many branches and tags in and out again, and tells how many refs each way changed.
fn mirror_in_and_out(world: &World, id: u64, refs: usize) {
    let (upstream, far) = (world.git.create(&format!("up-{refs}.git")), world.git.create(&format!("far-{refs}.git")));
    upstream.commit("main", "first");
    let more = refs - 1;
    upstream.branches("topic/", more / 2);
    upstream.tags("light-", more - more / 2 - more / 10, "main");
    for number in 0..more / 10 {
        upstream.annotated_tag(&format!("annotated-{number}"), "main");
    }
    assert_eq!(upstream.refs().len(), refs);

    world.add_pull(id, &format!("up-{refs}.git"), &[]);
    world.add_push(id, &format!("far-{refs}.git"), &[]);
    assert_eq!(world.succeed("pull", id), u64::try_from(refs).unwrap(), "tracking refs are not counted");
    assert_eq!(world.succeed("push", id), u64::try_from(refs).unwrap());
    assert_eq!(world.local(id).mirrored_refs(), upstream.refs());
    assert_eq!(far.refs(), upstream.refs());
    assert_eq!(world.local(id).git(&["fsck", "--full", "--strict", "--no-dangling"]), "");
}

#[test]
fn one_ref_and_a_few_go_in_and_out() {
    let world = World::start();
    mirror_in_and_out(&world, 1, 1);
    mirror_in_and_out(&world, 2, 32);
}

#[test]
fn two_thousand_refs_go_in_and_out() {
    mirror_in_and_out(&World::start(), 1, 2000);
}

#[test]
fn an_empty_upstream_and_an_empty_repository_are_no_errors() {
    let world = World::start();
    let (upstream, far) = (world.git.create("up.git"), world.git.create("far.git"));
    world.add_pull(1, "up.git", &[]);
    world.add_push(1, "far.git", &[]);
    for _ in 0..2 {
        assert_eq!(world.succeed("pull", 1), 0);
        assert_eq!(world.succeed("push", 1), 0);
    }
    assert_eq!((world.local(1).refs(), far.refs()), (BTreeMap::new(), BTreeMap::new()));

    upstream.commit("main", "at last");
    assert_eq!(world.succeed("pull", 1), 1);
    assert_eq!(world.succeed("push", 1), 1);
    assert_eq!(far.refs(), upstream.refs());
}

#[test]
fn an_upstream_that_became_empty_takes_nothing_away() {
    let world = World::start();
    let upstream = world.git.create("up.git");
    upstream.commit("main", "first");
    upstream.tag("v1", "main");
    world.add_pull(1, "up.git", &[]);
    world.succeed("pull", 1);
    let before = world.local(1).mirrored_refs();
    upstream.delete("refs/heads/main");
    upstream.delete("refs/tags/v1");
    assert_eq!(world.succeed("pull", 1), 0, "only the tracking ref goes");
    assert_eq!(world.local(1).refs(), before);
}
