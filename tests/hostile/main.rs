//! Far sides written to do harm: none may take time, memory or objects beyond the limits, and none may keep the worker
//! or another mirror from its work.
//!
//! Many cases wait for a limit to pass, so more run at a time than there are processors.

#![cfg(test)]

mod case;
mod daemons;
mod engine;
mod http;
mod intact;
mod listings;
mod memory;
mod neighbours;
mod objects;
mod packs;
mod pushes;
mod server;
mod silence;
mod statuses;
mod transfers;
mod trial;
mod wire;
mod world;

#[path = "../rig/mod.rs"]
mod rig;

use std::sync::{Arc, LazyLock};

use libtest_mimic::{Arguments, Trial};

use case::Case;
use engine::Engine;
use world::World;

/// More would wait for processors, and not for limits.
const AT_ONCE: usize = 24;

fn main() {
    let mut trials = Vec::new();
    for engine in Engine::ALL {
        // One worker for all, started by the first that needs it.
        let world = Arc::new(LazyLock::new(move || World::start(engine)));
        let crowd = [
            ("silence", silence::cases as fn() -> Vec<Case>),
            ("statuses", statuses::cases),
            ("listings", listings::cases),
            ("transfers", transfers::cases),
            ("objects", objects::cases),
            ("pushes", pushes::cases),
            ("daemons", daemons::cases),
        ];
        for (subject, case) in
            crowd.into_iter().flat_map(|(subject, cases)| cases().into_iter().map(move |case| (subject, case)))
        {
            let world = world.clone();
            trials.push(Trial::test(format!("{engine}::{subject}::{}", case.name), move || {
                trial::run(&world, &case);
                Ok(())
            }));
        }
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    libtest_mimic::run(&arguments, trials).exit();
}
