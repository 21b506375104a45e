//! Fetching: one atomic step takes a job from its queue into our working list, so that a crash loses nothing.
//!
//! A busy slot fetches for itself, in the same round trip that acknowledges its last job. Only a slot that found
//! nothing comes back to the loop here, which draws for it or, when all queues are empty, waits on the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::task::TaskTracker;

use super::engine::Engine;
use super::hands::{Fetched, Slot};
use super::outage::PAUSE;
use super::processor;
use super::settle::Settlement;
use super::shared_queue;
use super::waits::Waits;
use crate::connections::RedisError;

/// The time between two rounds over all queues while there are too few free slots to wait at each.
const ROUND: Duration = Duration::from_millis(50);
/// The longest time without a sign of life.
const TURN: Duration = Duration::from_secs(2);

/// Keeps every slot at work until the process is quiet. Jobs run as tasks of `jobs`.
pub(super) async fn run(engine: Arc<Engine>, jobs: TaskTracker) {
    let mut waits = Waits::default();
    while !engine.quiet.is_cancelled() {
        engine.observer.turn("fetch");
        if let Err(error) = turn(&engine, &jobs, &mut waits).await {
            lost(&engine, &error);
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = engine.quiet.cancelled() => {}
            }
        }
    }
    waits.end(&engine).await;
    engine.observer.ended("fetch");
}

/// One decision: what to do with a free slot, or how to wait for one.
async fn turn(engine: &Arc<Engine>, jobs: &TaskTracker, waits: &mut Waits) -> Result<(), RedisError> {
    engine.lease.ensure().await?;
    if engine.orders.is_paused() {
        return pause(engine, jobs, waits).await;
    }
    let slot = if let Some(slot) = engine.hands.free_slot() {
        slot
    } else {
        // Slots that wait at one queue are missing at another.
        waits.unblock(engine).await;
        tokio::select! {
            slot = engine.hands.slot() => match slot { Some(slot) => slot, None => return Ok(()) },
            arrival = waits.next() => return accept(engine, jobs, arrival),
            () = engine.quiet.cancelled() => return Ok(()),
            () = tokio::time::sleep(TURN) => return Ok(()),
        }
    };
    match draw(engine).await? {
        Some(fetched) => {
            start(engine, jobs, slot, fetched);
            Ok(())
        }
        None => idle(engine, jobs, waits, slot).await,
    }
}

/// Everything is paused: waits that are under way are ended, and no other is begun.
async fn pause(engine: &Arc<Engine>, jobs: &TaskTracker, waits: &mut Waits) -> Result<(), RedisError> {
    waits.unblock(engine).await;
    tokio::select! {
        // What came all the same is given back by whoever was to run it.
        arrival = waits.next() => accept(engine, jobs, arrival),
        () = engine.orders.resumed() => Ok(()),
        () = engine.quiet.cancelled() => Ok(()),
        // Whoever returns without an error says that Redis answers.
        () = tokio::time::sleep(TURN) => engine.redis.query(&redis::cmd("PING")).await,
    }
}

