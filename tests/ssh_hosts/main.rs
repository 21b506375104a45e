//! SSH and `git://` against real servers: OpenSSH's sshd, asyncssh, and git daemon.

#![cfg(test)]

mod asyncssh;
mod certificates;
mod git_daemon;
mod host_keys;
mod limits;
mod logins;
mod operator;
mod transfers;
mod world;

#[path = "../rig/mod.rs"]
mod rig;
