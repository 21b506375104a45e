//! Jobs whose time has come move from `retry` and `schedule` into their queues, in one atomic step each page.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use redis::Script;
use serde_json::Value;

use super::dead::{Bounds, legible};
use crate::connections::RedisError;
use crate::sidekiq::clock;
use crate::sidekiq::engine::Engine;
use crate::sidekiq::job::payload::Payload;
use crate::sidekiq::presence::processes;
use crate::sidekiq::profile::Profile;
use crate::sidekiq::settings::PollerSettings;

/// Members looked at in one round trip.
const PAGE: usize = 100;
/// Where Ruby's client puts a job that names no queue.
const DEFAULT_QUEUE: &str = "default";
/// The wait when the number of processes cannot be told.
const BLIND_WAIT: Duration = Duration::from_secs(5);
/// The longest time without a sign of life.
const TURN: Duration = Duration::from_secs(2);

/// Takes (member, text, queue) triples; the key of each job's queue stands in KEYS from the third on. The texts come
/// ready made, since Lua's JSON would lose big integers. A queue key of another type keeps its job in the set.
static MOVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local moved = 0
         for i = 1, #ARGV, 3 do
           local key = KEYS[2 + (i + 2) / 3]
           if redis.call('ZSCORE', KEYS[1], ARGV[i]) then
             local pushed = redis.pcall('LPUSH', key, ARGV[i + 1])
             if type(pushed) == 'number' then
               redis.call('ZREM', KEYS[1], ARGV[i])
               redis.call('SADD', KEYS[2], ARGV[i + 2])
               moved = moved + 1
             end
           end
         end
         return moved",
    )
});

/// Moves one member to the dead set, if it still is where it was. It leaves where it was only when it has got there.
static BURY: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
         local put = redis.pcall('ZADD', KEYS[2], ARGV[3], ARGV[2])
         if type(put) ~= 'number' then return put end
         redis.call('ZREM', KEYS[1], ARGV[1])
         redis.pcall('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[4])
         redis.pcall('ZREMRANGEBYRANK', KEYS[2], 0, ARGV[5])
         return 1",
    )
});

/// Polls until the process is quiet.
pub(in crate::sidekiq) async fn run(engine: &Engine) {
    let settings = &engine.settings.poller;
    let lead = if settings.own_interval.is_some() { 0.0 } else { 10.0 };
    wait(engine, Duration::from_secs_f64(lead + 5.0 * rand::random::<f64>())).await;
    while !engine.quiet.is_cancelled() {
        if let Err(error) = poll(engine).await {
            engine.outage.failed("moving due jobs", &error);
        }
        let interval = match processes::count(&engine.redis, &engine.settings.keys).await {
            Ok(processes) => interval(settings, engine.settings.profile, processes),
            Err(_) => BLIND_WAIT,
        };
        wait(engine, interval).await;
    }
    engine.observer.ended("poller");
}

/// One look at everything that is due.
pub(in crate::sidekiq) async fn poll(engine: &Engine) -> Result<(), RedisError> {
    processes::clean_up(&engine.redis, &engine.settings.keys).await?;
    for set in ["retry", "schedule"] {
        match poll_set(engine, set).await {
            // A key of another type must not keep what is due in the other set from moving.
            Err(error) if error.is_refusal() => engine.outage.failed("moving due jobs", &error),
            polled => polled?,
        }
    }
    Ok(())
}

async fn poll_set(engine: &Engine, set: &'static str) -> Result<(), RedisError> {
    let (mut all, mut stuck) = (0, 0);
    loop {
        engine.observer.turn("poller");
        let due = due(engine, set, stuck).await?;
        let moved = move_page(engine, set, &due).await?;
        all += moved;
        // What could not be moved, or was by another process, must not keep what is due after it from moving.
        stuck += (due.len() as u64).saturating_sub(moved);
        if due.len() < PAGE || engine.quiet.is_cancelled() {
            break;
        }
    }
    if all > 0 {
        engine.observer.moved_when_due(set, all);
    }
    Ok(())
}

/// The next page of what is due, after so many members.
async fn due(engine: &Engine, set: &str, after: u64) -> Result<Vec<Bytes>, RedisError> {
    let mut command = redis::cmd("ZRANGEBYSCORE");
    command.arg(engine.settings.keys.named(set)).arg("-inf").arg(clock::now()).arg("LIMIT").arg(after).arg(PAGE);
    let members: Vec<Vec<u8>> = engine.redis.query(&command).await?;
    Ok(members.into_iter().map(Bytes::from).collect())
}

