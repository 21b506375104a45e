//! Over SSH and git's own protocol, where a child's `ssh` is ourselves.

use std::net::TcpStream;
use std::process::Command;

use secrecy::SecretString;
use sidemirror::net::{Access, Credentials, SshAccess};

use crate::rig::port;
use crate::rig::process::Process;
use crate::rig::repository::Repository;
use crate::rig::sshd::{Sshd, our_key};
use crate::world::{World, changes, refs};

/// There and back, and what is refused on the way.
fn both_ways(world: &World, far: &Repository, url: &str, access: &Access) {
    let session = || world.session_with(url, access.clone());
    far.commits("main", 50);
    far.branches("topic", 20);
    far.annotated_tag("v1", "main");
    let transfer = world.mirror(&session()).unwrap();
    assert!(transfer.objects > 200 && transfer.bytes > 1000, "{transfer:?}");
    assert_eq!(refs(world.real().path()), refs(far.path()));
    assert_eq!(world.list(&session()).unwrap().head.unwrap().as_str(), "refs/heads/main");
    world.assert_sound();

    let ours = world.real();
    ours.commit("main", "ours");
    ours.delete("refs/heads/topic0");
    ours.commit("topic1", "ours");
    let plan = changes(&refs(far.path()), &refs(ours.path()));
    let sent = world.push(&session(), |side| {
        far.commit("topic1", "somebody else's");
        side.send(&plan, false)
    });
    let refused: Vec<_> = sent.unwrap().outcomes.into_iter().filter_map(|outcome| outcome.result.err()).collect();
    assert_eq!(refused, ["the remote has changed it meanwhile"]);
    assert_eq!(far.id_of("main"), ours.id_of("main"));
    assert!(!refs(far.path()).keys().any(|name| name.as_str() == "refs/heads/topic0"));

    let plan = changes(&refs(far.path()), &refs(ours.path()));
    let sent = world.push(&session(), |side| side.send(&plan, true)).unwrap();
    assert!(sent.outcomes.iter().all(|outcome| outcome.result.is_ok()), "{sent:?}");
    assert_eq!(refs(far.path()), refs(ours.path()));
    assert_eq!(far.git(&["fsck", "--strict", "--no-dangling"]), "");
}

#[test]
fn a_repository_goes_both_ways_over_ssh() {
    let world = World::new();
    let sshd = Sshd::start(world.folder(), &["ed25519"], &[]);
    let (private, public) = our_key(world.folder(), &["-t", "ed25519", "-N", ""]);
    sshd.authorise(&public);
    let me = Command::new("/usr/bin/id").arg("-un").output().unwrap();
    let me = String::from_utf8(me.stdout).unwrap();
    let ssh = SshAccess {
        known_hosts: sshd.known("ed25519"),
        private_key: Some(SecretString::from(private)),
        ..SshAccess::default()
    };
    let access = Access { credentials: Some(Credentials::new(me.trim_end(), "")), ssh, ..Access::default() };
    let far = Repository::create(&world.folder().join("far side.git"));
    let url = format!("ssh://127.0.0.1:{}{}", sshd.port, far.path().display().to_string().replace(' ', "%20"));
    both_ways(&world, &far, &url, &access);
}

#[test]
fn a_repository_goes_both_ways_over_the_git_protocol() {
    let world = World::new();
    let port = port::free();
    let mut command = Command::new("/usr/bin/git");
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent").env("GIT_CONFIG_NOSYSTEM", "1");
    command.args(["-c", "safe.directory=*", "daemon", "--reuseaddr", "--export-all", "--enable=receive-pack"]);
    command.args(["--listen=127.0.0.1", &format!("--port={port}")]);
    command.arg(format!("--base-path={}", world.folder().display()));
    let mut daemon = Process::start("git-daemon", &mut command, &world.folder().join("daemon.log"));
    daemon.ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
    let far = Repository::create(&world.folder().join("far.git"));
    both_ways(&world, &far, &format!("git://127.0.0.1:{port}/far.git"), &Access::default());
}

#[test]
fn a_login_that_is_refused_over_ssh_is_told_in_the_sessions_words() {
    let world = World::new();
    let sshd = Sshd::start(world.folder(), &["ed25519"], &[]);
    let url = format!("ssh://me@127.0.0.1:{}/far.git", sshd.port);
    let refused = world.list(&world.session_with(&url, Access::default())).unwrap_err().to_string();
    assert!(refused.contains(&sshd.fingerprint("ed25519")), "no host key is trusted yet: {refused}");
}
