//! Redis goes away in the middle of runs, and comes back with all it knew.

use std::time::Duration;

use crate::far_side::{has_sent, listings};
use crate::jobs;
use crate::rig::redis::Redis;
use crate::rig::wait;
use crate::rig::worker::Worker;
use crate::world::{WORK, World, count, runs};

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

pub(crate) fn a_redis_that_comes_back_empty_is_told_of_once_and_work_goes_on() {
    const LOST: &str = "Redis has lost its data";
    let mut world = World::new(MIRRORS);
    let mut worker = world.worker_in_the_middle_of_all_runs();
    world.installation.cli_ok(&["pause", "--class", "RemoteMirror"]);
    wait::until("the order to be heeded", WORK, || worker.log().contains("this class is switched off"));
    world.redis.stop();
    wait_until_redis_is_missed(&worker, 1);
    // Long enough for every loop to notice, and for none to take its own idleness for an answer.
    std::thread::sleep(Duration::from_secs(5));
    world.restart_redis();
    let in_hand = || jobs::in_hand_of(&mut world.connection(), worker.id());
    wait::until("the jobs in hand to be written back", WORK, || in_hand() == world.jobs().len());
    world.gate.open_gate();
    // The mirrors are gone with the rest: there is nothing to do.
    wait::until("all jobs to end", WORK, || jobs::anywhere(&mut world.connection()) == 0);
    let log = worker.log();
    let told = log.lines().find(|line| line.contains(LOST)).unwrap();
    let gone = ["queues", "schedule", "retry", "the dead set", "figures", "the records of mirrors"];
    let back = [&*format!("jobs={MIRRORS}"), r#"orders=["RemoteMirror switched off"]"#];
    for part in gone.iter().chain(&back) {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(world.installation.cli_ok(&["status"]).contains("RemoteMirror"), "the order stands again");
    for once in [LOST, "trying again every second", "Redis is online"] {
        assert_eq!(worker.log().matches(once).count(), 1, "{once}");
    }
    assert_eq!(count(worker.metric("sidemirror_redis_data_losses_total")), 1);

    world.numbers().for_each(|number| world.store_mirror(number));
    jobs::push(&mut world.connection(), &world.jobs());
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
