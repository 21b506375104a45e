//! What a process tells about itself every few seconds, in words that every version of Sidekiq's dashboard reads.

use std::time::{Duration, Instant};

use redis::Pipeline;
use serde_json::{Value, json};

use super::dump;
use super::latency;
use super::processes::OUR_LABEL;
use crate::connections::RedisError;
use crate::sidekiq::clock;
use crate::sidekiq::engine::Engine;
use crate::sidekiq::fetch::capsule::Capsule;
use crate::sidekiq::fetch::hands::Held;
use crate::sidekiq::fetch::queues::QueueSet;
use crate::sidekiq::rescue::loss;

/// How long an entry outlives its process, in seconds.
const LIFE: u32 = 60;
/// The longest time without a sign of life.
const TURN: Duration = Duration::from_secs(2);

/// Beats until the process has ended: also while it stops, since jobs are still running then. A beat that has begun is
/// not broken off: what it has taken to write down would be lost.
pub(in crate::sidekiq) async fn run(engine: &Engine, started_at: f64) {
    let info = info(engine, started_at).to_string();
    while !engine.ended.is_cancelled() {
        if let Err(error) = latency::measure(engine).await {
            engine.outage.failed("measuring the queues", &error);
        }
        let was_quiet = engine.quiet.is_cancelled();
        match beat(engine, &info).await {
            Ok((is_new, signal)) => {
                engine.outage.worked();
                if is_new && let Err(error) = loss::look(engine).await {
                    engine.outage.failed("renewing the lease", &error);
                }
                if let Some(signal) = signal {
                    obey(engine, &signal);
                }
            }
            Err(error) => engine.outage.failed("the heartbeat", &error),
        }
        let next = tokio::time::Instant::now() + engine.settings.profile.beat_period();
        while tokio::time::Instant::now() < next {
            engine.observer.turn("heartbeat");
            tokio::select! {
                () = tokio::time::sleep_until(next.min(tokio::time::Instant::now() + TURN)) => {}
                () = engine.ended.cancelled() => return,
                // Whoever asked for it looks whether it shows.
                () = engine.quiet.cancelled(), if !was_quiet => break,
            }
        }
    }
}

/// One heartbeat. Tells whether we were not on the list of processes, and gives the signal that somebody left for us,
/// at most one each time.
async fn beat(engine: &Engine, info: &str) -> Result<(bool, Option<String>), RedisError> {
    match engine.flush_figures().await {
        // Figures are no proof of life: others must see us whether these can be written or not.
        Err(error) if !error.is_outage() => engine.outage.failed("writing the figures", &error),
        flushed => flushed?,
    }

    // Both the list of jobs and their number come from one look.
    let held = engine.hands.held();
    let mut busy = redis::pipe();
    busy.atomic();
    write_busy_hash(engine, &held, &mut busy);
    engine.redis.pipeline::<()>(&busy).await?;

    let sent = Instant::now();
    engine.redis.query::<()>(&redis::cmd("PING")).await?;
    let rtt_us = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);

    let (keys, identity) = (&engine.settings.keys, engine.identity.as_str());
    let mut entry = redis::pipe();
    entry.atomic();
    entry.cmd("SADD").arg(keys.processes()).arg(identity);
    entry
        .cmd("HMSET")
        .arg(keys.entry(identity))
        .arg(&[("info", info)])
        .arg(&[("busy", held.len()), ("concurrency", engine.settings.concurrency())])
        .arg(&[("beat", clock::now())])
        .arg(&[("rtt_us", rtt_us), ("rss", resident_kib())])
        .arg(&[("quiet", if engine.quiet.is_cancelled() { "true" } else { "false" })])
        .ignore();
    entry.cmd("EXPIRE").arg(keys.entry(identity)).arg(LIFE).ignore();
    entry.cmd("RPOP").arg(keys.signals(&engine.identity));
    engine.redis.pipeline(&entry).await
}

fn write_busy_hash(engine: &Engine, held: &[Held], commands: &mut Pipeline) {
    let keys = busy_keys(engine);
    commands.cmd("UNLINK").arg(&keys).ignore();
    for held in held {
        // Readers parse the payload a second time: it is a string here.
        let payload = String::from_utf8_lossy(&held.fetched.bytes);
        let mut work = json!({ "queue": &*held.fetched.queue, "payload": payload, "run_at": clock::whole(held.since) });
        if let (Some(execution), Some(work)) = (&held.execution, work.as_object_mut()) {
            // Ours alone: `sidemirror status` tells from it what is overdue.
            work.extend(execution.expected().map(|limit| ("expected".to_owned(), limit.as_secs().into())));
            work.extend(execution.progress().map(|progress| ("progress".to_owned(), progress.into())));
        }
        for key in &keys {
            commands.cmd("HSET").arg(key).arg(&held.slot).arg(work.to_string()).ignore();
        }
    }
    for key in &keys {
        commands.cmd("EXPIRE").arg(key).arg(LIFE).ignore();
    }
}

fn busy_keys(engine: &Engine) -> Vec<String> {
    engine.settings.keys.busy(&engine.identity, engine.settings.profile)
}

/// The union of what all versions write: each reader takes what it knows.
fn info(engine: &Engine, started_at: f64) -> Value {
    let settings = &engine.settings;
    let queues: Vec<&str> = settings.queues().into_iter().map(|queue| &**queue).collect();
    let weights = |queues: &QueueSet| queues.weights().collect::<Value>();
    let capsule = |capsule: &Capsule| {
        let Capsule { name, concurrency, queues } = capsule;
        (name.clone(), json!({ "concurrency": concurrency, "mode": queues.mode(), "weights": weights(queues) }))
    };
    let mut labels = vec![OUR_LABEL.to_owned(), concat!("sidemirror-", env!("CARGO_PKG_VERSION")).to_owned()];
    labels.extend_from_slice(&settings.labels);
    json!({
        "hostname": engine.identity.hostname(),
        "started_at": started_at,
        "pid": std::process::id(),
        "tag": settings.tag,
        "concurrency": settings.concurrency(),
        "capsules": settings.capsules.iter().map(capsule).collect::<Value>(),
        "queues": queues,
        "weights": settings.capsules.iter().map(|capsule| weights(&capsule.queues)).collect::<Vec<_>>(),
        "labels": labels,
        "identity": engine.identity.as_str(),
        "version": settings.profile.version(),
        "embedded": false,
    })
}

/// Does what somebody asked for from the dashboard.
fn obey(engine: &Engine, signal: &str) {
    match signal {
        "TSTP" => engine.quiet.cancel(),
        "TERM" | "INT" => engine.asked_to_stop.cancel(),
        "TTIN" => dump::dump(engine),
        _ => tracing::warn!("an unknown signal was left for this process"),
    }
}

/// Takes our entry away. The hash itself is left to age, as Sidekiq does it.
pub(in crate::sidekiq) async fn say_goodbye(engine: &Engine) -> Result<(), RedisError> {
    let mut commands = redis::pipe();
    commands.cmd("SREM").arg(engine.settings.keys.processes()).arg(engine.identity.as_str()).ignore();
    commands.cmd("UNLINK").arg(busy_keys(engine)).ignore();
    engine.redis.pipeline(&commands).await
}

/// The memory this process holds, in KiB; 0 where the system does not tell.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
