//! A process of ours against a real Redis and, where it matters, a real Ruby Sidekiq.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test whose servers do not start fails")]

mod answers;
mod busy;
mod capsules;
mod client;
mod death;
mod finished;
mod foreign;
mod gitlab;
mod lease;
mod life;
mod loss;
mod lost_reply;
mod namespace;
mod orders;
mod outage;
mod paused;
mod poller;
mod quarantine;
mod queue_names;
mod rails;
mod redis_server;
mod refused;
mod rescue;
mod round_trip;
mod ruby;
mod ruby_json;
mod rules;
mod samples;
mod shutdown;
mod slots;
mod spellings;
mod throughput;
mod worker;

#[path = "../rig/mod.rs"]
mod rig;
#[path = "../../src/sidekiq/job/ruby_texts.rs"]
mod ruby_texts;
#[path = "../oracle/untouched.rs"]
mod untouched;
