//! What becomes of a job: run, if it is ours and nobody wants it otherwise, and settled by how that ended.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use super::log::brief;
use crate::sidekiq::clock;
use crate::sidekiq::engine::Engine;
use crate::sidekiq::fetch::hands::{Fetched, Slot};
use crate::sidekiq::gitlab;
use crate::sidekiq::job::beyond_us::BeyondUs;
use crate::sidekiq::job::perform::Perform;
use crate::sidekiq::job::{Job, JobFailure, NotDone};
use crate::sidekiq::observer::Outcome;
use crate::sidekiq::orders::{self, cancel};
use crate::sidekiq::outage::PAUSE;
use crate::sidekiq::settle::Settlement;
use crate::sidekiq::settle::retry::{self, Wish};

/// Does with the job what is to be done, and decides where it goes then.
pub(super) async fn decide(
    engine: &Engine,
    slot: &Slot,
    fetched: &Fetched,
    job: &Job,
    work: Option<&dyn Perform>,
) -> (Settlement, Outcome) {
    if engine.finished.take(&fetched.bytes) {
        tracing::warn!("this job was done here before and only now can be acknowledged: it is not run again");
        return (Settlement::Over, Outcome::Repeated);
    }
    let Some(work) = work else { return foreign(engine, fetched, job).await };
    if engine.orders.is_off(job.class()) && !orders::is_called_off(engine, job).await {
        return (put_off(job, clock::now() + orders::LOOK_AGAIN.as_secs_f64()), Outcome::Held);
    }
    gitlab::around(engine, job, &slot.name(), perform(engine, work, job)).await
}

/// Does the work of a class that is ours.
async fn perform(engine: &Engine, work: &dyn Perform, job: &Job) -> (Settlement, Outcome) {
    if job.is_called_off() || orders::is_called_off(engine, job).await {
        work.abandoned(job, cancel::Cancellations::REASON).await;
        return (cancel::end(engine, job), Outcome::Cancelled);
    }
    job.execution().expect(work.expected(job));
    tracing::info!("start");
    let result = AssertUnwindSafe(work.perform(job)).catch_unwind().await;
    match result.unwrap_or_else(|panic| Err(panicked(&*panic).into())) {
        Ok(()) => (Settlement::Over, Outcome::Done),
        Err(_) if job.is_called_off() => (cancel::end(engine, job), Outcome::Cancelled),
        Err(NotDone::Interrupted) => (Settlement::Next, Outcome::Returned),
        Err(_) if engine.hard_stop.is_cancelled() => (Settlement::Next, Outcome::Returned),
        Err(NotDone::Later(wait)) => (put_off(job, clock::now() + wait.as_secs_f64()), Outcome::PutOff),
        Err(NotDone::Failed(failure)) => (failed(engine, job, &failure, Wish::None), Outcome::Failed),
        Err(NotDone::Again(failure, wait)) => (failed(engine, job, &failure, Wish::After(wait)), Outcome::Failed),
        Err(NotDone::Kill(failure)) => (failed(engine, job, &failure, Wish::Death), Outcome::Failed),
        Err(NotDone::Discard(failure)) => (failed(engine, job, &failure, Wish::Discard), Outcome::Failed),
    }
}

/// A job that is put off comes back to the queue it was fetched from, whatever it says itself.
pub(in crate::sidekiq) fn put_off(job: &Job, due: f64) -> Settlement {
    let payload = job.payload();
    let text = if payload.get::<String>("queue").as_deref() == Some(job.queue()) {
        payload.as_bytes().clone()
    } else {
        payload.edit().set("queue", job.queue()).finish()
    };
    Settlement::Later(text, due)
}

/// Decides about a job that is not ours to run: of a class that we do not serve, or of one that we do, with demands that
/// are beyond us.
async fn foreign(engine: &Engine, fetched: &Fetched, job: &Job) -> (Settlement, Outcome) {
    let beyond_us = engine.registry.find(job.class()).and_then(|_| BeyondUs::of(job.payload()));
    loop {
        match engine.foreign.is_served(&fetched.queue).await {
            Ok(true) => {
                engine.foreign.came_from(&fetched.queue, &brief(job.class()), beyond_us);
                return (Settlement::Last, Outcome::Foreign);
            }
            Ok(false) => {
                let failure = match beyond_us {
                    Some(why) => JobFailure::new("Sidemirror::BeyondUs", format!("Not run: {}.", why.reason())),
                    None => JobFailure::new("NameError", format!("uninitialized constant {}", job.class())),
                };
                let settlement = failed(engine, job, &failure, Wish::None);
                if matches!(settlement, Settlement::Over) {
                    tracing::warn!("nobody serves it, and it is not to be retried: it is gone, as it would be in Ruby");
                }
                return (settlement, Outcome::Failed);
            }
            Err(_) if engine.hard_stop.is_cancelled() => return (Settlement::Next, Outcome::Returned),
            Err(error) => {
                engine.outage.failed("looking for other processes", &error);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Decides about a job that failed.
pub(in crate::sidekiq) fn failed(engine: &Engine, job: &Job, failure: &JobFailure, wish: Wish) -> Settlement {
    tracing::warn!("{}", brief(&failure.to_string()));
    retry::after_failure(job.payload(), job.queue(), failure, wish, &engine.settings, clock::now())
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> JobFailure {
    let message = panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    JobFailure::new("Panic", message)
}
