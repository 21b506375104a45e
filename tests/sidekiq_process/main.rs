//! A process of ours against a real Redis and, where it matters, a real Ruby Sidekiq.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test whose servers do not start fails")]

mod answers;
mod death;
mod foreign;
mod life;
mod lost_reply;
mod outage;
mod poller;
mod rails;
mod redis_server;
mod rescue;
mod roots;
mod ruby;
mod rules;
mod shutdown;
mod throughput;
mod worker;