/// All queues were empty a moment ago, or we have become quiet.
async fn idle(engine: &Arc<Engine>, jobs: &TaskTracker, waits: &mut Waits, slot: Slot) -> Result<(), RedisError> {
    if engine.quiet.is_cancelled() || engine.orders.is_paused() {
        return Ok(());
    }
    let now = Instant::now();
    let queues = &engine.settings.queues;
    let open: Vec<&Arc<str>> = queues.names().filter(|queue| engine.foreign.next_look(queue).is_none()).collect();
    let next_look = queues.names().filter_map(|queue| engine.foreign.next_look(queue)).min();
    let mut longest = next_look.map_or(TURN, |look| look.saturating_duration_since(now)).min(TURN);
    if engine.hands.free() + 1 + waits.len() >= open.len() {
        let mut slot = Some(slot);
        for queue in open {
            if !waits.watch(queue)
                && let Some(slot) = slot.take().or_else(|| engine.hands.free_slot())
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
        arrival = waits.next() => accept(engine, jobs, arrival),
        () = engine.quiet.cancelled() => Ok(()),
        () = tokio::time::sleep(longest) => Ok(()),
    }
}

/// A blocking wait has ended.
fn accept(
    engine: &Arc<Engine>,
    jobs: &TaskTracker,
    arrival: Result<Option<(Slot, Fetched)>, RedisError>,
) -> Result<(), RedisError> {
    let arrival = arrival?;
    engine.outage.worked();
    if let Some((slot, fetched)) = arrival {
        start(engine, jobs, slot, fetched);
    }
    Ok(())
}

fn start(engine: &Arc<Engine>, jobs: &TaskTracker, slot: Slot, fetched: Fetched) {
    slot.hold(fetched.clone());
    let engine = Arc::clone(engine);
    jobs.spawn(async move {
        let ended = engine.ended.clone();
        ended.run_until_cancelled(processor::work(engine, slot, fetched)).await
    });
}

/// A fetch got no reply; it may have moved a job all the same.
pub(super) fn lost(engine: &Engine, error: &RedisError) {
    engine.outage.failed("fetching", error);
    engine.reply_lost.notify_one();
}

/// Takes the next job from the first queue that has one, in the order of one draw.
pub(super) async fn draw(engine: &Engine) -> Result<Option<Fetched>, RedisError> {
    draw_from(engine, &order(engine)).await
}

/// Acknowledges a job that is over and draws the next: one round trip if the first queue drawn has one. Also tells
/// whether the job still lay in our list.
pub(super) async fn acknowledge_and_draw(
    engine: &Engine,
    over: &Fetched,
) -> Result<(bool, Option<Fetched>), RedisError> {
    let order = order(engine);
    let (first, others) = match order.split_first() {
        Some((first, others)) if engine.foreign.next_look(first).is_none() => (first, others),
        _ => return Ok((engine.settle(over, &Settlement::Over).await?, draw_or_lose(engine, &order).await)),
    };
    let mut commands = redis::pipe();
    commands.cmd("LREM").arg(engine.working_list(&over.queue)).arg(1).arg(&over.bytes[..]);
    commands.cmd("RPOPLPUSH").arg(engine.settings.keys.queue(first)).arg(engine.working_list(first));
    let (removed, next): (u32, Option<Vec<u8>>) = engine.redis.pipeline(&commands).await?;
    let next = match next {
        Some(bytes) => Some(Fetched { queue: Arc::clone(first), bytes: bytes.into() }),
        None => draw_or_lose(engine, others).await,
    };
    Ok((removed > 0, next))
}

/// Draws for a slot that has just settled its job: an error now concerns the fetch alone.
pub(super) async fn draw_next(engine: &Engine) -> Option<Fetched> {
    draw_or_lose(engine, &order(engine)).await
}

async fn draw_or_lose(engine: &Engine, order: &[&Arc<str>]) -> Option<Fetched> {
    draw_from(engine, order).await.unwrap_or_else(|error| {
        lost(engine, &error);
        None
    })
}

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
pub(super) async fn take_next(engine: &Engine, queue: &Arc<str>) -> Result<Option<Fetched>, RedisError> {
    let mut command = redis::cmd("RPOPLPUSH");
    command.arg(engine.settings.keys.queue(queue)).arg(engine.working_list(queue));
    let bytes: Option<Vec<u8>> = engine.redis.query(&command).await?;
    engine.outage.worked();
    Ok(bytes.map(|bytes| Fetched { queue: Arc::clone(queue), bytes: bytes.into() }))
}

/// The queues to draw from now: none if nothing may be fetched.
fn order(engine: &Engine) -> Vec<&Arc<str>> {
    if engine.quiet.is_cancelled() || engine.orders.is_paused() || !engine.lease.is_fresh() {
        return Vec::new();
    }
    let mut order = engine.settings.queues.draw();
    let now = Instant::now();
    order.retain(|queue| engine.foreign.next_look(queue).is_none_or(|look| look <= now));
    order
}
