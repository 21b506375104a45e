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
    let names: Vec<&Arc<str>> = core.settings.queues.names().collect();
    let pause_ends = names.iter().filter_map(|queue| core.foreign.paused_until(queue)).min();
    let open: Vec<&Arc<str>> = names.into_iter().filter(|queue| core.foreign.paused_until(queue).is_none()).collect();

    let mut longest = pause_ends.map_or(TURN, |end| end.saturating_duration_since(now)).min(TURN);
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
    let Some((first, others)) = order.split_first() else {
        return Ok((core.settle(over, &super::settle::Settlement::Over).await?, None));
    };
    let mut commands = redis::pipe();
    commands.cmd("LREM").arg(core.identity.working_list(&over.queue)).arg(1).arg(&over.bytes[..]);
    commands.cmd("RPOPLPUSH").arg(queue_key(first)).arg(core.identity.working_list(first));
    let (removed, next): (u32, Option<Vec<u8>>) = core.redis.pipeline(&commands).await?;
    let next = match next {
        Some(bytes) => Some(Fetched { queue: Arc::clone(first), bytes: bytes.into() }),
        // The acknowledgement is made, so an error now concerns the fetch alone.
        None => draw_from(core, others).await.unwrap_or_else(|error| {
            lost(core, &error);
            None
        }),
    };
    Ok((removed > 0, next))
}

async fn draw_from(core: &Core, order: &[&Arc<str>]) -> Result<Option<Fetched>, RedisError> {
    for queue in order {
        let mut command = redis::cmd("RPOPLPUSH");
        command.arg(queue_key(queue)).arg(core.identity.working_list(queue));
        if let Some(bytes) = core.redis.query::<Option<Vec<u8>>>(&command).await? {
            return Ok(Some(Fetched { queue: Arc::clone(queue), bytes: bytes.into() }));
        }
    }
    Ok(None)
}

/// The queues to draw from now: none if nothing may be fetched.
fn order(core: &Core) -> Vec<&Arc<str>> {
    if core.quiet.is_cancelled() || !core.lease.is_fresh() {
        return Vec::new();
    }
    let mut order = core.settings.queues.draw();
    order.retain(|queue| core.foreign.paused_until(queue).is_none());
    order
}
