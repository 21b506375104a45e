//! One slot at work: run a job, settle it, take the next, until there is none.

mod decision;
mod log;

use std::sync::Arc;
use std::time::Instant;

use tracing::Instrument as _;

use self::decision::decide;
pub(super) use self::decision::failed;
#[cfg(test)]
pub(super) use self::decision::put_off;
pub(super) use self::log::brief;
use super::engine::Engine;
use super::fetch;
use super::fetch::capsule::Serving;
use super::fetch::hands::{Fetched, Slot};
use super::gitlab;
use super::job::Job;
use super::job::payload::{Malformed, Payload};
use super::job::perform::Perform;
use super::observer::{JobReport, Outcome};
use super::orders;
use super::outage::PAUSE;
use super::rescue::lease::OVERDUE;
use super::rescue::loss;
use super::settle::{Settlement, dead};

/// Works with this slot of a capsule, beginning with this job.
pub(super) async fn work(engine: Arc<Engine>, capsule: Arc<Serving>, slot: Slot, first: Fetched) {
    let mut next = Some(first);
    while let Some(fetched) = next {
        slot.hold(fetched.clone());
        let turn = Turn { engine: &engine, capsule: &capsule, slot: &slot, fetched: &fetched };
        if !turn.may_begin() {
            turn.settle_at_last(&Settlement::Next).await;
            break;
        }
        next = turn.take().await;
    }
    slot.let_go();
}

/// A job in a slot, from its text to its settlement.
struct Turn<'a> {
    engine: &'a Engine,
    capsule: &'a Serving,
    slot: &'a Slot,
    fetched: &'a Fetched,
}

