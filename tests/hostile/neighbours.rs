//! Honest mirrors beside the hostile ones, on the same worker.

use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::case::{Direction, Takes, Way};
use crate::rig::repository::Repository;
use crate::world::World;

/// The longest that an honest run of some objects may take on a busy machine, from its job's push to its end.
const ORDINARY: Duration = Duration::from_secs(30);

/// A pull and a push mirror of honest servers, run again for whoever asks.
#[derive(Default)]
pub(crate) struct Neighbours {
    rounds: Mutex<Rounds>,
    over: Condvar,
}

#[derive(Default)]
struct Rounds {
    begun: u64,
    ended: u64,
    failure: Option<String>,
}

/// The mirrors' numbers, below those of hostile ones.
const PULL: u64 = 1;
const PUSH: u64 = 2;

impl Neighbours {
    /// Prepares both in `world`.
    pub(crate) fn settle(world: &World) {
        // The worker's own limits are those that hostile ones are to meet.
        let unhurried = Takes::NoTime.unhurried();
        world.git.create("up.git").commit("main", "first");
        world.git.create("far.git");
        world.create_local(PUSH).commit("main", "first");
        world.add(Direction::Pull, PULL, Way::Http, &world.git.url("up.git"), unhurried);
        world.add(Direction::Push, PUSH, Way::Http, &world.git.url("far.git"), unhurried);
    }

    /// Sees both do their work in ordinary time, in a round that begins after this was asked.
    pub(crate) fn see_a_round(&self, world: &World) {
        let mut rounds = self.rounds.lock().unwrap();
        let wanted = rounds.begun + 1;
        while rounds.ended < wanted {
            if rounds.begun > rounds.ended {
                rounds = self.over.wait(rounds).unwrap();
                continue;
            }
            rounds.begun += 1;
            let number = rounds.begun;
            drop(rounds);
            let outcome = round(world, number);
            rounds = self.rounds.lock().unwrap();
            rounds.ended = number;
            rounds.failure = outcome.err().or(rounds.failure.take());
            self.over.notify_all();
        }
        let failure = rounds.failure.clone();
        drop(rounds);
        assert_eq!(failure, None, "an honest mirror suffered");
    }
}

/// One run of both.
fn round(world: &World, number: u64) -> Result<(), String> {
    let (upstream, far) = (world.git.repository_path("up.git"), world.git.repository_path("far.git"));
    let (upstream, far) = (Repository::open(&upstream), Repository::open(&far));
    let message = format!("round {number}");
    upstream.commit("main", &message);
    world.local(PUSH).commit("main", &message);
    let begun = Instant::now();
    for (direction, id) in [(Direction::Pull, PULL), (Direction::Push, PUSH)] {
        world.wait_for(&world.push_job(direction, id));
        let state = world.state(direction, id);
        let (from, to) =
            if direction == Direction::Pull { (&upstream, world.local(id)) } else { (&world.local(id), far.clone()) };
        if state["update_status"] != "finished" || from.mirrored_refs() != to.mirrored_refs() {
            return Err(format!("round {number}: {state}"));
        }
    }
    let took = begun.elapsed();
    if took > ORDINARY { Err(format!("round {number} took {took:?}")) } else { Ok(()) }
}
