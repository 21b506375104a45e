//! The secrets of mirrors: how they come in, how they are kept, under which key, and that nothing tells them.

#![cfg(test)]

mod forms;
mod key_sources;
mod rotation;
mod settings_of_a_run;
mod store;
mod tampering;
mod vault;

#[path = "../rig/mod.rs"]
mod rig;
#[path = "../mirroring/world.rs"]
#[allow(dead_code, reason = "this crate needs a part of it")]
mod world;
