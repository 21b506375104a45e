//! The real programs the tests run against: Redis, git over HTTP, Ruby's Sidekiq, and sidemirror itself.
//!
//! Everything listens on a free loopback port, lives in a temporary folder and ends with the value that stands for
//! it. A test crate takes the rig in with `#[path = "../rig/mod.rs"] mod rig;` (or `"rig/mod.rs"` from a file that
//! lies in `tests/` itself). When a test fails, the last lines of each server's log are printed with the failure.
#![cfg(test)]
#![allow(dead_code, reason = "each test crate compiles the whole rig and uses the part that it needs")]
#![allow(unreachable_pub, reason = "`pub` marks what tests may use; a test crate itself has no public interface")]

pub mod asyncssh;
pub mod certificates;
pub mod git_daemon;
pub mod git_http;
pub mod host;
pub mod installation;
pub mod port;
pub mod process;
pub mod proxy;
pub mod redis;
pub mod repository;
pub mod ruby;
pub mod silent;
pub mod sshd;
pub mod store;
pub mod tinyproxy;
pub mod wait;
pub mod worker;
