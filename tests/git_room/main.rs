//! The git and net rooms against real servers: nginx, fcgiwrap and git http-backend with Basic auth. What is about an
//! engine runs on both of them, with the same expectations.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first thing that is not as it must be")]

mod both;
mod engines;
mod failures;
mod fetching;
mod figures;
mod local_refs;
mod probing;
mod pushing;
mod server;
mod uploading;
mod world;
