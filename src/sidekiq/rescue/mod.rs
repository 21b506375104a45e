//! The jobs of dead processes, ours and those of Ruby's reliable fetchers, go back to their queues; those under which
//! workers died too often are set aside.
//!
//! No lock is needed: each list is moved by a script that itself sees whether the owner's lease is absent, and which of
//! the jobs still lie there. The texts come ready made, since Lua's JSON would lose big integers.

pub(in crate::sidekiq) mod finished;
pub(in crate::sidekiq) mod lease;
pub(in crate::sidekiq) mod loss;
pub(in crate::sidekiq) mod quarantine;
pub(in crate::sidekiq) mod reconcile;

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use redis::Script;
use tokio_util::sync::CancellationToken;

use self::quarantine::Verdict;
use crate::connections::RedisError;
use crate::sidekiq::engine::Engine;
use crate::sidekiq::job::Job;
use crate::sidekiq::job::payload::Payload;
use crate::sidekiq::processor::brief;

/// The time between two looks.
const PERIOD: Duration = Duration::from_secs(30);
/// The longest time without a sign of life.
const TURN: Duration = Duration::from_secs(2);
/// Jobs moved by one call: the server does nothing else meanwhile.
const BATCH: usize = 100;

/// Takes (job, text, `again` or `aside`) triples; tells of each whether it was moved. A job goes behind all others of
/// its queue, as with Ruby's fetcher: it may be what its worker died of, and the others need not die with it. A queue
/// key of another type keeps its jobs where they are.
static RESCUE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local moved = {}
         local lives = redis.call('EXISTS', KEYS[3]) == 1
         for i = 4, #ARGV, 3 do
           local done = 0
           if not lives and redis.call('LREM', KEYS[1], -1, ARGV[i]) == 1 then
             local put
             if ARGV[i + 2] == 'again' then put = redis.pcall('LPUSH', KEYS[2], ARGV[i + 1])
             else put = redis.pcall('ZADD', KEYS[4], ARGV[1], ARGV[i + 1]) end
             if type(put) == 'number' then done = 1
             elseif type(redis.pcall('LPUSH', KEYS[1], ARGV[i])) ~= 'number' then redis.call('RPUSH', KEYS[1], ARGV[i]) end
           end
           moved[#moved + 1] = done
         end
         if not lives then
           redis.pcall('ZREMRANGEBYSCORE', KEYS[4], '-inf', ARGV[2])
           redis.pcall('ZREMRANGEBYRANK', KEYS[4], 0, ARGV[3])
         end
         return moved",
    )
});

/// Looks at once and then every 30 seconds.
pub(in crate::sidekiq) async fn run(engine: &Engine) {
    loop {
        if let Err(error) = look(engine).await {
            engine.outage.failed("looking for jobs of dead processes", &error);
        }
        let next = tokio::time::Instant::now() + PERIOD;
        while tokio::time::Instant::now() < next {
            engine.observer.turn("rescue");
            tokio::time::sleep(TURN).await;
        }
    }
}

/// Goes once through all working lists.
pub(in crate::sidekiq) async fn look(engine: &Engine) -> Result<(), RedisError> {
    let mut cursor = 0_u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(engine.settings.keys.working_lists()).arg("COUNT").arg(1000);
        let (next, keys): (u64, Vec<Vec<u8>>) = engine.redis.query(&scan).await?;
        for key in keys.iter().filter_map(|key| str::from_utf8(key).ok()) {
            engine.observer.turn("rescue");
            if let Err(error) = rescue(engine, key).await {
                // A key of another type that happens to bear such a name must not keep the others from being rescued.
                if !error.is_refusal() {
                    return Err(error);
                }
                engine.outage.failed("rescuing jobs", &error);
            }
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}

async fn rescue(engine: &Engine, list: &str) -> Result<(), RedisError> {
    let keys = &engine.settings.keys;
    let Some((queue, owner)) = keys.parse_working_list(list) else { return Ok(()) };
    if owner == engine.identity.as_str() {
        return Ok(());
    }
    if engine.redis.query(redis::cmd("EXISTS").arg(keys.lease(owner))).await? {
        return Ok(());
    }
    let mut rescued = 0;
    loop {
        // The oldest stands last.
        let mut range = redis::cmd("LRANGE");
        range.arg(list).arg(-isize::try_from(BATCH).unwrap_or(isize::MAX)).arg(-1);
        let texts: Vec<Vec<u8>> = engine.redis.query(&range).await?;
        let jobs: Vec<(Bytes, Verdict)> = texts
            .into_iter()
            .rev()
            .map(Bytes::from)
            .map(|text| (text.clone(), quarantine::judge(&text, &engine.settings)))
            .collect();
        if jobs.is_empty() {
            break;
        }
        let moved = move_page(engine, list, queue, owner, &jobs).await?;
        let all = moved.iter().all(|moved| *moved);
        for ((text, verdict), _) in jobs.iter().zip(moved).filter(|(_, moved)| *moved) {
            match verdict {
                Verdict::Again(_) => rescued += 1,
                Verdict::Aside(_, reason) => set_aside(engine, queue, text, reason).await,
            }
        }
        if !all || jobs.len() < BATCH {
            break;
        }
    }
    if rescued > 0 {
        tracing::warn!(queue, owner, jobs = rescued, "jobs of a dead process are back in their queue");
        engine.observer.rescued(queue, rescued);
    }
    Ok(())
}

/// Tells of each job whether it was moved: none is if the owner lives, and one only once.
async fn move_page(
    engine: &Engine,
    list: &str,
    queue: &str,
    owner: &str,
    jobs: &[(Bytes, Verdict)],
) -> Result<Vec<bool>, RedisError> {
    let keys = &engine.settings.keys;
    let (now, oldest, last_rank) = quarantine::bounds();
    let mut script = RESCUE.key(list);
    script.key(keys.queue(queue)).key(keys.lease(owner)).key(keys.interrupted());
    script.arg(now).arg(oldest).arg(last_rank);
    for (text, verdict) in jobs {
        let (new, place) = match verdict {
            Verdict::Again(new) => (new, "again"),
            Verdict::Aside(new, _) => (new, "aside"),
        };
        script.arg(&text[..]).arg(&new[..]).arg(place);
    }
    engine.redis.invoke(&script).await
}

/// Lets the code behind a job that was set aside clear up, if the class is ours.
async fn set_aside(engine: &Engine, queue: &str, text: &Bytes, reason: &str) {
    engine.observer.quarantined(queue, 1);
    let Ok(payload) = Payload::parse(text.clone()) else { return };
    let job = Job::new(payload, queue, &CancellationToken::new());
    let (class, jid) = (brief(job.class()), brief(job.jid()));
    tracing::error!(%class, %jid, queue, "{reason} `sidemirror job release` brings it back");
    if let Some(work) = engine.registry.find(job.class()) {
        work.abandoned(&job, reason).await;
    }
}
