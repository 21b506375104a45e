//! A job that is pushed once more, since another like it was dropped while it ran.

use super::carried::Carried;
use super::context::CALLER;
use super::exit::status_key;
use super::outage;
use super::round_trip::{Place, RoundTrip};
use crate::sidekiq::client;
use crate::sidekiq::clock;
use crate::sidekiq::engine::Engine;
use crate::sidekiq::job::Job;
use crate::sidekiq::outage::PAUSE;

/// What belongs to the run that is over: its failures, its detours and its place in the databases.
const SPENT: [&str; 16] = [
    "retry_count",
    "failed_at",
    "retried_at",
    "error_message",
    "error_class",
    "error_backtrace",
    "idempotency_key",
    "interrupted_count",
    "concurrency_limit_resume",
    "concurrency_limit_buffered_at",
    "deferred",
    "deferred_by",
    "deferred_count",
    "wal_locations",
    "wal_location_sources",
    "dedup_wal_locations",
];

/// Pushes the job with a new id and otherwise as it came, with itself as the caller; `rescheduled_once` says that it is
/// not to happen again.
pub(super) async fn again(engine: &Engine, job: &Job, carried: &Carried) {
    let jid = client::new_jid();
    let now = engine.settings.profile.timestamp(clock::now());
    let mut edit = job.payload().edit();
    for field in SPENT {
        edit = edit.remove(field);
    }
    if job.payload().raw(CALLER).is_some() {
        edit = edit.set(CALLER, job.class());
    }
    let text = edit
        .set("queue", job.queue())
        .set("jid", jid.as_str())
        .set("created_at", now.clone())
        .set("enqueued_at", now)
        .set("rescheduled_once", true)
        .finish();

    let keys = &engine.settings.keys;
    let mut trip = RoundTrip::default();
    let mut command = redis::cmd("SADD");
    command.arg(keys.queues()).arg(job.queue());
    trip.add(Place::Queues, command);
    let mut command = redis::cmd("LPUSH");
    command.arg(keys.queue(job.queue())).arg(&text[..]);
    trip.add(Place::Queues, command);
    if let Some(expiration) = carried.status_expiration {
        let mut command = redis::cmd("SET");
        command.arg(status_key(engine, &jid)).arg(1).arg("EX").arg(expiration.max(1));
        trip.add(Place::QueuesMetadata, command);
    }
    while let Err(error) = trip.send(engine).await {
        outage(engine, error.server()).failed("queueing a job once more", &error);
        if !error.is_outage() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::info!(again = jid, "another job like this one was dropped while it ran: queued once more");
}
