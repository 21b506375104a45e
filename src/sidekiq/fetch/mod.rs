//! Fetching: one atomic step takes a job from its queue into our working list, so that a crash loses nothing.
//!
//! A busy slot fetches for itself, in the same round trip that acknowledges its last job. Only a slot that found
//! nothing comes back to the loop here, which draws for it or, when all queues are empty, waits on the server.

pub(in crate::sidekiq) mod capsule;
pub(in crate::sidekiq) mod foreign;
pub(in crate::sidekiq) mod hands;
pub(in crate::sidekiq) mod queues;
mod shared_queue;
pub(in crate::sidekiq) mod waits;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use redis::RedisResult;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use self::capsule::Serving;
use self::hands::{Fetched, Slot};
use self::waits::Waits;
use crate::connections::RedisError;
use crate::sidekiq::engine::Engine;
use crate::sidekiq::outage::PAUSE;
use crate::sidekiq::processor;
use crate::sidekiq::rescue::lease;
use crate::sidekiq::settle::Settlement;

/// The time between two rounds over all queues while there are too few free slots to wait at each.
const ROUND: Duration = Duration::from_millis(50);
/// The longest time without a sign of life.
const TURN: Duration = Duration::from_secs(2);

/// Keeps every slot at work until the process is quiet: a loop for each capsule. Jobs run as tasks of `jobs`.
pub(in crate::sidekiq) async fn run(engine: Arc<Engine>, jobs: TaskTracker) {
    let mut loops = JoinSet::new();
    let turned: Arc<[AtomicBool]> = engine.capsules.iter().map(|_| AtomicBool::new(false)).collect();
    for (number, capsule) in engine.capsules.iter().enumerate() {
        let (engine, capsule, turned) = (Arc::clone(&engine), Arc::clone(capsule), Arc::clone(&turned));
        let fetching = Fetching { engine, capsule, jobs: jobs.clone() };
        loops.spawn(async move { fetching.serve(|| turned_all(&turned, number)).await });
    }
    while loops.join_next().await.is_some() {}
    engine.observer.ended("fetch");
}

/// Notes that one loop went round; `true` once each has since that was last so. One that hangs is not to be hidden by
/// the others.
fn turned_all(turned: &[AtomicBool], number: usize) -> bool {
    turned[number].store(true, Ordering::Relaxed);
    let all = turned.iter().all(|turned| turned.load(Ordering::Relaxed));
    if all {
        for turned in turned {
            turned.store(false, Ordering::Relaxed);
        }
    }
    all
}

/// What fetches for one capsule.
struct Fetching {
    engine: Arc<Engine>,
    capsule: Arc<Serving>,
    jobs: TaskTracker,
}

impl Fetching {
    async fn serve(&self, all_turned: impl Fn() -> bool) {
        let engine = &self.engine;
        let mut waits = Waits::default();
        while !engine.quiet.is_cancelled() {
            if all_turned() {
                engine.observer.turn("fetch");
            }
            if let Err(error) = self.turn(&mut waits).await {
                lost(engine, &error);
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = engine.quiet.cancelled() => {}
                }
            }
        }
        waits.end(engine).await;
    }

    /// One decision: what to do with a free slot, or how to wait for one.
    async fn turn(&self, waits: &mut Waits) -> Result<(), RedisError> {
        let (engine, slots) = (&self.engine, &self.capsule.slots);
        lease::ensure(engine).await?;
        let slot = if let Some(slot) = slots.next_free() {
            slot
        } else {
            // Slots that wait at one queue are missing at another.
            waits.unblock(engine).await;
            tokio::select! {
                slot = slots.next() => match slot { Some(slot) => slot, None => return Ok(()) },
                arrival = waits.next() => return self.accept(arrival),
                () = engine.quiet.cancelled() => return Ok(()),
                () = tokio::time::sleep(TURN) => return Ok(()),
            }
        };
        match draw_from(engine, &order(engine, &self.capsule)).await? {
            Some(fetched) => {
                self.start(slot, fetched);
                Ok(())
            }
            None => self.idle(waits, slot).await,
        }
    }

    /// All queues were empty a moment ago, or we have become quiet.
    async fn idle(&self, waits: &mut Waits, slot: Slot) -> Result<(), RedisError> {
        let engine = &self.engine;
        if engine.quiet.is_cancelled() {
            return Ok(());
        }
        let now = Instant::now();
        let Serving { queues, slots } = &*self.capsule;
        let mut orders = engine.orders.changes();
        waits.unblock_at(engine, |queue| engine.orders.hold(queue)).await;
        let running = || queues.names().filter(|queue| !engine.orders.hold(queue));
        let open: Vec<&Arc<str>> = running().filter(|queue| engine.foreign.next_look(queue).is_none()).collect();
        let next_look = running().filter_map(|queue| engine.foreign.next_look(queue)).min();
        let mut longest = next_look.map_or(TURN, |look| look.saturating_duration_since(now)).min(TURN);
        if slots.free() + 1 + waits.len() >= open.len() {
            let mut slot = Some(slot);
            for queue in open {
                if !waits.watch(queue)
                    && let Some(slot) = slot.take().or_else(|| slots.next_free())
                {
                    waits.park(engine, queue, slot).await?;
                }
            }
        } else {
            drop(slot);
            waits.unblock(engine).await;
            longest = longest.min(ROUND);
        }
        tokio::select! {
            arrival = waits.next() => self.accept(arrival),
            () = engine.quiet.cancelled() => Ok(()),
            () = orders.next() => Ok(()),
            () = tokio::time::sleep(longest) => Ok(()),
        }
    }

    /// A blocking wait has ended.
    fn accept(&self, arrival: Result<Option<(Slot, Fetched)>, RedisError>) -> Result<(), RedisError> {
        let arrival = arrival?;
        self.engine.outage.worked();
        if let Some((slot, fetched)) = arrival {
            self.start(slot, fetched);
        }
        Ok(())
    }

    fn start(&self, slot: Slot, fetched: Fetched) {
        slot.hold(fetched.clone());
        let (engine, capsule) = (Arc::clone(&self.engine), Arc::clone(&self.capsule));
        self.jobs.spawn(async move {
            let ended = engine.ended.clone();
            ended.run_until_cancelled(processor::work(engine, capsule, slot, fetched)).await
        });
    }
}

