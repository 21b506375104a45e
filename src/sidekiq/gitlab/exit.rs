//! What is done after a job of GitLab's has run.

use super::carried::Carried;
use super::outage;
use super::reschedule;
use super::round_trip::{Place, RoundTrip, did};
use super::settings::Strategy;
use crate::sidekiq::engine::Engine;
use crate::sidekiq::job::Job;
use crate::sidekiq::observer::Outcome;
use crate::sidekiq::outage::PAUSE;
use crate::sidekiq::settle::Settlement;

/// Notes that the job no longer runs and, if it succeeded, that it is over; lets the next one like it be queued, or
/// queues it where one was dropped meanwhile. Tried again until Redis answers.
///
/// All this happens before the job leaves our working list: if we die in between, it runs again, and so does this.
pub(super) async fn pass(
    engine: &Engine,
    job: &Job,
    carried: &Carried,
    slot: &str,
    (settlement, outcome): (&Settlement, Outcome),
) {
    let mut trip = RoundTrip::default();
    carried.execution.end(engine, slot, &mut trip);
    if outcome == Outcome::Done && carried.status_expiration.is_some() {
        let mut delete = redis::cmd("DEL");
        delete.arg(status_key(engine, &carried.jid));
        trip.add(Place::QueuesMetadata, delete);
    }
    let mut signal = None;
    if matches!(carried.strategy, Strategy::UntilExecuted | Strategy::RescheduleOnce) && is_over(settlement) {
        carried.delete_cookie(engine, &mut trip);
        if carried.strategy == Strategy::RescheduleOnce
            && outcome == Outcome::Done
            && !carried.rescheduled_once
            && let Some(cookie) = &carried.cookie
        {
            let mut delete = redis::cmd("DEL");
            delete.arg(cookie.signal());
            signal = Some(trip.add(Place::QueuesMetadata, delete));
        }
    }
    let mut uncertain = false;
    let dropped = loop {
        match trip.send(engine).await {
            Ok(answers) => break signal.is_some_and(|signal| uncertain || did(&answers[signal])),
            Err(error) => {
                outage(engine, error.server()).failed("telling GitLab that a job has ended", &error);
                // What a server refuses for good it will refuse again, and the job is not to blame.
                if !error.is_outage() {
                    break false;
                }
                // The signal may be deleted already, and one run too many is better than one too few.
                uncertain = true;
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    if dropped {
        reschedule::again(engine, job, carried).await;
    }
}

/// Whether the job will not come back by itself, or only as a retry of its own making.
fn is_over(settlement: &Settlement) -> bool {
    !matches!(settlement, Settlement::Next | Settlement::Last | Settlement::Later(..))
}

/// What says to Rails that a job waits or runs.
pub(super) fn status_key(engine: &Engine, jid: &str) -> String {
    engine.settings.keys.named(&format!("gitlab-sidekiq-status:{jid}"))
}
