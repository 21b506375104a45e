//! What somebody ordered through Redis, looked for twice a second: a pause, of everything or (in the set that Sidekiq
//! Pro keeps) of queues; classes switched off; jobs cancelled.
//!
//! One round trip asks for all of it, so an order is obeyed within a second, and nothing has to be subscribed to,
//! missed or kept. While Redis does not answer, the last orders hold.

pub(in crate::sidekiq) mod cancel;
pub(in crate::sidekiq) mod restore;
pub(in crate::sidekiq) mod switches;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::connections::RedisError;
use crate::sidekiq::clock;
use crate::sidekiq::engine::Engine;
use crate::sidekiq::job::Job;
use crate::sidekiq::job::execution::Execution;
use crate::sidekiq::job::perform::constant;
use crate::sidekiq::processor::brief;
use crate::sidekiq::rescue::{lease, loss};

/// The time between two looks.
const PERIOD: Duration = Duration::from_millis(500);

/// A job of a class that is switched off is put off for so long. In `schedule` it is seen by everybody, keeps its order
/// among its like, and runs even if we are gone; looked at again that seldom, ten thousand of them cost little.
pub(in crate::sidekiq) const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Ids longer than this are nobody's orders.
pub(in crate::sidekiq) const LONGEST_JID: usize = 200;

#[derive(Default)]
pub(in crate::sidekiq) struct Orders(watch::Sender<State>);

#[derive(Default, PartialEq)]
struct State {
    paused: bool,
    /// Queues paused, of those that are ours.
    queues: HashSet<Arc<str>>,
    /// Classes switched off, of those that are ours.
    off: HashSet<String>,
    /// Some job is to be cancelled, ours or not.
    cancellations: bool,
}

impl Orders {
    /// Whether nothing is to be fetched or scheduled.
    pub(in crate::sidekiq) fn is_paused(&self) -> bool {
        self.0.borrow().paused
    }

    /// Whether jobs of this class are not to be run.
    pub(in crate::sidekiq) fn is_off(&self, class: &str) -> bool {
        let state = self.0.borrow();
        !state.off.is_empty() && state.off.contains(constant(class))
    }

    /// Whether nothing is to be taken from this queue.
    pub(in crate::sidekiq) fn hold(&self, queue: &str) -> bool {
        let state = self.0.borrow();
        state.paused || state.queues.contains(queue)
    }

    /// Tells of every change from now on.
    pub(in crate::sidekiq) fn changes(&self) -> Changes {
        Changes(self.0.subscribe())
    }

    /// Takes note of new orders, and tells each change.
    fn follow(&self, engine: &Engine, new: State) {
        let old = self.0.borrow();
        if new.paused != old.paused {
            if new.paused {
                tracing::warn!("paused by an administrator: nothing is fetched or scheduled");
            } else {
                tracing::info!("resumed by an administrator");
            }
            engine.observer.paused(new.paused);
        }
        for queue in new.queues.difference(&old.queues) {
            tracing::info!(%queue, "paused: no job is taken from it");
        }
        for queue in old.queues.difference(&new.queues) {
            tracing::info!(%queue, "resumed");
        }
        for class in new.off.difference(&old.off) {
            tracing::warn!(%class, "this class is switched off: its jobs wait in schedule");
        }
        for class in old.off.difference(&new.off) {
            tracing::info!(%class, "this class is switched on again");
        }
        let changed = new != *old;
        drop(old);
        if changed {
            self.0.send_replace(new);
        }
    }
}

/// The changes of the orders since somebody looked at them.
pub(in crate::sidekiq) struct Changes(watch::Receiver<State>);

impl Changes {
    /// Returns once there was one.
    pub(in crate::sidekiq) async fn next(&mut self) {
        // The sender lives as long as we.
        let _ = self.0.changed().await;
    }
}

