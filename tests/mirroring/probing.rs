//! A pull that has nothing to do ends with one question to upstream.

use std::process::Command;

use crate::rig::git_http::Request;
use crate::rig::repository::Repository;
use crate::rig::wait;
use crate::world::World;

/// What the worker logs when a run has compared the refs, which it does not when the probe says that nothing changed.
const COMPARED: &str = "applied";

const LISTING: &str = "/up.git/info/refs?service=git-upload-pack";

/// A mirror that has settled, and its upstream.
fn settled() -> (World, Repository) {
    let world = World::with(|installation| installation.set("verbose", true));
    let upstream = world.git.create("up.git");
    for branch in ["main", "topic"] {
        upstream.commit(branch, "first");
    }
    upstream.annotated_tag("v1", "main");
    world.add_pull(1, "up.git", &[]);
    assert!(world.succeed("pull", 1) > 0, "the first run brings everything");
    // The second finds that all is as it should be, and writes that down, unless it comes within the few milliseconds
    // in which a file's time cannot tell two changes apart.
    let record = world.local(1).path().join("sidemirror/pull.json");
    wait::until("a run has settled", wait::START, || {
        assert_eq!(world.succeed("pull", 1), 0);
        record.exists()
    });
    (world, upstream)
}

/// The requests that a run makes, and how many refs it changes; nothing if it ended at the probe.
fn run(world: &World) -> (Vec<Request>, Option<u64>) {
    let before = world.git.requests("up.git").len();
    let compared = world.worker.log().matches(COMPARED).count();
    let changed = world.succeed("pull", 1);
    let ended_at_probe = world.worker.log().matches(COMPARED).count() == compared;
    wait::until("the server has logged the run", wait::START, || world.git.requests("up.git").len() > before);
    (world.git.requests("up.git").split_off(before), (!ended_at_probe).then_some(changed))
}

fn shape(requests: &[Request]) -> Vec<(&str, &str, u16)> {
    requests.iter().map(|request| (request.method.as_str(), request.target.as_str(), request.status)).collect()
}

#[test]
fn an_unchanged_run_asks_once_and_changes_nothing() {
    let (world, _) = settled();
    let changed_at = world.state("pull", 1).time("last_changed_at");
    let before = look(&world.local(1));
    for _ in 0..3 {
        let (requests, changed) = run(&world);
        assert_eq!((shape(&requests), changed), (vec![("GET", LISTING, 200)], None));
    }
    assert_eq!(look(&world.local(1)), before, "no file of the repository is touched");
    assert_eq!(world.state("pull", 1).time("last_changed_at"), changed_at);
}

/// Every file of a repository with its size and time, without our own folder, where the lock lies.
fn look(repository: &Repository) -> String {
    let mut find = Command::new("find");
    find.current_dir(repository.path()).args([".", "-path", "./sidemirror", "-prune", "-o", "-printf", "%p %s %T@\n"]);
    let mut lines: Vec<String> =
        String::from_utf8(find.output().unwrap().stdout).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    lines.retain(|line| !line.starts_with(". "));
    lines.join("\n")
}

#[test]
fn a_change_upstream_is_noticed() {
    let (world, upstream) = settled();
    let id = upstream.commit("topic", "second");
    let (requests, changed) = run(&world);
    assert!(shape(&requests).contains(&("POST", "/up.git/git-upload-pack", 200)), "{requests:?}");
    assert_eq!((changed, world.local(1).id_of("refs/heads/topic")), (Some(1), id));
}

#[test]
fn a_ref_that_mirroring_does_not_concern_is_no_change_upstream() {
    let (world, upstream) = settled();
    upstream.set("refs/pull/1/head", &upstream.id_of("main"));
    let (requests, changed) = run(&world);
    assert_eq!((shape(&requests), changed), (vec![("GET", LISTING, 200)], None));
}

#[test]
fn a_local_change_is_noticed() {
    let (world, upstream) = settled();
    let local = world.local(1);
    local.delete("refs/heads/topic");
    local.delete("refs/tags/v1");
    assert_eq!(world.succeed("pull", 1), 2, "what was deleted only here comes back");
    assert_eq!(local.mirrored_refs(), upstream.mirrored_refs());

    world.succeed("pull", 1);
    local.git(&["pack-refs", "--all"]);
    local.commit("main", "ours");
    assert!(world.fail("pull", 1).starts_with("The default branch (main) has diverged"));
}

#[test]
fn a_repository_that_comes_back_from_a_backup_is_brought_up_to_date_again() {
    let (world, upstream) = settled();
    let (path, backup) = (world.local(1).path().to_owned(), world.installation.folder().join("backup"));
    copy(&path, &backup);
    upstream.commit("main", "second");
    world.succeed("pull", 1);
    world.succeed("pull", 1);

    std::fs::remove_dir_all(&path).unwrap();
    copy(&backup, &path);
    assert_ne!(world.local(1).mirrored_refs(), upstream.mirrored_refs());
    assert_eq!(world.succeed("pull", 1), 1);
    assert_eq!(world.local(1).mirrored_refs(), upstream.mirrored_refs());

    std::fs::remove_dir_all(&path).unwrap();
    world.succeed("pull", 1);
    assert_eq!(world.local(1).mirrored_refs(), upstream.mirrored_refs(), "and one that is lost is made anew");
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}
