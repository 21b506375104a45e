//! `kill -9` in the middle of a hundred runs.

use std::time::{Duration, Instant};

use crate::far_side::assert_no_mirror_was_run_by_two_at_once;
use crate::jobs;
use crate::world::{World, count, jid, runs};

/// Within this time after its worker's death every job must have been run.
const RESCUE: Duration = Duration::from_mins(2);

pub(crate) fn after_a_kill_the_restarted_worker_runs_every_job() {
    let world = World::new(100);
    let mut killed = world.worker_in_the_middle_of_all_runs();
    killed.kill();
    let died = Instant::now();
    assert_eq!(jobs::in_hand_of(&mut world.connection(), killed.id()), 100);

    let restarted = world.installation.start_worker();
    world.gate.open_gate();
    world.wait_until_done(RESCUE.saturating_sub(died.elapsed()));
    world.assert_all_is_well();
    assert_no_mirror_was_run_by_two_at_once(&world);
    assert_eq!(runs(&restarted, "changed"), 100);
    assert_eq!(count(restarted.metric("sidemirror_rescued_jobs_total")), 100);
}

pub(crate) fn after_a_kill_another_worker_runs_every_job_beside_its_own() {
    let mut world = World::new(120);
    world.installation = world.installation.set("concurrency", 100);
    world.gate.close_gate();
    let (first, second): (Vec<u64>, Vec<u64>) = world.numbers().partition(|number| *number <= 100);
    let push = |mirrors: &[u64]| {
        let jobs: Vec<String> = mirrors.iter().map(|mirror| jobs::pull_job(*mirror, &jid(*mirror))).collect();
        jobs::push(&mut world.connection(), &jobs);
    };
    push(&first);
    let mut killed = world.installation.start_worker();
    world.wait_until_runs_hang(100);
    // The first has no slot free, so these go to the other.
    push(&second);
    let other = world.installation.start_worker();
    world.wait_until_runs_hang(120);
    let mut redis = world.connection();
    let in_hand = [&killed, &other].map(|worker| jobs::in_hand_of(&mut redis, worker.id()));
    assert_eq!(in_hand, [100, 20], "the jobs of a living worker are left alone");

    killed.kill();
    let died = Instant::now();
    world.gate.open_gate();
    world.wait_until_done(RESCUE.saturating_sub(died.elapsed()));
    world.assert_all_is_well();
    assert_no_mirror_was_run_by_two_at_once(&world);
    assert_eq!(runs(&other, "changed"), 120);
    assert_eq!(count(other.metric("sidemirror_rescued_jobs_total")), 100, "its own were left alone");
}
