//! Which branch a repository's `HEAD` names after its first pull.

use crate::world::World;

/// Upstream's branches, the branch that its `HEAD` names, a filter, and the branch that ours names in the end.
type Row<'a> = (&'a [&'a str], &'a str, &'a [&'a str], &'a str);

#[rustfmt::skip]
const ROWS: [Row<'static>; 6] = [
    (&["main", "master", "trunk"], "trunk",   &[],                          "trunk"),
    (&["a", "main", "master"],     "nothing", &[],                          "main"),
    (&["a", "master"],             "nothing", &[],                          "master"),
    (&["b", "c"],                  "nothing", &[],                          "b"),
    (&["main", "trunk"],           "trunk",   &["--branch-regex", "main"],  "main"),
    (&["x", "y"],                  "y",       &["--branch-regex", "x"],     "x"),
];

#[test]
fn a_fresh_repository_takes_upstreams_head_or_main_or_master_or_the_first() {
    let world = World::start();
    for (id, (branches, head, options, chosen)) in (1..).zip(ROWS) {
        let name = format!("up-{id}.git");
        let upstream = world.git.create(&name);
        for branch in branches {
            upstream.commit(branch, "first");
        }
        upstream.git(&["symbolic-ref", "HEAD", &format!("refs/heads/{head}")]);
        world.add_pull(id, &name, options);
        // As it is made by us, and as the forge makes one for a new project.
        if id % 2 == 0 {
            world.create_local(id);
        }
        world.succeed("pull", id);
        let found = world.local(id).git(&["symbolic-ref", "HEAD"]);
        assert_eq!(found, format!("refs/heads/{chosen}"), "{branches:?} with HEAD at {head}");
    }
}

#[test]
fn a_head_that_was_chosen_stays_when_upstreams_moves() {
    let world = World::start();
    let upstream = world.git.create("up.git");
    upstream.commit("main", "first");
    world.add_pull(1, "up.git", &[]);
    world.succeed("pull", 1);
    upstream.commit("trunk", "second");
    upstream.git(&["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    world.succeed("pull", 1);
    assert_eq!(world.local(1).git(&["symbolic-ref", "HEAD"]), "refs/heads/main");
}
