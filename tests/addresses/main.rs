//! Where a mirror may go: how addresses are written, what is behind names, and the rules that let places pass.

#![cfg(test)]

#[path = "../rig/mod.rs"]
mod rig;

mod canary;
mod dns;
mod engines;
mod names;
mod proxies;
mod redirects;
mod rules;
mod spellings;
mod urls;
mod worker;
mod world;
