//! One slot at work: run a job, settle it, take the next, until there is none.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;

use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use super::clock;
use super::engine::Engine;
use super::fetch;
use super::fetch::capsule::Serving;
use super::fetch::hands::{Fetched, Slot};
use super::gitlab;
use super::job::payload::Payload;
use super::job::perform::Perform;
use super::job::{Job, JobFailure, NotDone};
use super::observer::{JobReport, Outcome};
use super::orders;
use super::orders::cancel::{self, Cancellations};
use super::outage::PAUSE;
use super::rescue::loss;
use super::settle::Settlement;
use super::settle::dead;
use super::settle::retry::{self, Wish};

/// Works with this slot of a capsule, beginning with this job.
pub(super) async fn work(engine: Arc<Engine>, capsule: Arc<Serving>, slot: Slot, first: Fetched) {
    let mut next = Some(first);
    while let Some(fetched) = next {
        slot.hold(fetched.clone());
        if engine.quiet.is_cancelled() || engine.orders.hold(&fetched.queue) {
            // It was drawn while we were asked to draw no more.
            settle_at_last(&engine, &fetched, &Settlement::Next).await;
            break;
        }
        next = run(&engine, &capsule, &slot, &fetched).await;
    }
    slot.let_go();
}

/// Runs one job and sees it out of the working list. Gives the next, if one was drawn on the way.
async fn run(engine: &Engine, capsule: &Serving, slot: &Slot, fetched: &Fetched) -> Option<Fetched> {
    let started = Instant::now();
    let payload = match Payload::parse(fetched.bytes.clone()) {
        Ok(payload) => payload,
        Err(malformed) => {
            tracing::warn!(queue = %fetched.queue, "{malformed}: moved to the dead set");
            let settlement = Settlement::Dead(dead::legible(&fetched.bytes));
            let (outcome, next) = conclude(engine, capsule, fetched, settlement, Outcome::Malformed).await;
            let duration = started.elapsed();
            let report = JobReport { class: "", queue: &fetched.queue, jid: "", outcome, duration, latency: None };
            engine.observer.job_finished(&report);
            return next;
        }
    };

    let job = Job::new(payload, &fetched.queue, &engine.hard_stop);
    slot.runs(Arc::clone(job.execution()));
    let work = engine.registry.find(job.class());
    let span = span(&job, work.and_then(|work| work.subject(&job)).as_deref());
    if engine.settings.gitlab.enabled != gitlab::Switch::Off {
        gitlab::record(&span, job.payload());
    }
    settle_by_class(engine, capsule, slot, fetched, &job, work).instrument(span).await
}

/// What every line that is logged on behalf of a job begins with. Never its arguments: they may hold secrets.
fn span(job: &Job, subject: Option<&str>) -> Span {
    let (class, jid) = (brief(job.class()), brief(job.jid()));
    tracing::info_span!(
        "job",
        %class,
        %jid,
        queue = job.queue(),
        subject,
        correlation_id = Empty,
        meta.caller_id = Empty,
        meta.root_caller_id = Empty,
        meta.user = Empty,
        meta.user_id = Empty,
        meta.project = Empty,
        meta.root_namespace = Empty,
        meta.organization_id = Empty,
        meta.feature_category = Empty,
        meta.related_class = Empty,
        meta.remote_ip = Empty,
        meta.client_id = Empty,
        meta.job_id = Empty,
    )
}

/// Runs a job if its class is ours, and leaves it to others if not.
async fn settle_by_class(
    engine: &Engine,
    capsule: &Serving,
    slot: &Slot,
    fetched: &Fetched,
    job: &Job,
    work: Option<&Arc<dyn Perform>>,
) -> Option<Fetched> {
    let started = Instant::now();
    let latency = job.latency();
    let (settlement, outcome) = match work {
        _ if engine.finished.take(&fetched.bytes) => {
            tracing::warn!("this job was done here before and only now can be acknowledged: it is not run again");
            (Settlement::Over, Outcome::Repeated)
        }
        Some(work) => gitlab::around(engine, job, &slot.name(), perform(engine, work.as_ref(), job)).await,
        None => foreign(engine, fetched, job).await,
    };
    let ran = started.elapsed();
    let (outcome, next) = conclude(engine, capsule, fetched, settlement, outcome).await;
    match (work, outcome) {
        (Some(_), Outcome::Done) => engine.execution_metrics.count(job.payload(), Some(ran)),
        (Some(_), Outcome::Failed) => engine.execution_metrics.count(job.payload(), None),
        _ => {}
    }
    let duration = started.elapsed();
    if job.is_called_off() && matches!(outcome, Outcome::Cancelled | Outcome::Done) {
        orders::obeyed(engine, job).await;
    }
    if !matches!(outcome, Outcome::Foreign | Outcome::Held) {
        let elapsed = (duration.as_secs_f64() * 1000.0).round() / 1000.0;
        tracing::info!(outcome = outcome.as_str(), elapsed, "end");
    }
    engine.observer.job_finished(&JobReport {
        class: job.class(),
        queue: job.queue(),
        jid: job.jid(),
        outcome,
        duration,
        latency,
    });
    next
}

