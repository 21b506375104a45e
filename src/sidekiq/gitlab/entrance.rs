//! What is done before a job of GitLab's runs.

use super::cancellation;
use super::carried::Carried;
use super::outage;
use super::round_trip::{Place, RoundTrip, did};
use super::settings::Strategy;
use crate::sidekiq::engine::Engine;
use crate::sidekiq::outage::PAUSE;

/// Whether the job may run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    Open,
    /// Somebody has cancelled it.
    Cancelled,
    /// The process is about to stop.
    Stopping,
}

/// Notes that the job runs, lets the next one like it be queued if that is the time to, and sees whether it was
/// cancelled: in one round trip, tried again until Redis answers.
pub(super) async fn pass(engine: &Engine, carried: &Carried, slot: &str) -> Entrance {
    let mut trip = RoundTrip::default();
    let cancelled = trip.add(Place::SharedState, cancellation::question(carried));
    carried.execution.begin(engine, slot, &mut trip);
    if carried.strategy == Strategy::UntilExecuting {
        carried.delete_cookie(engine, &mut trip);
    }
    loop {
        match trip.send(engine).await {
            Ok(answers) if did(&answers[cancelled]) => return Entrance::Cancelled,
            Ok(_) => return Entrance::Open,
            Err(error) => {
                outage(engine, error.server()).failed("telling GitLab that a job begins", &error);
                // What a server refuses for good it will refuse again, and the job is not to blame.
                if !error.is_outage() {
                    return Entrance::Open;
                }
                if engine.hard_stop.is_cancelled() {
                    return Entrance::Stopping;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Carried {
    /// Lets the next job like this one be queued.
    pub(super) fn delete_cookie(&self, engine: &Engine, trip: &mut RoundTrip) {
        let Some(cookie) = &self.cookie else { return };
        let mut delete = redis::cmd("DEL");
        delete.arg(cookie.key());
        trip.add(Place::QueuesMetadata, delete);
        let mut delete = redis::cmd("DEL");
        delete.arg(engine.settings.keys.named(cookie.oldest()));
        trip.add(Place::Queues, delete);
    }
}
