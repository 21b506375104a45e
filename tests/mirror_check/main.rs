//! `sidemirror mirror check`: the real command against real servers. Each check of these tests is also looked at for
//! what it must not do: change anything, anywhere.

#![cfg(test)]

#[path = "../rig/mod.rs"]
mod rig;

mod other_ways;
mod over_http;
mod over_ssh;
mod scene;
mod standing;
