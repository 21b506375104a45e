//! `git://`, with git's own daemon.

use std::net::TcpStream;
use std::process::Command;

use sidemirror::net::Access;

use crate::rig::port;
use crate::rig::process::Process;
use crate::rig::repository::Repository;
use crate::world::{World, engines};

pub(crate) fn daemon(world: &World) -> (Process, u16) {
    let port = port::free();
    let mut command = Command::new("/usr/bin/git");
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent").env("GIT_CONFIG_NOSYSTEM", "1");
    command.args(["-c", "safe.directory=*", "daemon", "--reuseaddr", "--export-all", "--verbose"]);
    command.args(["--enable=receive-pack", "--listen=127.0.0.1", "--informative-errors"]);
    command.arg(format!("--port={port}")).arg(format!("--base-path={}", world.folder.path().display()));
    let mut process = Process::start("git-daemon", &mut command, &world.path("daemon.log"));
    process.ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
    (process, port)
}

#[test]
fn a_repository_goes_both_ways_over_the_git_protocol() {
    let world = World::new();
    let (_daemon, port) = daemon(&world);
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
    let (_daemon, port) = daemon(&world);
    let said = world.refusal(&format!("git://127.0.0.1:{port}/none.git"), &Access::default());
    assert!(said.contains("repository not exported") || said.contains("no such repository"), "{said}");
}
