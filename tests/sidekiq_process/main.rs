//! A process of ours against a real Redis and, where it matters, a real Ruby Sidekiq.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test whose servers do not start fails")]

mod client;
mod death;
mod foreign;
mod life;
mod lost_reply;
mod outage;
mod poller;
mod redis_server;
mod rescue;
mod ruby;
mod shutdown;
mod throughput;
mod worker;