/// Does the work of a class that is ours.
async fn perform(engine: &Engine, work: &dyn Perform, job: &Job) -> (Settlement, Outcome) {
    if job.is_called_off() || orders::is_called_off(engine, job).await {
        work.abandoned(job, Cancellations::REASON).await;
        return (cancel::end(engine, job), Outcome::Cancelled);
    }
    if engine.orders.is_off(job.class()) {
        return (put_off(job, clock::now() + orders::LOOK_AGAIN.as_secs_f64()), Outcome::Held);
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
pub(super) fn put_off(job: &Job, due: f64) -> Settlement {
    let payload = job.payload();
    let text = if payload.get::<String>("queue").as_deref() == Some(job.queue()) {
        payload.as_bytes().clone()
    } else {
        payload.edit().set("queue", job.queue()).finish()
    };
    Settlement::Later(text, due)
}

/// Decides about a job of a class that is not ours.
async fn foreign(engine: &Engine, fetched: &Fetched, job: &Job) -> (Settlement, Outcome) {
    loop {
        match engine.foreign.is_served(&fetched.queue).await {
            Ok(true) => {
                engine.foreign.came_from(&fetched.queue, &brief(job.class()));
                return (Settlement::Last, Outcome::Foreign);
            }
            Ok(false) => {
                let failure = JobFailure::new("NameError", format!("uninitialized constant {}", job.class()));
                return (failed(engine, job, &failure, Wish::None), Outcome::Failed);
            }
            Err(_) if engine.hard_stop.is_cancelled() => return (Settlement::Next, Outcome::Returned),
            Err(error) => {
                engine.outage.failed("looking for other processes", &error);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn failed(engine: &Engine, job: &Job, failure: &JobFailure, wish: Wish) -> Settlement {
    tracing::warn!("{}", brief(&failure.to_string()));
    retry::after_failure(job.payload(), job.queue(), failure, wish, &engine.settings, clock::now())
}

/// Settles a job, however long Redis is away, and counts it. Gives the outcome as it turned out, and the next job.
async fn conclude(
    engine: &Engine,
    capsule: &Serving,
    fetched: &Fetched,
    settlement: Settlement,
    outcome: Outcome,
) -> (Outcome, Option<Fetched>) {
    let (lay_there, next) = if let Settlement::Over = settlement {
        match fetch::acknowledge_and_draw(engine, capsule, fetched).await {
            Ok((true, next)) => (true, next),
            Ok((false, next)) => {
                // It may have come back to us with this very draw; then that is what is acknowledged now.
                let others = next.filter(|next| next.bytes != fetched.bytes || next.queue != fetched.queue);
                (settle_at_last(engine, fetched, &settlement).await, others)
            }
            Err(error) => {
                fetch::lost(engine, &error);
                // The job may be acknowledged already; then finding it gone means nothing.
                (settle_at_last(engine, fetched, &settlement).await || error.is_outage(), None)
            }
        }
    } else {
        (settle_at_last(engine, fetched, &settlement).await, fetch::draw_next(engine, capsule).await)
    };
    let outcome = match outcome {
        // Of what is repeated nothing was run; if it is gone, another slot of ours has acknowledged it.
        Outcome::Foreign | Outcome::Malformed | Outcome::Returned | Outcome::Repeated | Outcome::Interrupted => outcome,
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

/// Settles a job, trying every second until Redis answers. `false` if it certainly lay in our list no longer.
async fn settle_at_last(engine: &Engine, fetched: &Fetched, settlement: &Settlement) -> bool {
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

fn panicked(panic: &(dyn std::any::Any + Send)) -> JobFailure {
    let message = panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    JobFailure::new("Panic", message)
}

/// Foreign text made fit for one line of a log.
pub(super) fn brief(text: &str) -> String {
    text.chars()
        .take(200)
        .map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter })
        .collect()
}
