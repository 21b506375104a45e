//! Pushing jobs, as Sidekiq's own client does.

pub(in crate::sidekiq) mod origin;
pub(in crate::sidekiq) mod when;

use std::fmt;
use std::time::Duration;

use redis::Cmd;
use serde_json::{Map, Value};

use self::origin::Origin;
use self::when::When;
use crate::connections::{Redis, RedisError};
use crate::sidekiq::clock;
use crate::sidekiq::job::payload::Payload;
use crate::sidekiq::keys::Keys;
use crate::sidekiq::presence::latency;
use crate::sidekiq::profile::Profile;

/// What tells our jobs from those that Ruby pushes, where their times look alike: one field more, which Ruby keeps and
/// shows with the others that it does not know.
const PUSHED_BY: (&str, &str) = ("pushed_by", "sidemirror");

/// Whether a client of ours made this job, and made it for Sidekiq 8.
pub(in crate::sidekiq) fn is_ours(payload: &Payload) -> bool {
    payload.get::<String>(PUSHED_BY.0).as_deref() == Some(PUSHED_BY.1)
}

/// A job that has an id but lies in no queue yet.
#[derive(Clone)]
pub struct NewJob {
    class: String,
    jid: String,
    queue: String,
    retry: Value,
    options: Map<String, Value>,
    args: Vec<Value>,
}

impl NewJob {
    /// A job with a new id, for the queue `default`, to be retried as the serving process likes.
    pub fn new(class: impl Into<String>, args: Vec<Value>) -> Self {
        Self {
            class: class.into(),
            jid: new_jid(),
            queue: "default".to_owned(),
            retry: Value::Bool(true),
            options: Map::new(),
            args,
        }
    }

    /// Goes into this queue.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = queue.into();
        self
    }

    /// `true` (the default limit), `false` (never) or a number of retries.
    #[must_use]
    pub fn retry(mut self, retry: impl Into<Value>) -> Self {
        self.retry = retry.into();
        self
    }

    /// Carries a further field, such as `dead`, `backtrace` or `tags`.
    #[must_use]
    pub fn with(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.options.insert(field.into(), value.into());
        self
    }

    /// Carries the context of the job that pushes it.
    #[must_use]
    pub fn caused_by(mut self, origin: &Origin) -> Self {
        self.options.extend(origin.fields());
        self
    }

    /// The job's id.
    pub fn jid(&self) -> &str {
        &self.jid
    }

    /// The queue it goes into.
    pub fn queue_name(&self) -> &str {
        &self.queue
    }

    /// The payload, in the order in which Ruby writes it. What waits for its time is not enqueued yet.
    fn payload(&self, profile: Profile, now: f64, enqueued: bool) -> String {
        let mut fields = Map::new();
        fields.insert("retry".to_owned(), self.retry.clone());
        fields.insert("queue".to_owned(), self.queue.as_str().into());
        fields.extend(self.options.clone());
        fields.insert("args".to_owned(), self.args.clone().into());
        fields.insert("class".to_owned(), self.class.as_str().into());
        fields.insert("jid".to_owned(), self.jid.as_str().into());
        fields.insert("created_at".to_owned(), profile.timestamp(now));
        if enqueued {
            fields.insert("enqueued_at".to_owned(), profile.timestamp(now));
        }
        // Only of 8 do jobs tell the version (`detection`); for the others we write what Ruby writes, to the letter.
        if profile == Profile::V8 {
            fields.insert(PUSHED_BY.0.to_owned(), PUSHED_BY.1.into());
        }
        Value::Object(fields).to_string()
    }
}

impl fmt::Debug for NewJob {
    /// Without the arguments, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewJob({} {} for {})", self.class, self.jid, self.queue)
    }
}

/// 24 hexadecimal digits by chance, as Sidekiq makes them.
pub(in crate::sidekiq) fn new_jid() -> String {
    format!("{:024x}", rand::random::<u128>() >> 32)
}

/// Puts jobs into queues, or where they wait for their time.
#[derive(Debug, Clone)]
pub struct Client {
    redis: Redis,
    keys: Keys,
    profile: Profile,
}

/// Jobs in one `LPUSH`, and in one `ZADD`, which costs Redis more.
const BATCH: usize = 1000;
const SCHEDULED_BATCH: usize = 100;

