//! One job cancelled by its id, wherever it is: what waits goes to the dead set at once, what runs is told to leave by
//! its process, which looks for a key of the job's name (`orders`).

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use redis::Script;
use tokio_util::sync::CancellationToken;

use crate::connections::{Redis, RedisError};
use crate::sidekiq::clock;
use crate::sidekiq::engine::Engine;
use crate::sidekiq::job::Job;
use crate::sidekiq::job::payload::Payload;
use crate::sidekiq::keys::{Keys, escaped};
use crate::sidekiq::orders::LONGEST_JID;
use crate::sidekiq::presence::processes;
use crate::sidekiq::profile::Profile;
use crate::sidekiq::settings::{DeadSettings, Settings};
use crate::sidekiq::settle::Settlement;
use crate::sidekiq::settle::dead::Bounds;

const ERROR_CLASS: &str = "Sidemirror::Cancelled";

/// How long a cancellation stands that nobody obeys, as in GitLab.
const LIFE: Duration = Duration::from_hours(24);

/// Jobs looked at in one round trip.
const PAGE: isize = 1000;

/// Takes a job out of a sorted set or a list into the dead set, if it still is where it was. It leaves where it was only
/// when it has got there: Redis takes nothing back of a script that fails in the middle.
static BURY: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local put = redis.pcall('ZADD', KEYS[2], ARGV[3], ARGV[2])
         if type(put) ~= 'number' then return put end
         local gone
         if ARGV[6] == 'set' then gone = redis.pcall('ZREM', KEYS[1], ARGV[1])
         else gone = redis.pcall('LREM', KEYS[1], 1, ARGV[1]) end
         if gone ~= 1 then
           if put == 1 then redis.call('ZREM', KEYS[2], ARGV[2]) end
           return gone
         end
         redis.pcall('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[4])
         redis.pcall('ZREMRANGEBYRANK', KEYS[2], 0, ARGV[5])
         return 1",
    )
});

/// How a job ends that was cancelled in this process: in the dead set, whatever it says about retries.
pub(in crate::sidekiq) fn end(engine: &Engine, job: &Job) -> Settlement {
    Settlement::Dead(dead_text(job.payload(), engine.settings.profile))
}

fn dead_text(payload: &Payload, profile: Profile) -> Bytes {
    let when = if payload.raw("failed_at").is_some() { "retried_at" } else { "failed_at" };
    let edit = payload.edit().set("error_message", Cancellations::REASON).set("error_class", ERROR_CLASS);
    edit.set(when, profile.timestamp(clock::now())).finish()
}

/// Where a job was that is to be cancelled.
#[derive(Debug)]
pub enum Found {
    /// It waited in this queue or set, and lies in the dead set now.
    Waiting {
        /// `queue:mirrors`, `retry` or `schedule`.
        place: String,
        /// The job as it was.
        job: Box<Job>,
    },
    /// It is in the hands of this process.
    InHand {
        /// The process's name.
        owner: String,
        /// Whether it is of our kind, and will obey. Ruby's do so only with GitLab's own cancellation.
        ours: bool,
    },
    /// It is nowhere, or in the memory of a Ruby process; nothing was done.
    Nowhere,
}

/// Cancels jobs.
#[derive(Debug, Clone)]
pub struct Cancellations {
    redis: Redis,
    keys: Keys,
    profile: Profile,
    dead: DeadSettings,
    queues: Vec<String>,
}

impl Cancellations {
    /// What stands with a job that was cancelled.
    pub const REASON: &'static str = "Cancelled by an administrator.";

    /// Cancels jobs of the Sidekiq that these settings are for.
    pub fn new(redis: Redis, settings: &Settings) -> Self {
        Self {
            redis,
            keys: settings.keys.clone(),
            profile: settings.profile,
            dead: settings.dead.clone(),
            queues: settings.queues().into_iter().map(ToString::to_string).collect(),
        }
    }

    /// Cancels the job of this id. One that runs here or elsewhere is told to leave within a second.
    ///
    /// # Errors
    /// When Redis does not answer; what was ordered then stands for a day at most.
    pub async fn cancel(&self, jid: &str) -> Result<Found, RedisError> {
        if jid.is_empty() || jid.len() > LONGEST_JID {
            return Ok(Found::Nowhere);
        }
        // First the order, then the search: a job that is fetched in between is seen to by its process.
        let mut order = redis::pipe();
        order.atomic();
        for key in [self.keys.cancellation(jid), self.keys.cancellations()] {
            order.cmd("SET").arg(key).arg("1").arg("EX").arg(LIFE.as_secs()).ignore();
        }
        self.redis.pipeline::<()>(&order).await?;
        // A job may have moved from where was still to be looked to where had been looked already: look twice.
        for _ in 0..2 {
            if let Some(found) = self.search(jid).await? {
                return Ok(found);
            }
        }
        self.withdraw(jid).await?;
        Ok(Found::Nowhere)
    }