/// Gives the number of members that are no longer in the set.
async fn move_page(engine: &Engine, set: &'static str, members: &[Bytes]) -> Result<u64, RedisError> {
    let keys = &engine.settings.keys;
    let now = engine.settings.profile.timestamp(clock::now());
    let mut script = MOVE.key(keys.named(set));
    script.key(keys.queues());
    let mut gone = 0;
    let mut movable = 0;
    for member in members {
        let job = Payload::parse(member.clone()).ok();
        let Some((job, queue)) = job.and_then(|job| queue_of(&job).map(|queue| (job, queue))) else {
            match bury(engine, set, member).await {
                Err(error) if error.is_refusal() => engine.outage.failed("burying a due member", &error),
                buried => gone += buried?,
            }
            continue;
        };
        let text = enqueued(&job, now.clone());
        script.key(keys.queue(&queue)).arg(&member[..]).arg(&text[..]).arg(queue);
        movable += 1;
    }
    if movable > 0 {
        gone += engine.redis.invoke::<u64>(&script).await?;
    }
    Ok(gone)
}

/// The text of a job that comes into its queue now.
pub(in crate::sidekiq) fn enqueued(job: &Payload, now: Value) -> Bytes {
    let edit = job.edit();
    let edit = if job.raw("queue").is_none() { edit.set("queue", DEFAULT_QUEUE) } else { edit };
    edit.set("enqueued_at", now).finish()
}

/// The queue a due job goes into. Ruby's client, which its poller pushes with, knows one for a job that names none; a
/// name that is null or empty it refuses.
fn queue_of(job: &Payload) -> Option<String> {
    if job.raw("queue").is_none() {
        return Some(DEFAULT_QUEUE.to_owned());
    }
    job.get::<String>("queue").filter(|queue| !queue.is_empty())
}

async fn bury(engine: &Engine, set: &str, member: &Bytes) -> Result<u64, RedisError> {
    tracing::warn!(set, "a due member is no job that could be queued: it goes to the dead set");
    let bounds = Bounds::now(&engine.settings.dead);
    let mut script = BURY.key(engine.settings.keys.named(set));
    script.key(engine.settings.keys.dead()).arg(&member[..]).arg(&legible(member)[..]);
    script.arg(bounds.now).arg(bounds.oldest).arg(bounds.last_rank);
    engine.redis.invoke(&script).await
}

/// The time until the next look: longer the more processes look, and never the same twice.
fn interval(settings: &PollerSettings, profile: Profile, processes: u32) -> Duration {
    let average = settings.own_interval.unwrap_or(settings.average_interval * processes);
    let chance: f64 = rand::random();
    average.mul_f64(if processes < 10 { 0.5 + chance } else { profile.poll_spread() * chance })
}

async fn wait(engine: &Engine, time: Duration) {
    let end = tokio::time::Instant::now() + time;
    while !engine.quiet.is_cancelled() && tokio::time::Instant::now() < end {
        engine.observer.turn("poller");
        tokio::select! {
            () = tokio::time::sleep_until(end.min(tokio::time::Instant::now() + TURN)) => {}
            () = engine.quiet.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    /// The mean of a thousand intervals, which all lie in this range of seconds.
    fn mean(settings: &PollerSettings, profile: Profile, processes: u32, range: Range<f64>) -> f64 {
        let one = |_| interval(settings, profile, processes).as_secs_f64();
        let all: Vec<f64> =
            (0..1000).map(one).inspect(|seconds| assert!(range.contains(seconds), "{seconds}")).collect();
        all.iter().sum::<f64>() / 1000.0
    }

    #[test]
    fn processes_share_the_polling() {
        let settings = PollerSettings::default();
        assert!((4.5..5.5).contains(&mean(&settings, Profile::V6_4, 1, 2.5..7.5)));
        assert!((41.0..49.0).contains(&mean(&settings, Profile::V8, 9, 22.5..67.5)));
        // Before 8 many processes look twice as often as they are meant to.
        assert!((45.0..55.0).contains(&mean(&settings, Profile::V7, 20, 0.0..100.0)));
        assert!((90.0..110.0).contains(&mean(&settings, Profile::V8, 20, 0.0..200.0)));
        let own = PollerSettings { own_interval: Some(Duration::from_secs(2)), ..settings };
        assert!((1.8..2.2).contains(&mean(&own, Profile::V7, 5, 1.0..3.0)));
    }
}
