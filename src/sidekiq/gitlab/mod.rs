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

use super::engine::Engine;
use super::job::Job;
use super::observer::Outcome;
use super::outage::Outage;
use super::processor;
use super::settle::Settlement;
use super::settle::retry::Wish;
use crate::connections::Redises;

/// The outage of this server: of Sidekiq's Redis, or of one of the others that is apart.
fn outage<'e>(engine: &'e Engine, server: &str) -> &'e Outage {
    let Redises { queues, queues_metadata, .. } = &engine.gitlab;
    match server {
        server if *server == *queues.server() => &engine.outage,
        server if *server == *queues_metadata.server() => &engine.outage_of_metadata,
        _ => &engine.outage_of_shared_state,
    }
}

/// A server has answered. Sidekiq's own is judged by those who write there all the time.
fn answered(engine: &Engine, server: &str) {
    if *server != *engine.redis.server() {
        outage(engine, server).worked();
    }
}

/// Does what GitLab's processes do before and after a job around `run`, the work of a class that is ours, in `slot`.
pub(super) async fn around(
    engine: &Engine,
    job: &Job,
    slot: &str,
    run: impl Future<Output = (Settlement, Outcome)>,
) -> (Settlement, Outcome) {
    let Some(carried) = Carried::by(job, &engine.settings.gitlab) else { return run.await };
    match entrance::pass(engine, &carried, slot).await {
        Entrance::Open => {}
        Entrance::Cancelled => cancellation::obey(job),
        Entrance::Stopping => return (Settlement::Next, Outcome::Returned),
    }
    let (settlement, outcome) = match carried.check_version() {
        Ok(()) => cancellation::heeding(engine, job, &carried, run).await,
        Err(failure) => (processor::failed(engine, job, &failure, Wish::None), Outcome::Failed),
    };
    exit::pass(engine, job, &carried, slot, (&settlement, outcome)).await;
    (settlement, outcome)
}
