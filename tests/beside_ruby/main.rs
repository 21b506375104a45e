//! Beside the Ruby Sidekiqs of three generations: which of them is there, and what its pages show of us.

#![cfg(test)]

mod cron_tab;
mod detection;
mod execution_metrics;
mod pushing;

#[path = "../rig/mod.rs"]
mod rig;
