//! A repository that somebody has filled with traps.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::world::{World, changes, refs};

#[test]
fn nothing_that_a_repository_is_configured_to_do_is_done() {
    let world = World::new();
    let (upstream, far) = (world.server.create("p.git"), world.server.create("far.git"));
    upstream.commits("main", 3);
    upstream.branches("topic", 3);
    let ours = world.real();
    let sprung = world.folder().join("sprung");
    let trap = world.folder().join("trap");
    fs::write(&trap, format!("#!/bin/sh\necho \"$0 $*\" >> {}\nexit 1\n", sprung.display())).unwrap();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    let hooks = ours.path().join("hooks");
    fs::create_dir_all(&hooks).unwrap();
    for hook in ["pre-push", "post-update", "reference-transaction", "pre-auto-gc", "post-checkout", "update"] {
        fs::copy(&trap, hooks.join(hook)).unwrap();
    }
    let command = trap.to_str().unwrap();
    let elsewhere = "http://127.0.0.1:1/";
    for (key, value) in [
        ("core.hooksPath", hooks.to_str().unwrap()),
        ("core.fsmonitor", command),
        ("core.sshCommand", command),
        ("core.gitProxy", command),
        ("core.askPass", command),
        ("core.pager", command),
        ("core.editor", command),
        ("core.alternateRefsCommand", command),
        ("credential.helper", command),
        ("gpg.program", command),
        ("push.gpgSign", "true"),
        ("push.pushOption", "trap"),
        ("remote.far.url", elsewhere),
        ("remote.far.uploadpack", command),
        ("remote.far.receivepack", command),
        ("remote.far.vcs", "trap"),
        ("remote.far.proxy", elsewhere),
        ("remote.far.mirror", "true"),
        ("remote.far.push", "refs/heads/*:refs/heads/stolen/*"),
        ("http.proxy", elsewhere),
        ("http.extraHeader", "Authorization: Bearer trap"),
        ("http.sslVerify", "false"),
        ("http.cookieFile", command),
        ("http.followRedirects", "true"),
        ("alias.fetch", &format!("!{command}")),
        ("alias.ls-remote", &format!("!{command}")),
        ("protocol.allow", "always"),
        ("protocol.ext.allow", "always"),
        ("fetch.fsckObjects", "false"),
        ("transfer.fsckObjects", "false"),
        ("transfer.hideRefs", "refs/heads"),
        ("fetch.writeCommitGraph", "true"),
        ("uploadpack.packObjectsHook", command),
        ("maintenance.auto", "true"),
        ("gc.auto", "1"),
    ] {
        ours.git(&["config", "--file", ours.path().join("config").to_str().unwrap(), "--replace-all", key, value]);
    }
    for (key, value) in [("insteadOf", "http://127.0.0.1"), ("pushInsteadOf", "http://"), ("insteadOf", "far")] {
        let config = ours.path().join("config");
        ours.git(&["config", "--file", config.to_str().unwrap(), "--add", &format!("url.{elsewhere}.{key}"), value]);
    }

    world.mirror(&world.session("p.git")).unwrap();
    assert_eq!(refs(ours.path()), refs(upstream.path()));
    let plan = changes(&refs(far.path()), &refs(ours.path()));
    let sent = world.push(&world.session("far.git"), |side| side.send(&plan, true)).unwrap();
    assert!(sent.outcomes.iter().all(|outcome| outcome.result.is_ok()), "{sent:?}");
    assert_eq!(refs(far.path()), refs(upstream.path()));
    assert!(!sprung.exists(), "{}", fs::read_to_string(&sprung).unwrap());
}
