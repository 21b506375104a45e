//! SSH, `git://` and `file://` against real servers: OpenSSH's sshd, asyncssh, git daemon, and git's own programs.

#![cfg(test)]

mod asyncssh;
mod certificates;
mod conformance;
mod folders;
mod git_daemon;
mod host_keys;
mod limits;
mod logins;
mod operator;
mod sshd;
mod transfers;
mod world;

#[path = "../http_hosts/host.rs"]
#[allow(dead_code, reason = "its own tests use more of it")]
mod host;
#[path = "../rig/mod.rs"]
mod rig;
