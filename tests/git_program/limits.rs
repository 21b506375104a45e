//! What a child may take of this machine, and what is said when that is not enough.

use std::time::Duration;

use sidemirror::git::{Excess, GitError, LimitKind, Limits};

use crate::objects::{SOMEBODY, commit, write};
use crate::rig::repository::Repository;
use crate::world::{World, changes, refs};

const MIB: usize = 1 << 20;

/// A branch with these files, in one pack.
fn hold(repository: &Repository, files: impl Iterator<Item = Vec<u8>>) {
    repository.git(&["config", "core.compression", "1"]);
    let mut tree = Vec::new();
    for (number, content) in files.enumerate() {
        let id = write(repository, "blob", &content);
        tree.extend(format!("100644 {number:04}\0").into_bytes());
        tree.extend((0..20).map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).unwrap()));
    }
    let tree = write(repository, "tree", &tree);
    let commit = write(repository, "commit", commit(&tree, SOMEBODY).as_bytes());
    repository.git(&["update-ref", "refs/heads/main", &commit]);
    repository.git(&["repack", "-a", "-d", "-q", "--window=0"]);
}

fn noise(length: usize) -> Vec<u8> {
    let mut noise = vec![0; length];
    rand::fill(&mut noise[..]);
    noise
}

#[test]
fn a_repository_larger_than_the_memory_of_a_child_is_fetched_and_pushed() {
    let mut world = World::new();
    world.limits = Limits { child_memory: 96 * MIB as u64, ..Limits::NONE };
    let (from, to) = (world.server.create("p.git"), world.server.create("far.git"));
    hold(&from, (0..24).map(|_| noise(5 * MIB)));
    world.mirror(&world.session("p.git")).unwrap();
    let plan = changes(&refs(to.path()), &refs(world.real().path()));
    world.push(&world.session("far.git"), |side| side.send(&plan, false)).unwrap();
    assert_eq!(refs(to.path()), refs(from.path()));
}

#[test]
fn a_child_that_wants_more_memory_than_it_may_have_is_told_by_its_limit() {
    let mut world = World::new();
    let (from, to) = (world.server.create("p.git"), world.server.create("far.git"));
    let tree = write(&from, "tree", b"");
    // Only files are looked at piece by piece.
    let long = commit(&tree, SOMEBODY) + &" ".repeat(120 * MIB) + "\n";
    let id = write(&from, "commit", long.as_bytes());
    from.git(&["update-ref", "refs/heads/main", &id]);
    let limit = 96 * MIB as u64;
    let expected = Excess { kind: LimitKind::ChildMemory, limit, seen: limit };
    world.limits = Limits { child_memory: limit, ..Limits::NONE };
    let fetched = world.mirror(&world.session("p.git"));
    assert!(matches!(fetched, Err(GitError::Limit(excess)) if excess == expected), "{fetched:?}");

    world.limits = Limits::NONE;
    world.mirror(&world.session("p.git")).unwrap();
    world.limits = Limits { child_memory: limit, ..Limits::NONE };
    let plan = changes(&refs(to.path()), &refs(world.real().path()));
    let pushed = world.push(&world.session("far.git"), |side| side.send(&plan, false));
    assert!(matches!(pushed, Err(GitError::Limit(excess)) if excess == expected), "{pushed:?}");
}

#[test]
fn a_child_that_computes_for_longer_than_it_may_is_told_by_its_limit() {
    let mut world = World::new();
    let from = world.server.create("p.git");
    hold(&from, (0..8).map(|number| [&[b'0' + number], &*vec![b' '; 200 * MIB]].concat()));
    world.limits = Limits { child_cpu: Duration::from_secs(1), ..Limits::NONE };
    let fetched = world.mirror(&world.session("p.git"));
    let told = |excess: &Excess| excess.kind == LimitKind::ChildCpu && excess.limit == 1000 && excess.seen >= 1000;
    assert!(matches!(&fetched, Err(GitError::Limit(excess)) if told(excess)), "{fetched:?}");
}
