//! Far sides written to do harm: none may take time, memory or objects beyond the limits, and none may keep the worker
//! or another mirror from its work.
//!
//! Many cases wait for a limit to pass, so more run at a time than there are processors.

#![cfg(test)]

mod bombs;
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
mod ssh;
mod statuses;
mod tls;
mod transfers;
mod trial;
mod wire;
mod world;

#[path = "../rig/mod.rs"]
mod rig;

use std::sync::{Arc, LazyLock, Mutex};

use libtest_mimic::{Arguments, Trial};

use case::Case;
use engine::Engine;
use memory::Peak;
use rig::certificates::Ca;
use world::World;

type Cases = fn() -> Vec<Case>;

/// Cases that need no worker of their own.
const CROWD: [(&str, Cases); 8] = [
    ("silence", silence::cases),
    ("statuses", statuses::cases),
    ("listings", listings::cases),
    ("transfers", transfers::cases),
    ("objects", objects::cases),
    ("pushes", pushes::cases),
    ("daemons", daemons::cases),
    ("ssh", ssh::cases),
];

/// More would wait for processors, and not for limits.
const AT_ONCE: usize = 16;

/// What a worker may take, and all of its children at one time, in MiB.
const MOST_MEMORY: Peak = Peak { worker: 200, children: 600 };

fn main() {
    let measured = Arc::<Mutex<Vec<String>>>::default();
    let (ca, mut trials) = (Ca::new(), Vec::new());
    for engine in Engine::ALL {
        for case in bombs::cases() {
            let measured = measured.clone();
            trials.push(Trial::test(format!("{engine}::bombs::{}", case.name), move || {
                let world = World::start(engine);
                trial::run(&world, &case);
                let peak = world.peak();
                let line =
                    format!("{engine}: {}: worker {} MiB, children {} MiB", case.name, peak.worker, peak.children);
                measured.lock().unwrap().push(line);
                assert!(peak.worker <= MOST_MEMORY.worker && peak.children <= MOST_MEMORY.children, "{peak:?}");
                Ok(())
            }));
        }
        // One worker for all of these, started by the first.
        let world = Arc::new(LazyLock::new(move || World::start(engine)));
        let crowd = CROWD.into_iter().map(|(subject, cases)| (subject, cases()));
        for (subject, cases) in crowd.chain([("tls", tls::cases(&ca))]) {
            trials.extend(cases.into_iter().map(|case| {
                let world = world.clone();
                Trial::test(format!("{engine}::{subject}::{}", case.name), move || {
                    trial::run(&world, &case);
                    Ok(())
                })
            }));
        }
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let conclusion = libtest_mimic::run(&arguments, trials);
    println!("{}", measured.lock().unwrap().join("\n"));
    // Not done by an exit.
    drop(ca);
    conclusion.exit();
}
