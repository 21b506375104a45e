//! What GitLab's own Sidekiq processes do around a job, beside running it.
//!
//! GitLab's Rails side waits for these deeds: a status key that is not deleted makes a job look like running for
//! hours, a duplicate cookie that is not deleted makes every further push of the same job vanish without a word.
//! What there is to do is written in the payload ([`carried`]); a job that carries nothing of GitLab's costs no round
//! trip, any other two at most, one before it runs and one after ([`entrance`], [`exit`]).

mod cancellation;
mod carried;
mod compression;
mod context;
mod cookie;
mod entrance;
mod executing;
mod exit;
mod reschedule;
mod round_trip;
mod settings;

use carried::Carried;
pub(super) use compression::{inflated, is_compressed};
pub(super) use context::{inherit, record};
use entrance::Entrance;
pub(super) use executing::forget_all;
pub use settings::{GitLabSettings, Strategy, Switch};

use super::clock;
use super::engine::Engine;
use super::job::{Job, JobFailure};
use super::observer::Outcome;
use super::settle::Settlement;
use super::settle::retry::{self, Wish};

/// Does what GitLab's processes do before and after a job around `run`, the work of a class that is ours, in `slot`.
pub(super) async fn around(
    engine: &Engine,
    job: &Job,
    slot: &str,
    run: impl Future<Output = (Settlement, Outcome)>,
) -> (Settlement, Outcome) {
    let Some(carried) = Carried::by(job, &engine.settings.gitlab) else { return run.await };
    if let Err(failure) = carried.check_version() {
        return (failed(engine, job, &failure), Outcome::Failed);
    }
    match entrance::pass(engine, &carried, slot).await {
        Entrance::Open => {}
        Entrance::Cancelled => cancellation::obey(job),
        Entrance::Stopping => return (Settlement::Next, Outcome::Returned),
    }
    let (settlement, outcome) = cancellation::heeding(engine, job, &carried, run).await;
    exit::pass(engine, job, &carried, slot, (&settlement, outcome)).await;
    (settlement, outcome)
}

fn failed(engine: &Engine, job: &Job, failure: &JobFailure) -> Settlement {
    tracing::warn!("{failure}");
    retry::after_failure(job.payload(), job.queue(), failure, Wish::None, &engine.settings, clock::now())
}