impl Turn<'_> {
    /// Whether the job is still to be begun. It may have been drawn while we were asked to draw no more; or we were
    /// stopped for so long, while it was on its way to us, that others may have taken us for dead.
    fn may_begin(&self) -> bool {
        let (engine, Fetched { queue, asked, .. }) = (self.engine, self.fetched);
        !engine.quiet.is_cancelled() && !engine.orders.hold(queue) && asked.elapsed() < OVERDUE
    }

    /// Runs the job and sees it out of the working list. Gives the next, if one was drawn on the way.
    async fn take(&self) -> Option<Fetched> {
        let engine = self.engine;
        let payload = match Payload::parse(self.fetched.bytes.clone()) {
            Ok(payload) => payload,
            Err(malformed) => return self.bury(malformed).await,
        };
        let job = Job::new(payload, &self.fetched.queue, &engine.hard_stop);
        self.slot.runs(Arc::clone(job.execution()));
        let work = engine.work_behind(job.class(), job.payload());
        let span = log::span(&job, work.and_then(|work| work.subject(&job)).as_deref());
        if engine.settings.gitlab.enabled != gitlab::Switch::Off {
            gitlab::record(&span, job.payload());
        }
        self.run(&job, work.map(AsRef::as_ref)).instrument(span).await
    }

    /// What is no job at all goes to the dead set.
    async fn bury(&self, malformed: Malformed) -> Option<Fetched> {
        let (fetched, began) = (self.fetched, Instant::now());
        tracing::warn!(queue = %fetched.queue, "{malformed}: moved to the dead set");
        let buried = Settlement::Dead(dead::legible(&fetched.bytes));
        let (outcome, next) = self.conclude(buried, Outcome::Malformed).await;
        let duration = began.elapsed();
        let report = JobReport { class: "", queue: &fetched.queue, jid: "", outcome, duration, latency: None };
        self.engine.observer.job_finished(&report);
        next
    }

    /// Runs a job if its class is ours (`work`), settles it, and tells how it ended.
    async fn run(&self, job: &Job, work: Option<&dyn Perform>) -> Option<Fetched> {
        let (engine, began, latency) = (self.engine, Instant::now(), job.latency());
        let (settlement, outcome) = decide(engine, self.slot, self.fetched, job, work).await;
        let ran = began.elapsed();
        let (outcome, next) = self.conclude(settlement, outcome).await;
        match (work, outcome) {
            (Some(_), Outcome::Done) => engine.execution_metrics.count(job.payload(), Some(ran)),
            (Some(_), Outcome::Failed) => engine.execution_metrics.count(job.payload(), None),
            _ => {}
        }
        if job.is_called_off() && matches!(outcome, Outcome::Cancelled | Outcome::Done) {
            orders::obeyed(engine, job).await;
        }
        let duration = began.elapsed();
        if !matches!(outcome, Outcome::Foreign | Outcome::Held) {
            let elapsed = (duration.as_secs_f64() * 1000.0).round() / 1000.0;
            tracing::info!(outcome = outcome.as_str(), elapsed, "end");
        }
        let (class, jid) = (job.class(), job.jid());
        engine.observer.job_finished(&JobReport { class, queue: job.queue(), jid, outcome, duration, latency });
        next
    }

    /// Settles the job, however long Redis is away, and counts it. Gives the outcome as it turned out, and the next job.
    async fn conclude(&self, settlement: Settlement, outcome: Outcome) -> (Outcome, Option<Fetched>) {
        let engine = self.engine;
        let (lay_there, next) = if let Settlement::Over = settlement {
            self.acknowledge().await
        } else {
            let lay_there = self.settle_at_last(&settlement).await;
            self.slot.let_go();
            (lay_there, fetch::draw_next(engine, self.capsule).await)
        };
        let outcome = match outcome {
            Outcome::Foreign | Outcome::Malformed | Outcome::Repeated | Outcome::Returned | Outcome::Interrupted => {
                outcome
            }
            _ if !lay_there && engine.hard_stop.is_cancelled() => Outcome::Returned,
            _ if !lay_there => Outcome::Interrupted,
            outcome => outcome,
        };
        match outcome {
            Outcome::Done => engine.stats.count(false),
            Outcome::Failed | Outcome::Cancelled => engine.stats.count(true),
            _ => {}
        }
        (outcome, next)
    }

    /// Takes a job that is over out of our list, and draws the next with it. Tells whether it lay there.
    async fn acknowledge(&self) -> (bool, Option<Fetched>) {
        let (engine, fetched) = (self.engine, self.fetched);
        let settled = || self.slot.let_go();
        match fetch::acknowledge_and_draw(engine, self.capsule, fetched, settled).await {
            Ok((true, next)) => (true, next),
            Ok((false, next)) => {
                // It may have come back to us with this very draw; then that is what is acknowledged now.
                let others = next.filter(|next| next.bytes != fetched.bytes || next.queue != fetched.queue);
                (self.settle_at_last(&Settlement::Over).await, others)
            }
            Err(error) => {
                fetch::lost(engine, &error);
                // The job may be acknowledged already; then finding it gone means nothing.
                (self.settle_at_last(&Settlement::Over).await || !error.is_refusal(), None)
            }
        }
    }

    /// Settles the job, trying every second until Redis answers. `false` if it certainly lay in our list no longer.
    async fn settle_at_last(&self, settlement: &Settlement) -> bool {
        let (engine, fetched) = (self.engine, self.fetched);
        let (mut uncertain, mut is_known) = (false, false);
        loop {
            let looked = match engine.settle(fetched, settlement).await {
                Ok(true) => {
                    engine.finished.take(&fetched.bytes);
                    return true;
                }
                Ok(false) if is_known => return uncertain,
                // Perhaps it is not there because nothing is there any more; then it is written back now.
                Ok(false) => loss::look(engine).await,
                Err(error) => {
                    uncertain |= !error.is_refusal();
                    Err(error)
                }
            };
            if matches!(settlement, Settlement::Over) {
                engine.finished.remember(&fetched.bytes);
            }
            is_known = looked.is_ok();
            if let Err(error) = looked {
                engine.outage.failed("settling a job", &error);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
