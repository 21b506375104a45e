//! SSH, `git://` and `file://` against real servers: OpenSSH's sshd, asyncssh, git daemon, and git's own programs.

#![cfg(test)]

mod certificates;
mod conformance;
mod folders;
mod git_daemon;
mod host_keys;
mod limits;
mod logins;
mod operator;
mod transfers;
mod world;

#[path = "../rig/mod.rs"]
mod rig;
