//! What mirroring means, ref by ref: the real worker, jobs in a real Redis, and git http-backend behind Basic
//! authentication on the other side.

#![cfg(test)]

mod divergence;
mod engines;
mod every_message;
mod failures;
mod heads;
mod hierarchy;
mod histories;
mod hooks;
mod jobs;
mod messages;
mod probing;
mod pull_table;
mod push_memory;
mod push_table;
mod retries;
mod sizes;
mod world;

#[path = "../rig/mod.rs"]
mod rig;
