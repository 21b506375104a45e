//! Canaries: unusual secrets go in, and everything that the program shows, writes or starts is searched for them.

#![cfg(test)]

mod everywhere;
mod places;
mod search;
mod spellings;
mod transports;
mod watcher;

#[path = "../rig/mod.rs"]
mod rig;
#[path = "../mirroring/world.rs"]
#[allow(dead_code, reason = "this crate needs a part of it")]
mod world;

#[path = "../ssh_hosts/asyncssh.rs"]
#[allow(dead_code, reason = "this crate needs a part of it")]
mod asyncssh;
#[path = "../http_hosts/host.rs"]
#[allow(dead_code, reason = "this crate needs a part of it")]
mod host;
#[path = "../ssh_hosts/sshd.rs"]
#[allow(dead_code, reason = "this crate needs a part of it")]
mod sshd;
#[path = "../http_hosts/tinyproxy.rs"]
#[allow(dead_code, reason = "this crate needs a part of it")]
mod tinyproxy;
