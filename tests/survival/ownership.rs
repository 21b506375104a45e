//! How long the ownership of a run outlives its owner.

use std::time::{Duration, Instant};

use redis::Commands as _;
use sidemirror::mirror::state::Status;

use crate::jobs;
use crate::rig::wait;
use crate::world::{World, jid, runs};

/// The life of an ownership that is not renewed.
const OWNERSHIP: Duration = Duration::from_secs(30);
/// The shortest time in which a dead worker's jobs can be given to others. What is run before was not rescued.
const RESCUE: Duration = Duration::from_secs(40);

pub(crate) fn a_dead_owner_keeps_others_from_its_mirror_for_thirty_seconds_only() {
    let world = World::new(2);
    let mut redis = world.connection();
    let mut dead = world.worker_in_the_middle_of_all_runs();
    dead.kill();
    let died = Instant::now();
    for mirror in world.numbers() {
        let left: i64 = redis.pttl(format!("sidemirror:run:pull:{mirror}")).unwrap();
        assert!(left > 0 && Duration::from_millis(left.unsigned_abs()) <= OWNERSHIP, "{left} ms");
    }
    world.gate.open_gate();
    let other = world.installation.start_worker();

    // The same job again waits for the end of its first delivery's ownership.
    jobs::push(&mut redis, &[jobs::pull_job(1, &jid(1))]);
    // A new job is run at once when that has come.
    wait::until("the ownership to end", OWNERSHIP + Duration::from_secs(5), || {
        !redis.exists::<_, bool>("sidemirror:run:pull:2").unwrap()
    });
    jobs::push(&mut redis, &[jobs::pull_job(2, &jid(1000))]);
    wait::until("both mirrors to be run", RESCUE.saturating_sub(died.elapsed()), || {
        world.store.mirrors().iter().all(|mirror| mirror.state.status == Status::Finished)
    });
    assert_eq!(jobs::in_hand_of(&mut redis, dead.id()), 2, "none of this was a rescue");
    wait::until("the runs to be counted", RESCUE, || runs(&other, "changed") == 2);
}
