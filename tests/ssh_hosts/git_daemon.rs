//! `git://`, with git's own daemon.

use sidemirror::git::Libgit2;
use sidemirror::net::Access;

use crate::rig::git_daemon::GitDaemon;
use crate::rig::repository::Repository;
use crate::world::World;

#[test]
fn a_repository_goes_both_ways_over_the_git_protocol() {
    let world = World::new();
    let daemon = GitDaemon::start(world.folder.path(), true);
    let far = world.far("far side.git");
    far.commits("main", 200);
    let session = |name: &str| world.session(&daemon.url(name), Access::default());
    world.pull(&Libgit2, "ours.git", &session("far%20side.git")).unwrap();
    let ours = Repository::open(&world.path("ours/ours.git"));
    assert_eq!(ours.mirrored_refs(), far.refs());

    ours.commit("main", "ours");
    let sent = world.push(&Libgit2, "ours.git", &session("far%20side.git")).unwrap();
    assert!(sent.outcomes.iter().all(|outcome| outcome.result.is_ok()), "{sent:?}");
    assert_eq!(far.refs(), ours.mirrored_refs());
}

#[test]
fn what_the_daemon_refuses_is_told() {
    let world = World::new();
    let daemon = GitDaemon::start(world.folder.path(), true);
    let said = world.list(&world.session(&daemon.url("none.git"), Access::default())).unwrap_err();
    assert!(
        said.to_string().contains("repository not exported") || said.to_string().contains("no such repository"),
        "{said}"
    );
}
