//! Slots of capacity that nobody uses.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use redis::{Commands as _, Connection};
use sidemirror::mirror::state::{RunState, Status};

use crate::rig::wait;
use crate::world::{WORK, World, count};

const CAPACITY: &str = "sidemirror:capacity";
/// A worker that has been there for so long has brought all jobs of dead processes back, so the next sweep, at the
/// next minute's beginning, trusts that a silent run is dead.
const ALL_JOBS_RESCUED: Duration = Duration::from_mins(4);

pub(crate) fn the_sweep_frees_the_slots_that_nobody_uses_and_no_others() {
    let world = World::new(5);
    let mut redis = world.connection();
    let ago = |minutes| Utc::now() - TimeDelta::minutes(minutes);
    let (leaked, dead, alive, waiting, lost, unknown) = (1, 2, 3, 4, 5, 99);
    for mirror in [leaked, dead, alive, waiting, lost, unknown] {
        take_slot_four_minutes_ago(&mut redis, mirror);
    }
    world.store.change_state(dead, start_elsewhere);
    // Owned, and about to be marked as started.
    redis.set_ex::<_, _, ()>(format!("sidemirror:run:pull:{alive}"), "host:1:0/0/0", 60).unwrap();
    for (mirror, minutes) in [(waiting, 5), (lost, 31)] {
        world.store.change_state(mirror, |state| {
            state.status = Status::Scheduled;
            state.last_update_scheduled_at = Some(ago(minutes));
        });
    }

    // The sweep belongs to every minute's beginning, and to a scheduler's first.
    let worker = world.installation.start_worker();
    let freed = || count(worker.metric("sidemirror_slots_freed_total"));
    wait::until("the sweep", WORK, || freed() > 0);
    assert_eq!(freed(), 3);
    wait::until("the lost one to be run anew", WORK, || state(&world, lost).status == Status::Finished);
    wait::until("its slot to be free", WORK, || redis.zcard::<_, u64>(CAPACITY).unwrap() == 3);
    // The job of the dead run may still be rescued: nobody was there to do so until now.
    assert_eq!(redis.zrange::<_, Vec<u64>>(CAPACITY, 0, -1).unwrap(), [dead, alive, waiting]);
    assert_eq!(state(&world, dead).status, Status::Started);
    assert_eq!(state(&world, leaked).status, Status::None);
    assert_eq!(state(&world, waiting).status, Status::Scheduled);
}

pub(crate) fn the_sweep_frees_the_slot_of_a_run_whose_job_nobody_brought_back() {
    let world = World::new(1);
    let worker = world.installation.start_worker();
    take_slot_four_minutes_ago(&mut world.connection(), 1);
    world.store.change_state(1, start_elsewhere);
    wait::until("the sweep", ALL_JOBS_RESCUED + WORK, || count(worker.metric("sidemirror_slots_freed_total")) == 1);
    assert_eq!(world.connection().zcard::<_, u64>(CAPACITY).unwrap(), 0);
    let failed = state(&world, 1);
    assert_eq!((failed.status, failed.retry_count), (Status::Failed, 1));
    assert_eq!(failed.last_error.as_deref(), Some("The run ended without a result: its process died."));
    assert!(failed.due_at().is_some(), "it is tried again");
}

fn take_slot_four_minutes_ago(redis: &mut Connection, mirror: u64) {
    let then = Utc::now() - TimeDelta::minutes(4);
    redis.zadd::<_, _, _, ()>(CAPACITY, mirror, then.timestamp_millis()).unwrap();
}

/// As if a process had begun a run that is not there any more.
fn start_elsewhere(state: &mut RunState) {
    state.status = Status::Started;
    state.run = Some("host:1:0/0/0".to_owned());
}

fn state(world: &World, mirror: u64) -> RunState {
    let mirrors = world.store.mirrors();
    mirrors.into_iter().find(|found| found.id.0 == mirror).unwrap().state
}
