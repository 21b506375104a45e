//! TERM in the middle of running jobs.

use std::time::{Duration, Instant};

use redis::Commands as _;
use rustix::process::Signal;
use sidemirror::mirror::state::Status;

use crate::jobs;
use crate::rig::wait;
use crate::world::{WORK, World, run_keys, runs, with_status};

/// How long the workers here let jobs go on after TERM.
const TIMEOUT: u64 = 3;
/// Longer than they may take to end then.
const END: Duration = Duration::from_secs(15);

fn world(mirrors: u64) -> World {
    let mut world = World::new(mirrors);
    world.installation = world.installation.set("timeout", TIMEOUT);
    world
}

pub(crate) fn jobs_that_do_not_end_in_time_go_back_unchanged_and_are_run_by_the_next_worker() {
    let world = world(100);
    let mut redis = world.connection();
    let mut ending = world.worker_in_the_middle_of_all_runs();
    let told = Instant::now();
    assert!(ending.terminate().success());
    assert!(told.elapsed() >= Duration::from_secs(TIMEOUT - 1), "jobs had their time");
    assert!(told.elapsed() < END, "it took {:?} to end", told.elapsed());

    assert_eq!(jobs::queued(&mut redis), world.jobs(), "each job is back, byte for byte");
    assert_eq!(jobs::anywhere(&mut redis), 100, "and nowhere else");
    assert_eq!(run_keys(&mut redis), Vec::<String>::new(), "nobody has to wait for its runs to end");
    assert_eq!(with_status(&mut redis, Status::Failed), 0);
    assert!(
        world.store.mirrors().iter().all(|mirror| mirror.state.retry_count == 0 && mirror.state.last_error.is_none())
    );
    assert_eq!(redis.get::<_, Option<u64>>("stat:failed").unwrap().unwrap_or(0), 0);

    let next = world.installation.start_worker();
    world.gate.open_gate();
    world.wait_until_done(WORK);
    world.assert_all_is_well();
    assert_eq!(runs(&next, "changed"), 100);
}

pub(crate) fn a_second_term_changes_nothing() {
    let world = world(10);
    let mut ending = world.worker_in_the_middle_of_all_runs();
    ending.signal(Signal::TERM);
    wait::until("the worker to heed TERM", WORK, || ending.log().contains("TERM: stopping"));
    assert!(ending.terminate().success());
    assert_eq!(jobs::queued(&mut world.connection()), world.jobs());
    assert_eq!(jobs::anywhere(&mut world.connection()), 10);
}

pub(crate) fn a_job_that_waits_for_its_mirror_goes_back_too() {
    let world = world(10);
    let mut redis = world.connection();
    let mut dead = world.worker_in_the_middle_of_all_runs();
    dead.kill();
    // The same jobs again: they wait until the dead worker's ownership ends.
    jobs::push(&mut redis, &world.jobs());
    let mut waiting = world.installation.start_worker();
    wait::until("the jobs to be in hand", WORK, || jobs::in_hand_of(&mut redis, waiting.id()) == 10);
    assert!(waiting.terminate().success());
    assert_eq!(jobs::queued(&mut redis), world.jobs());
}
