//! Git over HTTP as hosts have it: TLS with private authorities, client certificates, proxies, redirects, servers that
//! are busy, and the many ways in which they say no. Real nginx, git http-backend, tinyproxy and OpenSSL.

#![cfg(test)]

#[path = "../rig/mod.rs"]
mod rig;

mod bodies;
mod certificates;
mod connections;
mod forge;
mod logins;
mod pauses;
mod proxies;
mod redirects;
mod world;
