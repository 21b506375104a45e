//! What a run may take, how hosts are spared, and how soon a run that is cancelled ends: the real worker against real
//! servers, and against one that means harm.

#![cfg(test)]

mod bombs;
mod budgets;
mod cancelling;
mod children;
mod far_side;
mod hosts;
mod nodes;

#[allow(dead_code, reason = "the tests of hostile far sides use more of it")]
#[path = "../hostile/packs.rs"]
mod packs;

#[path = "../mirroring/world.rs"]
mod world;

#[path = "../rig/mod.rs"]
mod rig;
