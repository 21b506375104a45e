//! Every place where a secret might be, looked at when all has run.

use std::collections::BTreeSet;

use crate::places;
use crate::spellings::{Canary, assert_clean};
use crate::world::World;

/// What a worker and the command line show and keep, and what was seen of processes, holds none of the canaries.
pub(crate) fn search(
    world: &World,
    canaries: &[Canary],
    mirrors: &[(&str, u64)],
    mut shown: Vec<String>,
    seen: &BTreeSet<String>,
) {
    // Some of these fail, and say why: it is what they say that counts.
    let mut ask = |arguments: &[&str]| {
        let output = world.installation.cli(arguments);
        shown.push([output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).join("\n"));
    };
    for (direction, id) in mirrors {
        let id = id.to_string();
        for command in [["mirror", "show"], ["mirror", "check"], ["host-keys", "show"], ["key", "show"]] {
            let arguments = [&command[..], &[direction, &id]].concat();
            ask(&arguments);
            ask(&[&arguments[..], &["--json"]].concat());
        }
    }
    for command in [&["mirror", "list"][..], &["status"], &["doctor"], &["secrets", "status"]] {
        ask(command);
        ask(&[command, &["--json"]].concat());
    }
    ask(&["secrets", "rotate"]);
    for text in &shown {
        assert_clean(canaries, "what is shown", text);
    }
    assert_clean(canaries, "the log", &world.worker.log());
    assert_clean(canaries, "/metrics", &world.worker.get("/metrics").unwrap().body);
    let dump = places::redis(&mut world.redis.connection());
    assert!(dump.contains("v2:"), "the sealed secrets are there: {dump}");
    assert_clean(canaries, "Redis", &dump);
    let files = places::files(world.installation.folder());
    assert!(files.contains("project-1.git") && files.contains("worker-"), "{files}");
    assert_clean(canaries, "the files", &files);
    for process in seen {
        assert_clean(canaries, "a process", process);
    }
}
