//! A process of ours against a real Redis and, where it matters, a real Ruby Sidekiq.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test whose servers do not start fails")]

mod answers;
mod capsules;
mod client;
mod death;
mod foreign;
mod gitlab;
mod life;
mod lost_reply;
mod namespace;
mod outage;
mod paused;
mod poller;
mod queue_names;
mod redis_server;
mod rescue;
mod roots;
mod ruby;
mod rules;
mod shutdown;
mod slots;
mod throughput;
mod worker;
