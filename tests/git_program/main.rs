//! The `git` program as an engine, behind its gate, against real servers.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as it must be")]

#[path = "../rig/mod.rs"]
mod rig;

mod children;
mod fetching;
mod limits;
mod lines;
mod objects;
mod pushing;
mod traps;
mod world;
