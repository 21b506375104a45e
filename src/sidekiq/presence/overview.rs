//! What all processes of one Redis together tell about themselves: what an administrator wants to see at a glance.

use std::time::Duration;

use redis::{FromRedisValue, RedisResult, Value as Reply};
use serde::Deserialize;
use serde_json::Value;

use super::processes::OUR_LABEL;
use crate::connections::{Redis, RedisError};
use crate::sidekiq::clock;
use crate::sidekiq::job;
use crate::sidekiq::job::payload::Payload;
use crate::sidekiq::keys::Keys;
use crate::sidekiq::orders::switches::{Standing, Switches};

/// Everything at a glance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overview {
    /// The processes that say they live, by name.
    pub processes: Vec<ProcessView>,
    /// The queues that were ever pushed to or are served, by name.
    pub queues: Vec<QueueView>,
    /// How much lies in the sets.
    pub sizes: Sizes,
    /// Orders that stand.
    pub standing: Standing,
}

/// A process, as of its last heartbeat.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProcessView {
    /// Its name.
    pub identity: String,
    /// Whether it is of our kind.
    pub ours: bool,
    /// What it is called beside its name; may be empty.
    pub tag: String,
    /// The version of Sidekiq that it says it is; may be empty.
    pub version: String,
    /// How many jobs it runs at once at most.
    pub concurrency: u64,
    /// Whether it takes no more jobs.
    pub quiet: bool,
    /// The queues that it serves.
    pub queues: Vec<String>,
    /// When it was started, in seconds since 1970.
    pub started_at: f64,
    /// The time since its last heartbeat.
    pub beat_age: Duration,
    /// What it is doing.
    pub work: Vec<WorkView>,
}

/// A job that runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WorkView {
    /// The slot or thread that runs it.
    pub slot: String,
    /// Its class; in a job of Rails the one that is wrapped.
    pub class: String,
    /// Its id.
    pub jid: String,
    /// The queue it came from.
    pub queue: String,
    /// How long it has been running.
    pub age: Duration,
    /// How long it should take at most, if its process tells.
    pub expected: Option<Duration>,
    /// How far it is, if its process tells.
    pub progress: Option<String>,
}

impl WorkView {
    /// Whether it takes longer than it should.
    pub fn is_overdue(&self) -> bool {
        self.expected.is_some_and(|expected| self.age > expected)
    }
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueView {
    /// Its name.
    pub name: String,
    /// Jobs that wait in it.
    pub length: u64,
    /// How long the next of them has been waiting.
    pub latency: Duration,
}

/// How much lies in the sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// Failed jobs that wait for their next attempt.
    pub retry: u64,
    /// Jobs that wait for a time.
    pub schedule: u64,
    /// Jobs that will not run again.
    pub dead: u64,
    /// Jobs that were set aside.
    pub interrupted: u64,
}

/// What a process says about itself.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Info {
    labels: Vec<String>,
    tag: Option<String>,
    version: Option<String>,
    concurrency: Option<u64>,
    queues: Vec<String>,
    started_at: f64,
}

impl Overview {
    /// Reads it, in a handful of round trips.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn read(redis: &Redis, keys: &Keys) -> Result<Self, RedisError> {
        let processes = processes(redis, keys).await?;
        let mut names = texts(redis, keys.queues()).await?;
        names.extend(processes.iter().flat_map(|process| process.queues.clone()));
        names.sort();
        names.dedup();
        let standing = Switches::new(redis.clone(), keys.clone()).standing().await?;
        Ok(Self { queues: queues(redis, keys, &names).await?, sizes: sizes(redis, keys).await?, processes, standing })
    }
}

/// The members of a set that are text.
async fn texts(redis: &Redis, key: String) -> Result<Vec<String>, RedisError> {
    let members: Vec<Vec<u8>> = redis.query(redis::cmd("SMEMBERS").arg(key)).await?;
    Ok(members.into_iter().filter_map(|member| String::from_utf8(member).ok()).collect())
}

