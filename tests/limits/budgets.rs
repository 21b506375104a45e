//! Each limit, passed once.

use crate::rig::repository::Repository;
use crate::rig::silent::SilentServer;
use crate::world::World;

/// A run that passes a limit, and what its owner reads: `*` stands for what differs.
type Case<'a> = (&'a str, &'a str, &'a str);

const RAISED: &str = "it can be raised for this mirror (--limit KEY=…) or for all (mirror.limits).";

const CASES: [Case<'static>; 7] = [
    (
        "received",
        "1MiB",
        "The server 127.0.0.1 sent more than 1.0MiB in one run (* so far), which is the limit received; ",
    ),
    (
        "listing",
        "1KiB",
        "The server 127.0.0.1 sent more than 1.0KiB in one list of refs or report on them (* so far), which is the limit listing; ",
    ),
    ("refs", "3", "The remote lists at least 4 refs, and at most 3 are accepted (the limit refs); "),
    ("pack_objects", "2", "The remote sent a pack of * objects, and at most 2 are accepted (the limit pack_objects); "),
    (
        "growth",
        "1MiB",
        "The run would make the repository grow by *, and at most 1.0MiB are accepted (the limit growth); ",
    ),
    ("object", "1MiB", "The remote sent an object of *, and at most 1.0MiB are accepted (the limit object); "),
    (
        "in_process",
        "1MiB",
        "The remote sent objects that take * of memory, and without the git program at most 1.0MiB are accepted (the limit in_process); ",
    ),
];

/// Whether `text` is `pattern`, whose one star stands for anything.
fn matches(text: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        Some((begin, end)) => {
            text.strip_prefix(begin).is_some_and(|rest| rest.len() > end.len() && rest.ends_with(end))
        }
        None => text == pattern,
    }
}

fn upstream(world: &World) -> Repository {
    let upstream = world.git.create("up.git");
    upstream.commit("main", "one");
    upstream.branches("topic", 30);
    upstream.commit("big", &noise());
    upstream
}

/// Three megabytes that do not get smaller by compression.
fn noise() -> String {
    (0_u64..200_000).map(|number| format!("{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect()
}

#[test]
fn a_run_that_passes_a_limit_fails_with_the_limit_its_value_and_what_was_seen() {
    let world = World::start();
    let upstream = upstream(&world);
    // What libgit2 may have in this process is nothing to git, which has one of its own.
    let by_library = CASES.into_iter().map(|case| ("libgit2", case));
    let by_program = CASES.into_iter().take(6).map(|case| ("git", case));
    for (id, (engine, (key, value, text))) in (1..).zip(by_library.chain(by_program)) {
        world.add_pull(id, "up.git", &["--engine", engine, "--limit", &format!("{key}={value}")]);
        let error = world.fail("pull", id);
        let pattern = format!("{text}{}", RAISED.replace("KEY", key));
        assert!(matches(&error, &pattern), "{engine}, {key}: {error}\nexpected {pattern}");
        let counted = world.worker.metric(&format!("sidemirror_limit_exceeded_total{{limit=\"{key}\"}}"));
        assert_eq!(counted, Some(if engine == "git" { 2.0 } else { 1.0 }), "{key}");

        let local = world.local(id);
        assert_eq!(local.refs().len(), 0, "{key}");
        assert_eq!(local.git(&["count-objects"]), "0 objects, 0 kilobytes", "{key}");
        assert_eq!(local.git(&["fsck", "--full"]), "", "{key}");
        let left = std::fs::read_dir(local.path().join("objects/pack")).unwrap().count();
        assert_eq!(left, 0, "{key}");

        // With what the worker allows, all of it comes.
        world.update("pull", id, &["--limit", &format!("{key}=default")]);
        world.succeed("pull", id);
        assert_eq!(local.mirrored_refs(), upstream.mirrored_refs(), "{key}");
    }
}

#[test]
fn a_mirror_has_limits_of_its_own_and_shows_them() {
    let world = World::start();
    world.git.create("up.git").commit("main", "one");
    world.add_pull(1, "up.git", &["--limit", "received=2GiB", "--limit", "run=1h"]);
    assert_eq!(world.state("pull", 1).0["limits"], serde_json::json!({ "received": "2.0GiB", "run": "1h" }));
    let shown = world.installation.cli_ok(&["mirror", "show", "pull", "1"]);
    assert!(shown.contains("received=2.0GiB, run=1h"), "{shown}");
    world.update("pull", 1, &["--limit", "run=default"]);
    assert_eq!(world.state("pull", 1).0["limits"], serde_json::json!({ "received": "2.0GiB" }));

    for (given, complaint) in [
        ("recieved=1GiB", "there is no limit \"recieved\"; there are received, listing"),
        ("received=0", "expected a size with its unit (512KiB, 64MiB, 2GiB) above 0, or `unlimited`, or `default`"),
        ("run=unlimited", "expected a duration with its unit (10s, 5m, 3h) above 0, or `default`"),
    ] {
        let refused = world.installation.cli(&["mirror", "update", "pull", "1", "--limit", given]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(complaint), "{said}");
    }
}

#[test]
fn a_mirrors_own_patience_with_silence_ends_before_the_workers() {
    let world = World::start();
    let silent = SilentServer::start();
    let url = format!("http://127.0.0.1:{}/up.git", silent.port());
    world.installation.add_mirror("pull", 1, "group/project-1.git", &url, &["--limit", "stall=1s"]);
    let error = world.fail("pull", 1);
    let text = format!("The server 127.0.0.1:{} accepted the connection but sent nothing for 1s.", silent.port());
    assert_eq!(error, text);
    assert_eq!(world.worker.metric("sidemirror_limit_exceeded_total{limit=\"stall\"}"), Some(1.0));

    world.update("pull", 1, &["--limit", "stall=default", "--limit", "run=2s"]);
    let error = world.fail("pull", 1);
    assert_eq!(
        error,
        format!("The run took longer than 2s and was ended while talking to 127.0.0.1:{}.", silent.port())
    );
    assert_eq!(world.worker.metric("sidemirror_limit_exceeded_total{limit=\"run\"}"), Some(1.0));
}
