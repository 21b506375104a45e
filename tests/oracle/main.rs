//! Ruby's own Sidekiq as the oracle: it pushes what we run, runs what we leave to it, shows what we do, and judges what
//! we write.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test whose servers do not start fails")]

mod busy_page;
mod changes;
mod cron_tab;
mod detection;
mod execution_metrics;
mod handover;
mod killed;
mod mixed_jobs;
mod odd_payloads;
mod older_gitlab;
mod our_commands;
mod ruby_api;
mod ruby_pushes;
mod shared_queue;
mod untouched;
mod verdicts;
mod we_push;

#[path = "../rig/mod.rs"]
mod rig;

use ::redis::{Commands as _, Connection};

use rig::installation::Installation;
use rig::redis::Redis;
use rig::ruby::Ruby;

/// An installation beside the oldest Sidekiq.
fn beside_ruby(redis: &Redis) -> Installation {
    beside(Ruby::Bookworm, redis)
}

/// An installation beside the Sidekiq of a Ruby whose jobs all come from the test: it schedules none itself, and what
/// lies in `retry` stays there. A job that nobody serves is given up at once.
fn beside(ruby: Ruby, redis: &Redis) -> Installation {
    Installation::new(&redis.url())
        .mirror("sidekiq", ruby.profile())
        .mirror("scheduler", false)
        .mirror("poller", false)
        .mirror("foreign_grace", "0s")
}

/// Whether nothing of a queue is left to be done: no job waits in it, and we have none in hand. One that is drawn at
/// the moment of TERM goes back, so an empty queue alone does not tell.
fn is_settled(connection: &mut Connection, queue: &str) -> bool {
    // In this order: a job goes from the queue into a working list.
    connection.llen::<_, u64>(queue).unwrap() == 0 && connection.keys::<_, Vec<String>>("working:*").unwrap().is_empty()
}
