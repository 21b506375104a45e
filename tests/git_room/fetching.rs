//! Fetching from a real server.

use std::fmt::Write as _;

use sidemirror::git::{GitError, Libgit2, Progress, Transfer, fetch};
use sidemirror::mirror::refs::{Advertisement, Ancestry as _, RefName, Refs};

use crate::world::{World, list, mirror};

#[test]
fn branches_and_both_kinds_of_tags_arrive_and_a_moved_tag_follows() {
    let world = World::new();
    let upstream = world.served("p.git");
    let first = world.commit(&upstream, "main", "one");
    world.git(&upstream, &["tag", "light", "main"]);
    world.git(&upstream, &["tag", "-a", "-m", "annotated", "v1", "main"]);
    let ours = world.ours("p.git");

    let transfer = mirror(&ours, &world.session("p.git")).unwrap();
    assert!(transfer.objects == 4 && transfer.bytes > 0, "{transfer:?}");
    assert_eq!(world.refs(ours.path()), world.refs(&upstream));

    let second = world.commit(&upstream, "main", "two");
    world.git(&upstream, &["tag", "-f", "-a", "-m", "moved", "v1", "main"]);
    mirror(&ours, &world.session("p.git")).unwrap();
    assert_eq!(world.refs(ours.path()), world.refs(&upstream));
    assert!(ours.is_ancestor(first, second).unwrap());
    assert!(!ours.is_ancestor(second, first).unwrap());
    world.assert_sound(&ours);
}

#[test]
fn an_empty_upstream_has_nothing_and_is_no_error() {
    let world = World::new();
    world.served("empty.git");
    let ours = world.ours("p.git");
    assert_eq!(mirror(&ours, &world.session("empty.git")).unwrap(), Transfer::default());
    world.assert_sound(&ours);
}

#[test]
fn the_listing_names_the_head_and_no_peeled_entries() {
    let world = World::new();
    let upstream = world.served("p.git");
    let id = world.commit(&upstream, "main", "one");
    world.git(&upstream, &["tag", "-a", "-m", "annotated", "v1", "main"]);
    let found: Advertisement = list(&world.ours("p.git"), &world.session("p.git")).unwrap();
    assert_eq!(found.head, Some(RefName::branch("main")));
    assert_eq!(found.refs, world.refs(&upstream));
    assert_eq!(found.refs.get(&RefName::branch("main")), Some(&id));
}

#[test]
fn two_thousand_refs_arrive_at_once() {
    let world = World::new();
    let upstream = world.served("many.git");
    let mut id = world.commit(&upstream, "main", "zero");
    let mut commands = String::new();
    for number in 0..2000 {
        if number % 500 == 0 {
            id = world.commit(&upstream, "main", &format!("content {number}"));
        }
        let kind = if number % 2 == 0 { "heads" } else { "tags" };
        let _ = writeln!(commands, "create refs/{kind}/many/{number} {id}");
    }
    world.git_with(&upstream, &["update-ref", "--stdin"], &commands);
    let ours = world.ours("many.git");
    mirror(&ours, &world.session("many.git")).unwrap();
    assert_eq!(world.refs(ours.path()), world.refs(&upstream));
    assert_eq!(world.refs(ours.path()).len(), 2001);
    world.assert_sound(&ours);
}

#[test]
fn only_the_wanted_refs_are_downloaded_and_nothing_twice() {
    let world = World::new();
    let upstream = world.served("p.git");
    let main = world.commit(&upstream, "main", "one");
    let other = world.commit(&upstream, "other", "two");
    let ours = world.ours("p.git");
    let wanted = Refs::from([(RefName::branch("main"), main)]);
    let download = |wanted: &Refs| {
        fetch(&Libgit2, &ours, &world.session("p.git"), |upstream| upstream.download(wanted, &Progress::default()))
    };
    assert_eq!(download(&wanted).unwrap().objects, 3);
    assert!(world.try_git(ours.path(), &["cat-file", "-e", &other.to_string()], "").is_none());

    let posts = |world: &World| world.server.requests().iter().filter(|line| line.starts_with("POST")).count();
    let before = posts(&world);
    assert_eq!(download(&wanted).unwrap(), Transfer::default());
    assert_eq!(posts(&world), before, "what is there already needs no second request");
    world.assert_sound(&ours);
}

#[test]
fn several_downloads_go_over_one_connection() {
    let world = World::new();
    let upstream = world.served("p.git");
    world.commit(&upstream, "main", "one");
    let ours = world.ours("p.git");
    for content in ["two", "three", "four"] {
        mirror(&ours, &world.session("p.git")).unwrap();
        world.commit(&upstream, "main", content);
    }
    let connections: std::collections::BTreeSet<String> =
        world.server.requests().iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect();
    assert!(connections.len() <= 2, "{:?}", world.server.requests());
}

#[test]
fn a_commit_without_its_tree_is_refused_and_leaves_nothing() {
    let world = World::new();
    let upstream = world.served("broken.git");
    world.commit(&upstream, "main", "one");
    let tree = world.git(&upstream, &["rev-parse", "main^{tree}"]);
    let ours = world.ours("p.git");
    // A pack that lacks the tree, put on the server as the only pack that it can send.
    let commit = world.git(&upstream, &["rev-parse", "main"]);
    std::fs::remove_file(upstream.join("objects").join(&tree[..2]).join(&tree[2..])).unwrap();
    let refused = mirror(&ours, &world.session("broken.git")).unwrap_err();
    assert!(matches!(refused, GitError::Protocol(_) | GitError::BadObjects(_) | GitError::Net(_)), "{refused}");
    assert!(world.try_git(ours.path(), &["cat-file", "-e", &commit], "").is_none());
    assert!(world.refs(ours.path()).is_empty());
    world.assert_sound(&ours);
}

#[test]
fn a_tree_with_a_git_folder_in_it_is_refused() {
    let world = World::new();
    let upstream = world.served("evil.git");
    world.commit(&upstream, "main", "one");
    let tree = world.git(&upstream, &["rev-parse", "main^{tree}"]);
    let evil = world.git_with(&upstream, &["mktree"], &format!("040000 tree {tree}\t.GIT\n"));
    let commit = world.git(&upstream, &["commit-tree", "-m", "evil", &evil]);
    world.git(&upstream, &["update-ref", "refs/heads/main", &commit]);
    let ours = world.ours("p.git");
    let refused = mirror(&ours, &world.session("evil.git")).unwrap_err().to_string();
    assert!(refused.starts_with("the remote sent unusable objects: tree "), "{refused}");
    assert!(refused.ends_with("holds an entry named \".GIT\""), "{refused}");
    assert!(world.try_git(ours.path(), &["cat-file", "-e", &commit], "").is_none());
    world.assert_sound(&ours);
}
