//! Canaries: unusual secrets go in, and everything that the program shows, writes or starts is searched for them.

#![cfg(test)]

mod everywhere;
mod places;
mod search;
mod spellings;
mod transports;
mod watcher;

#[path = "../rig/mod.rs"]
mod rig;
#[path = "../mirroring/world.rs"]
#[allow(dead_code, reason = "this crate needs a part of it")]
mod world;