    /// Whether the cancellation of this job still stands: its process removes it when the job has ended.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn stands(&self, jid: &str) -> Result<bool, RedisError> {
        self.redis.query(redis::cmd("EXISTS").arg(self.keys.cancellation(jid))).await
    }

    /// Whether a job of this id lies in the dead set.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn is_dead(&self, jid: &str) -> Result<bool, RedisError> {
        Ok(self.in_set(&self.keys.dead(), jid).await?.is_some())
    }

    async fn withdraw(&self, jid: &str) -> Result<(), RedisError> {
        self.redis.query(redis::cmd("DEL").arg(self.keys.cancellation(jid))).await
    }

    async fn search(&self, jid: &str) -> Result<Option<Found>, RedisError> {
        for set in ["schedule", "retry"] {
            if let Some(payload) = self.in_set(&self.keys.named(set), jid).await?
                && let Some(found) = self.bury(&self.keys.named(set), set, "set", payload).await?
            {
                return Ok(Some(found));
            }
        }
        let names: Vec<Vec<u8>> = self.redis.query(redis::cmd("SMEMBERS").arg(self.keys.queues())).await?;
        let mut queues: Vec<String> = names.into_iter().filter_map(|name| String::from_utf8(name).ok()).collect();
        queues.extend(self.queues.iter().cloned());
        queues.sort();
        queues.dedup();
        for queue in queues {
            let key = self.keys.queue(&queue);
            if let Some(payload) = self.in_list(&key, jid).await?
                && let Some(found) = self.bury(&key, &format!("queue:{queue}"), "list", payload).await?
            {
                return Ok(Some(found));
            }
        }
        self.in_hand(jid).await
    }

    async fn bury(&self, key: &str, place: &str, kind: &str, payload: Payload) -> Result<Option<Found>, RedisError> {
        let bounds = Bounds::now(&self.dead);
        let text = dead_text(&payload, self.profile);
        let mut script = BURY.key(key);
        script.key(self.keys.dead()).arg(&payload.as_bytes()[..]).arg(&text[..]);
        script.arg(bounds.now).arg(bounds.oldest).arg(bounds.last_rank).arg(kind);
        if !self.redis.invoke::<bool>(&script).await? {
            return Ok(None);
        }
        if let Some(jid) = payload.get::<String>("jid") {
            self.withdraw(&jid).await?;
        }
        let queue: String = payload.get("queue").unwrap_or_default();
        let job = Box::new(Job::new(payload, &queue, &CancellationToken::new()));
        Ok(Some(Found::Waiting { place: place.to_owned(), job }))
    }

    async fn in_set(&self, key: &str, jid: &str) -> Result<Option<Payload>, RedisError> {
        let pattern: String = "*".chars().chain(jid.chars().flat_map(escaped)).chain("*".chars()).collect();
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("ZSCAN");
            scan.arg(key).arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(PAGE);
            let (next, members): (u64, Vec<(Vec<u8>, f64)>) = self.redis.query(&scan).await?;
            if let Some(found) = members.into_iter().find_map(|(member, _)| with_id(member, jid)) {
                return Ok(Some(found));
            }
            if next == 0 {
                return Ok(None);
            }
            cursor = next;
        }
    }

    /// From the left: what is pushed meanwhile is met again, and nothing is missed.
    async fn in_list(&self, key: &str, jid: &str) -> Result<Option<Payload>, RedisError> {
        for page in 0.. {
            let mut range = redis::cmd("LRANGE");
            range.arg(key).arg(page * PAGE).arg((page + 1) * PAGE - 1);
            let members: Vec<Vec<u8>> = self.redis.query(&range).await?;
            if members.is_empty() {
                break;
            }
            if let Some(found) = members.into_iter().find_map(|member| with_id(member, jid)) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    async fn in_hand(&self, jid: &str) -> Result<Option<Found>, RedisError> {
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(self.keys.working_lists()).arg("COUNT").arg(PAGE);
            let (next, lists): (u64, Vec<Vec<u8>>) = self.redis.query(&scan).await?;
            for list in lists.iter().filter_map(|list| str::from_utf8(list).ok()) {
                let Some((_, owner)) = self.keys.parse_working_list(list) else { continue };
                if self.in_list(list, jid).await?.is_some() {
                    let ours = processes::is_ours(&self.redis, &self.keys, owner).await?;
                    return Ok(Some(Found::InHand { owner: owner.to_owned(), ours }));
                }
            }
            if next == 0 {
                return Ok(None);
            }
            cursor = next;
        }
    }
}

/// The job in this text, if it has this id.
fn with_id(text: Vec<u8>, jid: &str) -> Option<Payload> {
    // Most do not even hold it; those need not be parsed.
    text.windows(jid.len()).find(|part| *part == jid.as_bytes())?;
    let payload = Payload::parse(text).ok()?;
    (payload.get::<String>("jid").as_deref() == Some(jid)).then_some(payload)
}
