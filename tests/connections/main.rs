//! Redis as fleets have it, and Redis in trouble: the real program against real servers in each of these states.

#![cfg(test)]

#[path = "../rig/mod.rs"]
mod rig;

mod demoted;
mod denials;
mod loading;
mod old_redis;
mod refusals;
mod sentinels;
mod server;
mod silence;
mod tls;
mod whereabouts;
mod work;
