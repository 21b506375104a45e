//! SSH and `git://` against real servers: OpenSSH's sshd, asyncssh, and git daemon.

#![cfg(test)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first thing that is not as it must be")]

mod asyncssh;
mod certificates;
mod git_daemon;
mod host_keys;
mod limits;
mod logins;
mod operator;
mod sshd;
mod transfers;
mod world;

#[path = "../rig/mod.rs"]
mod rig;
