//! Redis goes away in the middle of runs, and comes back with all it knew.

use crate::far_side::{has_sent, listings};
use crate::jobs;
use crate::rig::redis::Redis;
use crate::rig::wait;
use crate::rig::worker::Worker;
use crate::world::{WORK, World, runs};

const MIRRORS: u64 = 20;

fn wait_until_redis_is_missed(worker: &Worker, times: usize) {
    wait::until("the worker to miss Redis", WORK, || {
        worker.log().matches("trying again every second").count() >= times
    });
}

fn assert_the_worker_did_all(world: &World, worker: &mut Worker) {
    world.wait_until_done(WORK);
    world.assert_all_is_well();
    assert!(worker.is_running());
    assert_eq!(runs(worker, "failed"), 0);
}

pub(crate) fn runs_outlast_a_redis_that_is_killed_and_started_again() {
    let mut world = World::on(Redis::start_with_persistence(), MIRRORS);
    let mut worker = world.worker_in_the_middle_of_all_runs();
    world.redis.stop();
    wait_until_redis_is_missed(&worker, 1);
    world.restart_redis();
    world.gate.open_gate();
    assert_the_worker_did_all(&world, &mut worker);
}

pub(crate) fn runs_outlast_a_redis_that_does_not_answer() {
    let world = World::new(MIRRORS);
    let mut worker = world.worker_in_the_middle_of_all_runs();
    world.redis.freeze();
    wait_until_redis_is_missed(&worker, 1);
    world.redis.thaw();
    world.gate.open_gate();
    assert_the_worker_did_all(&world, &mut worker);
}

pub(crate) fn runs_that_begin_and_end_during_an_outage_are_written_down_after_it() {
    let mut world = World::on(Redis::start_with_persistence(), MIRRORS);
    let mut worker = world.worker_in_the_middle_of_all_runs();
    world.redis.stop();
    world.gate.open_gate();
    // All that the runs still have to do is to be written down.
    wait::until("the transfers", WORK, || world.numbers().all(|mirror| has_sent(&world, mirror)));
    wait_until_redis_is_missed(&worker, 1);
    world.restart_redis();
    assert_the_worker_did_all(&world, &mut worker);

    // The worker takes up new jobs, too.
    world.upstream.commit("main", "after the outage");
    jobs::push(&mut world.connection(), &world.jobs());
    wait::until("the next runs", WORK, || world.numbers().all(|mirror| listings(&world, mirror) >= 2));
    assert_the_worker_did_all(&world, &mut worker);
}