impl Client {
    /// A client that writes under these keys as this version of Sidekiq does.
    pub fn new(redis: Redis, keys: Keys, profile: Profile) -> Self {
        Self { redis, keys, profile }
    }

    /// How long the next job of a queue has been waiting; zero if there is none.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn latency(&self, queue: &str) -> Result<Duration, RedisError> {
        Ok(latency::of(&self.redis, &self.keys, &[queue]).await?.pop().unwrap_or_default())
    }

    /// Puts one job into its queue.
    ///
    /// # Errors
    /// When Redis cannot be reached. Unless the error [is a refusal](RedisError::is_refusal), the job may have
    /// been pushed all the same.
    pub async fn push(&self, job: &NewJob) -> Result<(), RedisError> {
        self.push_bulk(std::slice::from_ref(job)).await
    }

    /// Puts one job into its queue when its time comes.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub async fn push_at(&self, job: &NewJob, when: When) -> Result<(), RedisError> {
        self.push_bulk_at(std::slice::from_ref(job), when).await
    }

    /// Puts many jobs into their queues, a thousand at a time, all with the same time of enqueueing.
    ///
    /// # Errors
    /// As [`push`](Self::push); jobs before the failing thousand are in their queues.
    pub async fn push_bulk(&self, jobs: &[NewJob]) -> Result<(), RedisError> {
        let now = clock::now();
        let mut queues: Vec<&str> = Vec::new();
        for job in jobs {
            if !queues.contains(&job.queue.as_str()) {
                queues.push(&job.queue);
            }
        }
        for queue in queues {
            let payloads: Vec<String> =
                jobs.iter().filter(|job| job.queue == queue).map(|job| job.payload(self.profile, now, true)).collect();
            self.send(redis::cmd("SADD").arg(self.keys.queues()).arg(queue)).await?;
            for batch in payloads.chunks(BATCH) {
                self.send(redis::cmd("LPUSH").arg(self.keys.queue(queue)).arg(batch)).await?;
            }
        }
        Ok(())
    }

    /// Puts many jobs into their queues when their time comes; at once, if that is past.
    ///
    /// # Errors
    /// As [`push_bulk`](Self::push_bulk), a hundred at a time.
    pub async fn push_bulk_at(&self, jobs: &[NewJob], when: When) -> Result<(), RedisError> {
        let now = clock::now();
        let Some(due) = when.after(now) else { return self.push_bulk(jobs).await };
        for batch in jobs.chunks(SCHEDULED_BATCH) {
            let mut add = redis::cmd("ZADD");
            add.arg(self.keys.schedule());
            for job in batch {
                add.arg(due).arg(job.payload(self.profile, now, false));
            }
            self.send(&add).await?;
        }
        Ok(())
    }

    /// Sends a command once more if a server refused it that is no longer the master, or has lost its replicas: by
    /// then the connection leads to the new one. What may have been done is not done again.
    async fn send(&self, command: &Cmd) -> Result<(), RedisError> {
        match self.redis.query(command).await {
            Err(error) if is_failover(&error) => self.redis.query(command).await,
            answer => answer,
        }
    }
}

/// Whether a server refused a command because another one is, or is about to be, the master.
fn is_failover(error: &RedisError) -> bool {
    let RedisError::Command { source, .. } = error else { return false };
    matches!(source.code(), Some("READONLY" | "NOREPLICAS" | "UNBLOCKED"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_written_as_ruby_writes_it() {
        let job = NewJob::new("HardWorker", vec!["ok".into(), 1.into()]).queue("mirrors").retry(3).with("dead", false);
        assert!(job.jid().len() == 24 && job.jid().bytes().all(|digit| digit.is_ascii_hexdigit()));
        assert_eq!(
            job.payload(Profile::V6_4, 1_700_000_000.0, true),
            format!(
                "{{\"retry\":3,\"queue\":\"mirrors\",\"dead\":false,\"args\":[\"ok\",1],\"class\":\"HardWorker\",\
                 \"jid\":\"{}\",\"created_at\":1700000000.0,\"enqueued_at\":1700000000.0}}",
                job.jid()
            )
        );
        let waiting = job.payload(Profile::V8, 1_700_000_000.25, false);
        assert!(waiting.ends_with("\"created_at\":1700000000250,\"pushed_by\":\"sidemirror\"}"), "{waiting}");
    }
}