/// Looks until the process has ended: what still runs while it stops can be cancelled, too. While all slots are busy
/// nobody else may ask Redis anything, so this also is where an outage is noticed then, and what it has cost.
pub(in crate::sidekiq) async fn run(engine: &Engine) {
    loop {
        engine.observer.turn("orders");
        watch_time(engine);
        let looked = async {
            lease::ensure(engine).await?;
            look(engine).await
        };
        if let Err(error) = looked.await {
            engine.outage.failed("looking for orders", &error);
            if error.is_outage() {
                engine.lease.doubt();
            }
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// One look, at everything that concerns this process.
pub(in crate::sidekiq) async fn look(engine: &Engine) -> Result<(), RedisError> {
    let keys = &engine.settings.keys;
    let running: Vec<Arc<Execution>> = engine.hands.held().into_iter().filter_map(|held| held.execution).collect();
    let queues = engine.settings.queues();
    let classes: Vec<&str> = engine.registry.classes().collect();
    let mut question = redis::pipe();
    // A key of another type that happens to bear such a name must not hide the other orders.
    question.ignore_errors();
    question.cmd("EXISTS").arg(keys.pause()).cmd("EXISTS").arg(keys.cancellations());
    // Each is asked for by name, since the set may hold any number of others.
    for queue in &queues {
        question.cmd("SISMEMBER").arg(keys.paused()).arg(&***queue);
    }
    for class in &classes {
        question.cmd("HEXISTS").arg(keys.switched_off()).arg(class);
    }
    for execution in &running {
        let jid = Some(execution.jid()).filter(|jid| jid.len() <= LONGEST_JID).unwrap_or_default();
        question.cmd("EXISTS").arg(keys.cancellation(jid));
    }
    // Asked last: if Redis still knows us after all the other answers, they are not those of one that has lost its data
    // and with it the orders.
    question.cmd("EXISTS").arg(keys.presence(&engine.identity));
    let mut answers: Vec<redis::RedisResult<bool>> = engine.redis.pipeline(&question).await?;
    if let Some(Ok(false)) = answers.pop() {
        return loss::look(engine).await;
    }
    if let Some(refusal) = answers.iter().find_map(|answer| answer.as_ref().err()) {
        let refusal = engine.redis.refused(refusal.clone());
        if refusal.is_outage() {
            return Err(refusal);
        }
        engine.outage.failed("looking for one of the orders", &refusal);
    }
    let mut answers = answers.into_iter().map(Result::unwrap_or_default);
    let (paused, cancellations) = (answers.next() == Some(true), answers.next() == Some(true));
    let held = queues.into_iter().zip(&mut answers).filter(|(_, held)| *held);
    let queues = held.map(|(queue, _)| Arc::clone(queue)).collect();
    let off = classes.iter().zip(&mut answers).filter(|(_, off)| *off).map(|(class, _)| (*class).to_owned()).collect();
    engine.orders.follow(engine, State { paused, queues, off, cancellations });
    for (execution, _) in running.iter().zip(answers).filter(|(_, cancelled)| *cancelled) {
        if !execution.jid().is_empty() && execution.call_off() {
            let (class, jid) = (brief(execution.class()), brief(execution.jid()));
            tracing::warn!(%class, %jid, "cancelled by an administrator");
        }
    }
    Ok(())
}

/// Says how long the running jobs take, and warns once of each that is overdue.
fn watch_time(engine: &Engine) {
    let (mut overdue, mut oldest) = (0, Duration::ZERO);
    for held in engine.hands.held() {
        oldest = oldest.max(clock::since(held.since));
        if let Some(execution) = held.execution.filter(|execution| execution.is_overdue(held.since)) {
            overdue += 1;
            if execution.tell_once() {
                let (class, jid) = (brief(execution.class()), brief(execution.jid()));
                let seconds = clock::since(held.since).as_secs();
                tracing::warn!(%class, %jid, queue = %held.fetched.queue, seconds, "this job takes longer than it should");
            }
        }
    }
    engine.observer.running(overdue, oldest);
}

/// Whether this job, which is about to begin, was cancelled before. Only asks while somebody cancels anything.
pub(in crate::sidekiq) async fn is_called_off(engine: &Engine, job: &Job) -> bool {
    if !engine.orders.0.borrow().cancellations || job.jid().is_empty() || job.jid().len() > LONGEST_JID {
        return false;
    }
    let mut question = redis::cmd("EXISTS");
    question.arg(engine.settings.keys.cancellation(job.jid()));
    // Without an answer it begins, and the next look asks again.
    let called_off = engine.redis.query(&question).await.unwrap_or(false);
    if called_off {
        job.execution().call_off();
    }
    called_off
}

/// A job that was to be cancelled has ended: somebody who brings it back wants it to run.
pub(in crate::sidekiq) async fn obeyed(engine: &Engine, job: &Job) {
    let key = engine.settings.keys.cancellation(job.jid());
    if let Err(error) = engine.redis.query::<()>(redis::cmd("DEL").arg(key)).await {
        engine.outage.failed("ending a cancellation", &error);
    }
}