async fn processes(redis: &Redis, keys: &Keys) -> Result<Vec<ProcessView>, RedisError> {
    let mut identities = texts(redis, keys.processes()).await?;
    identities.sort();
    let mut question = redis::pipe();
    // Anybody can put a name into the set: what is no process's entry must not hide the others.
    question.ignore_errors();
    for identity in &identities {
        let entry = keys.entry(identity);
        question.cmd("HMGET").arg(&entry).arg(&["info", "quiet", "beat", "concurrency"]);
        // The version decides under which of two names its work lies; some write both.
        question.cmd("HGETALL").arg(format!("{entry}:work")).cmd("HGETALL").arg(format!("{entry}:workers"));
    }
    if identities.is_empty() {
        return Ok(Vec::new());
    }
    let answers: Vec<RedisResult<Reply>> = redis.pipeline(&question).await?;
    let views = identities.into_iter().zip(answers.chunks_exact(3)).filter_map(|(identity, answers)| {
        let mut view = process(identity, answers.first()?)?;
        view.work = answers[1..].iter().map(work).find(|work| !work.is_empty()).unwrap_or_default();
        view.work.sort_by_key(|work| std::cmp::Reverse(work.age));
        Some(view)
    });
    Ok(views.collect())
}

/// A process, if it still lives.
fn process(identity: String, answer: &RedisResult<Reply>) -> Option<ProcessView> {
    let [info, quiet, beat, concurrency] = read::<Vec<Option<String>>>(answer)?.try_into().ok()?;
    let info: Info = serde_json::from_str(&info?).unwrap_or_default();
    Some(ProcessView {
        identity,
        ours: info.labels.iter().any(|label| label == OUR_LABEL),
        tag: info.tag.unwrap_or_default(),
        version: info.version.unwrap_or_default(),
        // From Sidekiq 8.1.2 on it stands beside the other figures.
        concurrency: concurrency.and_then(|text| text.parse().ok()).or(info.concurrency).unwrap_or_default(),
        quiet: quiet.as_deref() == Some("true"),
        queues: info.queues,
        started_at: info.started_at,
        beat_age: clock::since(beat.and_then(|text| text.parse().ok()).unwrap_or_default()),
        work: Vec::new(),
    })
}

fn work(answer: &RedisResult<Reply>) -> Vec<WorkView> {
    let slots: Vec<(String, String)> = read(answer).unwrap_or_default();
    slots.into_iter().filter_map(|(slot, text)| running(slot, &text)).collect()
}

fn running(slot: String, text: &str) -> Option<WorkView> {
    let entry: Value = serde_json::from_str(text).ok()?;
    let payload = match &entry["payload"] {
        Value::String(text) => Payload::parse(text.clone()).ok(),
        // Old processes wrote an object.
        object => Payload::parse(object.to_string()).ok(),
    };
    let field = |key: &str| payload.as_ref().and_then(|payload| payload.get::<String>(key));
    Some(WorkView {
        slot,
        class: field("wrapped").or_else(|| field("class")).unwrap_or_default(),
        jid: field("jid").unwrap_or_default(),
        queue: entry["queue"].as_str().unwrap_or_default().to_owned(),
        age: clock::since(entry["run_at"].as_f64()?),
        expected: entry["expected"].as_u64().map(Duration::from_secs),
        progress: entry["progress"].as_str().map(str::to_owned),
    })
}

async fn queues(redis: &Redis, keys: &Keys, names: &[String]) -> Result<Vec<QueueView>, RedisError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut question = redis::pipe();
    // A key of another type must not hide the other queues.
    question.ignore_errors();
    for name in names {
        question.cmd("LLEN").arg(keys.queue(name)).cmd("LINDEX").arg(keys.queue(name)).arg(-1);
    }
    let answers: Vec<RedisResult<Reply>> = redis.pipeline(&question).await?;
    let views = names.iter().zip(answers.chunks_exact(2)).map(|(name, answers)| QueueView {
        name: name.clone(),
        length: read(&answers[0]).unwrap_or_default(),
        latency: read::<Vec<u8>>(&answers[1])
            .and_then(|text| job::latency(&Payload::parse(text).ok()?))
            .unwrap_or_default(),
    });
    Ok(views.collect())
}

fn read<T: FromRedisValue>(answer: &RedisResult<Reply>) -> Option<T> {
    redis::from_redis_value_ref(answer.as_ref().ok()?).ok()
}

async fn sizes(redis: &Redis, keys: &Keys) -> Result<Sizes, RedisError> {
    let mut question = redis::pipe();
    for key in [keys.retry(), keys.schedule(), keys.dead(), keys.interrupted()] {
        question.cmd("ZCARD").arg(key);
    }
    let (retry, schedule, dead, interrupted) = redis.pipeline(&question).await?;
    Ok(Sizes { retry, schedule, dead, interrupted })
}
