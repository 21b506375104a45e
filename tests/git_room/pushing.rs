//! Pushing to a real server.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use sidemirror::git::{GitError, PushMemory, Repository, Sent, push};
use sidemirror::mirror::refs::{RefChange, RefName, RefOutcome, Refs};

use crate::both::{Kind, with_both_engines};
use crate::world::{World, changes};

with_both_engines!(
    creations_updates_and_deletions_go_in_one_push,
    a_far_ref_that_moves_after_the_listing_is_refused_and_the_others_go,
    a_plan_made_for_another_listing_is_not_sent,
    a_hook_refuses_one_ref_and_its_words_are_kept,
    a_large_push_is_streamed_whole,
);

/// Makes the far branches and tags equal to ours, over one connection.
fn push_all(repository: &Repository, world: &World, far: &str) -> Result<Sent, GitError> {
    push(world.engine(), repository, &world.session(far), &sidemirror::git::Limits::NONE, |side| {
        let ours = repository.read_refs(&[RefName::HEADS, RefName::TAGS])?;
        let plan = changes(&side.advertisement().refs, &ours);
        side.send(&plan, false)
    })
}

fn refused(sent: &Sent) -> Vec<(&str, &str)> {
    let losers =
        sent.outcomes.iter().filter_map(|RefOutcome { change, result }| Some((change, result.as_ref().err()?)));
    losers.map(|(change, reason)| (change.name.as_str(), reason.as_str())).collect()
}

/// Ours, filled from an upstream with `content` on main, and an empty far side.
fn filled(world: &World) -> (Repository, std::path::PathBuf) {
    let upstream = world.served("up.git");
    world.commit(&upstream, "main", "one");
    world.commit(&upstream, "old", "two");
    world.git(&upstream, &["tag", "-a", "-m", "annotated", "v1", "main"]);
    let ours = world.ours("p.git");
    world.mirror(&ours, &world.session("up.git")).unwrap();
    (ours, world.served("far.git"))
}

fn creations_updates_and_deletions_go_in_one_push(kind: Kind) {
    let world = World::of(kind);
    let (ours, far) = filled(&world);
    assert_eq!(refused(&push_all(&ours, &world, "far.git").unwrap()), []);
    assert_eq!(world.refs(&far), world.refs(ours.path()));

    world.commit(ours.path(), "main", "three");
    world.commit(ours.path(), "new", "four");
    world.git(ours.path(), &["update-ref", "-d", "refs/heads/old"]);
    let sent = push_all(&ours, &world, "far.git").unwrap();
    assert_eq!(sent.outcomes.len(), 3);
    assert_eq!(refused(&sent), []);
    assert_eq!(world.refs(&far), world.refs(ours.path()));
    assert_eq!(world.git(&far, &["fsck", "--full", "--strict", "--no-dangling"]), "");
}

fn a_far_ref_that_moves_after_the_listing_is_refused_and_the_others_go(kind: Kind) {
    let world = World::of(kind);
    let (ours, far) = filled(&world);
    push_all(&ours, &world, "far.git").unwrap();
    let (main, old) = (world.commit(ours.path(), "main", "three"), world.commit(ours.path(), "old", "four"));
    let mut theirs = None;
    let sent = push(world.engine(), &ours, &world.session("far.git"), &sidemirror::git::Limits::NONE, |side| {
        theirs = Some(world.commit(&far, "main", "somebody else's"));
        let plan = changes(&side.advertisement().refs, &ours.read_refs(&[RefName::HEADS])?);
        side.send(&plan.into_iter().filter(|change| change.new.is_some()).collect::<Vec<_>>(), false)
    })
    .unwrap_or_else(|error: GitError| panic!("{error}"));
    let [(name, reason)] = refused(&sent)[..] else { panic!("{sent:?}") };
    assert_eq!(name, "refs/heads/main");
    assert!(!reason.is_empty());
    let far = world.refs(&far);
    assert_eq!(far.get(&RefName::branch("main")), theirs.as_ref());
    assert_ne!(far.get(&RefName::branch("main")), Some(&main));
    assert_eq!(far.get(&RefName::branch("old")), Some(&old));
}