/// A fetch got no reply; it may have moved a job all the same.
pub(in crate::sidekiq) fn lost(engine: &Engine, error: &RedisError) {
    engine.outage.failed("fetching", error);
    if !error.is_refusal() {
        engine.lease.doubt();
    }
    engine.reply_lost.notify_one();
}

/// Acknowledges a job that is over and draws the next: one round trip if the first queue drawn has one. Also tells
/// whether the job still lay in our list; as soon as that is known, `settled` is called if it did.
pub(in crate::sidekiq) async fn acknowledge_and_draw(
    engine: &Engine,
    capsule: &Serving,
    over: &Fetched,
    settled: impl FnOnce(),
) -> Result<(bool, Option<Fetched>), RedisError> {
    let order = order(engine, capsule);
    let (first, others) = match order.split_first() {
        Some((first, others)) if engine.foreign.next_look(first).is_none() => (first, others),
        _ => {
            let lay_there = engine.settle(over, &Settlement::Over).await?;
            if lay_there {
                settled();
            }
            return Ok((lay_there, draw_or_lose(engine, &order).await));
        }
    };
    let mut commands = redis::pipe();
    commands.cmd("LREM").arg(engine.working_list(&over.queue)).arg(1).arg(&over.bytes[..]);
    commands.cmd("RPOPLPUSH").arg(engine.settings.keys.queue(first)).arg(engine.working_list(first));
    // The one may be refused and the other not, as when the memory is full.
    commands.ignore_errors();
    let asked = Instant::now();
    let (removed, next): (RedisResult<u32>, RedisResult<Option<Vec<u8>>>) = engine.redis.pipeline(&commands).await?;
    let refused = |source| engine.redis.refused(source);
    let removed = removed.map_err(refused)?;
    if removed > 0 {
        settled();
    }
    let next = match next.map_err(refused) {
        Ok(Some(bytes)) => Some(Fetched { queue: Arc::clone(first), bytes: bytes.into(), asked }),
        Ok(None) => draw_or_lose(engine, others).await,
        Err(error) => {
            lost(engine, &error);
            None
        }
    };
    Ok((removed > 0, next))
}

/// Draws for a slot that has just settled its job: an error now concerns the fetch alone.
pub(in crate::sidekiq) async fn draw_next(engine: &Engine, capsule: &Serving) -> Option<Fetched> {
    draw_or_lose(engine, &order(engine, capsule)).await
}

async fn draw_or_lose(engine: &Engine, order: &[&Arc<str>]) -> Option<Fetched> {
    draw_from(engine, order).await.unwrap_or_else(|error| {
        lost(engine, &error);
        None
    })
}

/// Takes the next job from the first of these queues that has one.
async fn draw_from(engine: &Engine, order: &[&Arc<str>]) -> Result<Option<Fetched>, RedisError> {
    for queue in order {
        let fetched = match engine.foreign.next_look(queue) {
            None => take_next(engine, queue).await?,
            Some(_) => shared_queue::pick(engine, queue).await?,
        };
        if fetched.is_some() {
            return Ok(fetched);
        }
    }
    Ok(None)
}

/// Takes the next job of a queue, whatever its class.
pub(in crate::sidekiq) async fn take_next(engine: &Engine, queue: &Arc<str>) -> Result<Option<Fetched>, RedisError> {
    let mut command = redis::cmd("RPOPLPUSH");
    command.arg(engine.settings.keys.queue(queue)).arg(engine.working_list(queue));
    let asked = Instant::now();
    let bytes: Option<Vec<u8>> = engine.redis.query(&command).await?;
    engine.outage.worked();
    Ok(bytes.map(|bytes| Fetched { queue: Arc::clone(queue), bytes: bytes.into(), asked }))
}

/// The queues to draw from now: none if nothing may be fetched.
fn order<'c>(engine: &Engine, capsule: &'c Serving) -> Vec<&'c Arc<str>> {
    if engine.quiet.is_cancelled() || !engine.lease.is_fresh() {
        return Vec::new();
    }
    let mut order = capsule.queues.draw();
    let now = Instant::now();
    order.retain(|queue| !engine.orders.hold(queue));
    order.retain(|queue| engine.foreign.next_look(queue).is_none_or(|look| look <= now));
    order
}
