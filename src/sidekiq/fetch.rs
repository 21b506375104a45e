//! Fetching: one atomic step takes a job from its queue into our working list, so that a crash loses nothing.
//!
//! A busy slot fetches for itself, in the same round trip that acknowledges its last job. Only a slot that found
//! nothing comes back to the loop here, which draws for it or, when all queues are empty, waits on the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::task::TaskTracker;

use super::core::Core;
use super::hands::{Fetched, Slot};
use super::identity::queue_key;
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
pub(super) async fn run(core: Arc<Core>, jobs: TaskTracker) {
    let mut waits = Waits::default();
    while !core.quiet.is_cancelled() {
        core.observer.turn("fetch");
        match turn(&core, &jobs, &mut waits).await {
            Ok(()) => core.outage.worked(),
            Err(error) => {
                lost(&core, &error);
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = core.quiet.cancelled() => {}
                }
            }
        }
    }
    waits.end(&core).await;
}

/// One decision: what to do with a free slot, or how to wait for one.
async fn turn(core: &Arc<Core>, jobs: &TaskTracker, waits: &mut Waits) -> Result<(), RedisError> {
    core.lease.ensure().await?;
    let slot = if let Some(slot) = core.hands.free_slot() {
        slot
    } else {
        // Slots that wait at one queue are missing at another.
        waits.unblock(core).await;
        tokio::select! {
            slot = core.hands.slot() => match slot { Some(slot) => slot, None => return Ok(()) },
            arrival = waits.next() => return accept(core, jobs, arrival),
            () = core.quiet.cancelled() => return Ok(()),
            () = tokio::time::sleep(TURN) => return Ok(()),
        }
    };
    match draw(core).await? {
        Some(fetched) => {
            start(core, jobs, slot, fetched);
            Ok(())
        }
        None => idle(core, jobs, waits, slot).await,
    }
}

/// All queues were empty a moment ago.
async fn idle(core: &Arc<Core>, jobs: &TaskTracker, waits: &mut Waits, slot: Slot) -> Result<(), RedisError> {
    let now = Instant::now();
    let queues = &core.settings.queues;
    let open: Vec<&Arc<str>> = queues.names().filter(|queue| core.foreign.next_look(queue).is_none()).collect();
    let next_look = queues.names().filter_map(|queue| core.foreign.next_look(queue)).min();
    let mut longest = next_look.map_or(TURN, |look| look.saturating_duration_since(now)).min(TURN);
    if core.hands.free() + 1 + waits.len() >= open.len() {
        let mut slot = Some(slot);
        for queue in open {
            if !waits.watch(queue)
                && let Some(slot) = slot.take().or_else(|| core.hands.free_slot())
            {
                waits.park(core, queue, slot).await?;
            }
        }
    } else {
        drop(slot);
        waits.unblock(core).await;
        longest = longest.min(ROUND);
    }
    tokio::select! {
        arrival = waits.next() => accept(core, jobs, arrival),
        () = core.quiet.cancelled() => Ok(()),
        () = tokio::time::sleep(longest) => Ok(()),
    }
}

/// A blocking wait has ended.
fn accept(
    core: &Arc<Core>,
    jobs: &TaskTracker,
    arrival: Result<Option<(Slot, Fetched)>, RedisError>,
) -> Result<(), RedisError> {
    if let Some((slot, fetched)) = arrival? {
        start(core, jobs, slot, fetched);
    }
    Ok(())
}

fn start(core: &Arc<Core>, jobs: &TaskTracker, slot: Slot, fetched: Fetched) {
    slot.hold(fetched.clone());
    let core = Arc::clone(core);
    jobs.spawn(async move {
        let ended = core.ended.clone();
        ended.run_until_cancelled(processor::work(core, slot, fetched)).await
    });
}

/// A fetch got no reply; it may have moved a job all the same.
pub(super) fn lost(core: &Core, error: &RedisError) {
    core.outage.failed("fetching", error);
    core.reply_lost.notify_one();
}

/// Takes the next job from the first queue that has one, in the order of one draw.
pub(super) async fn draw(core: &Core) -> Result<Option<Fetched>, RedisError> {
    draw_from(core, &order(core)).await
}

/// Acknowledges a job that is over and draws the next: one round trip if the first queue drawn has one. Also tells
/// whether the job still lay in our list.
pub(super) async fn acknowledge_and_draw(core: &Core, over: &Fetched) -> Result<(bool, Option<Fetched>), RedisError> {
    let order = order(core);
    let (first, others) = match order.split_first() {
        Some((first, others)) if core.foreign.next_look(first).is_none() => (first, others),
        _ => return Ok((core.settle(over, &Settlement::Over).await?, draw_or_lose(core, &order).await)),
    };
    let mut commands = redis::pipe();
    commands.cmd("LREM").arg(core.identity.working_list(&over.queue)).arg(1).arg(&over.bytes[..]);
    commands.cmd("RPOPLPUSH").arg(queue_key(first)).arg(core.identity.working_list(first));
    let (removed, next): (u32, Option<Vec<u8>>) = core.redis.pipeline(&commands).await?;
    let next = match next {
        Some(bytes) => Some(Fetched { queue: Arc::clone(first), bytes: bytes.into() }),
        None => draw_or_lose(core, others).await,
    };
    Ok((removed > 0, next))
}

/// Draws for a slot that has just settled its job: an error now concerns the fetch alone.
pub(super) async fn draw_next(core: &Core) -> Option<Fetched> {
    draw_or_lose(core, &order(core)).await
}

async fn draw_or_lose(core: &Core, order: &[&Arc<str>]) -> Option<Fetched> {
    draw_from(core, order).await.unwrap_or_else(|error| {
        lost(core, &error);
        None
    })
}

async fn draw_from(core: &Core, order: &[&Arc<str>]) -> Result<Option<Fetched>, RedisError> {
    for queue in order {
        let fetched = match core.foreign.next_look(queue) {
            None => take_next(core, queue).await?,
            Some(_) => shared_queue::pick(core, queue).await?,
        };
        if fetched.is_some() {
            return Ok(fetched);
        }
    }
    Ok(None)
}

/// Takes the next job of a queue, whatever its class.
pub(super) async fn take_next(core: &Core, queue: &Arc<str>) -> Result<Option<Fetched>, RedisError> {
    let mut command = redis::cmd("RPOPLPUSH");
    command.arg(queue_key(queue)).arg(core.identity.working_list(queue));
    let bytes: Option<Vec<u8>> = core.redis.query(&command).await?;
    Ok(bytes.map(|bytes| Fetched { queue: Arc::clone(queue), bytes: bytes.into() }))
}

/// The queues to draw from now: none if nothing may be fetched.
fn order(core: &Core) -> Vec<&Arc<str>> {
    if core.quiet.is_cancelled() || !core.lease.is_fresh() {
        return Vec::new();
    }
    let mut order = core.settings.queues.draw();
    let now = Instant::now();
    order.retain(|queue| core.foreign.next_look(queue).is_none_or(|look| look <= now));
    order
}
