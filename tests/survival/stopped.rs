//! Workers that are stopped for long in the middle of their runs, as a suspended machine stops them, and woken.
//!
//! A stopped process does nothing, so "run by two at once" can only mean that it goes on after it woke: with what it
//! had heard from upstream before, on a mirror that has another owner by then.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use redis::Commands as _;

use crate::far_side::listings;
use crate::jobs;
use crate::rig::repository::Repository;
use crate::rig::wait;
use crate::rig::worker::Worker;
use crate::world::{WORK, World, jid, local_path, run_keys, runs};

/// The longest that a stopped worker's jobs and runs keep others from them.
const LOST: Duration = Duration::from_mins(2);

pub(crate) fn a_worker_that_wakes_after_its_mirrors_were_taken_over_leaves_and_changes_nothing() {
    let world = World::new(100);
    let before = world.upstream.id_of("main");
    make_local_repositories_that_keep_a_log(&world);
    world.upstream.commit("main", "heard by the worker that is stopped");
    // Whoever has heard of a commit can have it, though no ref leads to it any more.
    world.upstream.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let sleeper = world.worker_in_the_middle_of_all_runs();
    sleeper.stop();
    // Its answers reach its sockets, and wait there.
    world.gate.open_gate();
    wait::until("upstream to have answered", WORK, || world.numbers().all(|mirror| listings(&world, mirror) == 1));
    let after = world.upstream.diverge("main", "history as rewritten meanwhile");

    let other = world.installation.start_worker();
    let mut taken_over = BTreeSet::new();
    wait::until("another worker to have begun a run of each mirror", LOST, || {
        let mirrors = world.store.mirrors();
        let owned = mirrors.iter().filter(|mirror| owner(mirror.state.run.as_deref()) == Some(other.id()));
        taken_over.extend(owned.map(|mirror| mirror.id));
        taken_over.len() == 100
    });
    // The sleeper still has the repositories' locks; nobody gets past them.
    assert_eq!(runs(&other, "changed"), 0);
    assert!(world.numbers().all(|mirror| listings(&world, mirror) == 1));

    sleeper.cont();
    world.wait_until_done(WORK);
    wait::until("the sleeper to leave its runs", WORK, || runs(&sleeper, "superseded") == 100);
    world.assert_all_is_well();
    assert_eq!((runs(&other, "changed"), runs(&other, "failed")), (100, 0));
    assert_eq!((runs(&sleeper, "changed"), runs(&sleeper, "unchanged"), runs(&sleeper, "failed")), (0, 0, 0));
    assert_eq!(sleeper.log().matches("superseded elapsed=").count(), 100);
    for mirror in world.numbers() {
        let local = world.installation.repository(&local_path(mirror));
        for name in ["refs/heads/main", "refs/remotes/upstream/main"] {
            assert_eq!(moves(&local, name), [(before.clone(), after.clone())], "{name} of mirror {mirror}");
        }
    }

    both_work_as_before(&world, &sleeper, &other);
}

pub(crate) fn a_worker_that_wakes_before_its_mirrors_were_taken_over_runs_them_itself() {
    let mut world = World::new(20);
    // When it wakes, its upstream has been silent for longer than this. That is not the upstream's failure.
    world.installation = world.installation.mirror("stall_timeout", "20s");
    let mut redis = world.connection();
    let sleeper = world.worker_in_the_middle_of_all_runs();
    sleeper.stop();
    wait::until("the ownership of its runs to end", LOST, || run_keys(&mut redis).is_empty());
    sleeper.cont();
    wait::until("it to notice", WORK, || runs(&sleeper, "superseded") + runs(&sleeper, "failed") >= 20);
    world.gate.open_gate();
    world.wait_until_done(WORK);
    world.assert_all_is_well();
    assert_eq!(runs(&sleeper, "changed"), 20);
}

/// Local repositories as they were after an earlier run, which from now on write down how their refs move.
fn make_local_repositories_that_keep_a_log(world: &World) {
    let template = Repository::create(&world.installation.folder().join("template.git"));
    let upstream = world.upstream.path().to_str().unwrap();
    let specs = ["+refs/heads/*:refs/heads/*", "+refs/heads/*:refs/remotes/upstream/*", "+refs/tags/*:refs/tags/*"];
    template.git(&[&["fetch", "--quiet", upstream], &specs[..]].concat());
    template.git(&["config", "core.logAllRefUpdates", "always"]);
    std::fs::create_dir_all(world.installation.repository("group").path()).unwrap();
    for mirror in world.numbers() {
        let copy = world.installation.repository(&local_path(mirror));
        let status = Command::new("cp").arg("-r").args([template.path(), copy.path()]).status().unwrap();
        assert!(status.success());
    }
}

/// From where to where a ref moved, by its log.
fn moves(repository: &Repository, name: &str) -> Vec<(String, String)> {
    let log = std::fs::read_to_string(repository.path().join("logs").join(name)).unwrap_or_default();
    let words = log.lines().filter_map(|line| line.split_once(' '));
    words.filter_map(|(old, rest)| Some((old.to_owned(), rest.split(' ').next()?.to_owned()))).collect()
}

/// The process id of the worker that a run belongs to: `host:pid:nonce/...`.
fn owner(run: Option<&str>) -> Option<u32> {
    run?.split(':').nth(1)?.parse().ok()
}

pub(crate) fn a_job_that_was_fetched_just_before_a_long_stop_is_not_run_after_it() {
    let mut world = World::new(1);
    // An answer that comes late is taken all the same: else it would depend on chance whether it is.
    world.installation = world.installation.mirror("redis", "{response_timeout: 20s}");
    world.gate.open_gate();
    let mut redis = world.connection();
    let sleeper = world.installation.start_worker();
    let leases: Vec<String> = redis.keys("reliable-fetcher-heartbeat-*").unwrap();
    wait::until("its lease to be due for renewal", WORK, || redis.pttl::<_, i64>(&leases[0]).unwrap() < 42_000);
    sleeper.stop();
    let stopped = Instant::now();
    // Redis gives the job to the connection that waits, and the answer lies in its socket.
    jobs::push(&mut redis, &world.jobs());
    wait::until("the job to be fetched", WORK, || jobs::in_hand_of(&mut redis, sleeper.id()) == 1);
    redis.del::<_, ()>(&leases[0]).unwrap();

    let other = world.installation.start_worker();
    wait::until("another worker to have run the job", LOST, || runs(&other, "changed") == 1);
    wait::until("the sleeper to be behind with its lease", WORK, || stopped.elapsed() > Duration::from_secs(14));
    sleeper.cont();
    both_work_as_before(&world, &sleeper, &other);
    assert!(!sleeper.log().contains(&jid(1)), "{}", sleeper.log());
}

fn both_work_as_before(world: &World, sleeper: &Worker, other: &Worker) {
    let before = runs(sleeper, "changed") + runs(other, "changed");
    world.upstream.commit("main", "later");
    let again: Vec<String> = world.numbers().map(|mirror| jobs::pull_job(mirror, &jid(1000 + mirror))).collect();
    jobs::push(&mut world.connection(), &again);
    wait::until("all mirrors to be run again", WORK, || {
        runs(sleeper, "changed") + runs(other, "changed") == before + world.mirrors
    });
    world.wait_until_done(WORK);
    world.assert_all_is_well();
}
