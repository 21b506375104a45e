//! `git://`, with git's own daemon.

use sidemirror::net::Access;

use crate::rig::git_daemon::GitDaemon;
use crate::rig::repository::Repository;
use crate::world::{World, engines};

#[test]
fn a_repository_goes_both_ways_over_the_git_protocol() {
    let world = World::new();
    let daemon = GitDaemon::start(world.folder.path(), true);
    let port = daemon.port;
    let far = world.far("far side.git");
    far.commits("main", 200);
    let session = || world.session(&format!("git://127.0.0.1:{port}/far%20side.git"), Access::default());
    for engine in engines() {
        let name = format!("{}.git", engine.name());
        world.pull(&*engine, &name, &session()).unwrap();
        let ours = Repository::open(&world.path("ours").join(&name));
        assert_eq!(ours.mirrored_refs(), far.refs());

        ours.commit("main", engine.name());
        let sent = world.push(&*engine, &name, &session()).unwrap();
        assert!(sent.outcomes.iter().all(|outcome| outcome.result.is_ok()), "{sent:?}");
        assert_eq!(far.refs(), ours.mirrored_refs());
    }
}

#[test]
fn what_the_daemon_refuses_is_told() {
    let world = World::new();
    let daemon = GitDaemon::start(world.folder.path(), true);
    let port = daemon.port;
    let said = world.refusal(&format!("git://127.0.0.1:{port}/none.git"), &Access::default());
    assert!(said.contains("repository not exported") || said.contains("no such repository"), "{said}");
}
