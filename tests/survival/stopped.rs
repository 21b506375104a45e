//! Workers that are stopped for long in the middle of their runs, as a suspended machine stops them, and woken.
//!
//! A stopped process does nothing, so "run by two at once" can only mean that it goes on after it woke: with what it
//! had heard from upstream before, on a mirror that has another owner by then.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

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

pub(crate) fn jobs_that_were_fetched_just_before_a_long_stop_are_not_run_after_it() {
    // Whether an answer that comes so late is still taken is chance; of so many some are.
    const QUEUES: usize = 40;
    let mut world = World::new(QUEUES as u64);
    let queues: Vec<String> = (0..QUEUES).map(|number| format!("q{number}")).collect();
    world.installation =
        world.installation.set("queues", format!("[{}]", queues.join(", "))).set("concurrency", QUEUES);
    world.gate.open_gate();
    let mut redis = world.connection();
    let sleeper = world.installation.start_worker();
    let waiting = |redis: &mut redis::Connection| {
        let clients: String = redis::cmd("CLIENT").arg("LIST").query(redis).unwrap();
        clients.matches(" flags=b ").count()
    };
    // A wait lasts for two seconds; the stop is to come in the middle of most of them.
    loop {
        wait::until("it to wait at all queues", WORK, || waiting(&mut redis) == QUEUES);
        sleeper.stop();
        if waiting(&mut redis) == QUEUES {
            break;
        }
        sleeper.cont();
    }
    // Redis gives each job to the connection that waits there, and the answers lie in their sockets.
    let mut push = redis::pipe();
    for (queue, job) in queues.iter().zip(world.jobs()) {
        push.lpush(format!("queue:{queue}"), job).ignore();
    }
    push.query::<()>(&mut redis).unwrap();
    wait::until("most jobs to be fetched", WORK, || jobs::in_hand_of(&mut redis, sleeper.id()) > QUEUES / 2);

    let other = world.installation.start_worker();
    wait::until("another worker to have run the jobs", LOST, || runs(&other, "changed") == world.mirrors);
    sleeper.cont();
    wait::until("both to wait at all queues", WORK, || waiting(&mut redis) == 2 * QUEUES);
    assert!(!sleeper.log().contains("start"), "{}", sleeper.log());
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