fn a_plan_made_for_another_listing_is_not_sent(kind: Kind) {
    let world = World::of(kind);
    let (ours, far) = filled(&world);
    push_all(&ours, &world, "far.git").unwrap();
    let before = world.refs(&far);
    let new = world.commit(ours.path(), "main", "three");
    let sent = push(world.engine(), &ours, &world.session("far.git"), &sidemirror::git::Limits::NONE, |side| {
        side.send(&[RefChange::create(RefName::branch("main"), new)], false)
    });
    assert_eq!(refused(&sent.unwrap()), [("refs/heads/main", "the remote has changed it meanwhile")]);
    assert_eq!(world.refs(&far), before);
}

fn a_hook_refuses_one_ref_and_its_words_are_kept(kind: Kind) {
    let world = World::of(kind);
    let (ours, far) = filled(&world);
    let hook = far.join("hooks/update");
    std::fs::create_dir_all(far.join("hooks")).unwrap();
    let script = "#!/bin/sh\nif [ \"$1\" = refs/heads/old ]; then echo 'GH007: your push would publish s3cret/p@ss' >&2; \
                  exit 1; fi\n";
    std::fs::write(&hook, script).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let sent = push_all(&ours, &world, "far.git").unwrap();
    assert_eq!(refused(&sent), [("refs/heads/old", "hook declined")]);
    assert!(sent.remote_text.contains("GH007: your push would publish *****"), "{}", sent.remote_text);
    assert_eq!(world.refs(&far).len(), 2);
}

fn a_large_push_is_streamed_whole(kind: Kind) {
    let world = World::of(kind);
    let (ours, far) = filled(&world);
    let mut noise = String::new();
    let mut state = 1_u64;
    while noise.len() < 3 * 1024 * 1024 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let _ = write!(noise, "{state:x}");
    }
    world.commit(ours.path(), "main", &noise[..100]);
    let blob = world.git_with(ours.path(), &["hash-object", "-w", "--stdin"], &noise);
    let tree = world.git_with(ours.path(), &["mktree"], &format!("100644 blob {blob}\tbig\n"));
    let commit = world.git(ours.path(), &["commit-tree", "-m", "big", &tree]);
    world.git(ours.path(), &["update-ref", "refs/heads/big", &commit]);
    assert_eq!(refused(&push_all(&ours, &world, "far.git").unwrap()), []);
    assert_eq!(world.refs(&far), world.refs(ours.path()));
    assert_eq!(world.git(&far, &["fsck", "--full", "--strict", "--no-dangling"]), "");
}

#[test]
fn the_memory_says_what_the_last_push_left() {
    let world = World::new();
    let (ours, _) = filled(&world);
    let memory = PushMemory::new(&ours, "7", "http://far.example/x.git").unwrap();
    assert_eq!(memory.read().unwrap(), Refs::new());
    let mut left = ours.read_refs(&[RefName::HEADS, RefName::TAGS]).unwrap();
    memory.remember(&left).unwrap();
    assert_eq!(memory.read().unwrap(), left);
    left.remove(&RefName::branch("old"));
    left.insert(RefName::branch("main"), world.commit(ours.path(), "main", "three"));
    memory.remember(&left).unwrap();
    assert_eq!(memory.read().unwrap(), left);
    for (id, far_side) in [("8", "http://far.example/x.git"), ("7", "http://elsewhere.example/x.git")] {
        let other = PushMemory::new(&ours, id, far_side).unwrap();
        assert_eq!(other.read().unwrap(), Refs::new(), "{id} at {far_side} was never pushed to");
    }
    assert!(matches!(PushMemory::new(&ours, "../x", "http://far.example/x.git"), Err(GitError::BadName(_))));
    world.assert_sound(&ours);
}
