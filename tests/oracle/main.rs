//! Ruby's own Sidekiq as the oracle: it pushes what we run, runs what we leave to it, and judges what we write.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test whose servers do not start fails")]

mod busy_page;
mod handover;
mod mixed_jobs;
mod odd_payloads;
mod older_gitlab;
mod ruby_api;
mod shared_queue;
mod untouched;
mod verdicts;

#[path = "../rig/mod.rs"]
mod rig;

use rig::installation::Installation;
use rig::redis::Redis;

/// An installation beside a Ruby Sidekiq 6.4 whose jobs all come from the test: it schedules none itself, and what
/// lies in `retry` stays there. A job that nobody serves is given up at once.
fn beside_ruby(redis: &Redis) -> Installation {
    Installation::new(&redis.url())
        .mirror("sidekiq", "6.4")
        .mirror("scheduler", false)
        .mirror("poller", false)
        .mirror("foreign_grace", "0s")
}
