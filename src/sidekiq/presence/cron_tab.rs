//! A schedule of ours in the cron tab that sidekiq-cron puts into Sidekiq's Web UI.
//!
//! There it looks like an entry that Ruby made at run time: it can be disabled, enqueued at once and deleted, and
//! Ruby's own poller fires it, too. Whoever first writes a minute down as enqueued has it; the others leave it alone.
//!
//! Version 1 of sidekiq-cron and version 2 keep their entries under different keys. 2 moves those of 1 to its own when
//! a process of it starts, so ours is written for 2 only if that has written there before.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde_json::json;

use crate::connections::{Redis, RedisError};
use crate::sidekiq::client::new_jid;
use crate::sidekiq::keys::Keys;

/// Every minute; sidekiq-cron knows nothing finer.
const CRON: &str = "* * * * *";
/// How times are written for people.
const TIME: &str = "%Y-%m-%d %H:%M:%S +0000";
/// How long a minute is remembered as enqueued.
const REMEMBERED: TimeDelta = TimeDelta::days(1);
/// Runs that the entry shows.
const HISTORY: isize = 10;

/// An entry of ours that is due every minute.
#[derive(Debug, Clone)]
pub struct CronTab {
    redis: Redis,
    keys: Keys,
    /// Its name in the tab.
    name: &'static str,
    description: &'static str,
    /// The job that Ruby pushes when it is the first, or somebody wants it now.
    class: &'static str,
    queue: String,
}

/// Whose minute it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Ours. The tab shows it under this id, if the entry has not been deleted.
    Ours(Option<String>),
    /// Somebody else's: Ruby has pushed a job, or another process of ours has done the work.
    Taken,
    /// Nobody's: the entry is disabled.
    Disabled,
}

/// Which keys an entry lies under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    fn set(self) -> &'static str {
        match self {
            Self::One => "cron_jobs",
            Self::Two => "cron_jobs:default",
        }
    }

    fn entry(self, name: &str) -> String {
        match self {
            Self::One => format!("cron_job:{name}"),
            Self::Two => format!("cron_job:default:{name}"),
        }
    }
}

impl CronTab {
    /// The entry of this name, whose jobs of `class` go into `queue`.
    pub fn new(
        redis: Redis,
        keys: Keys,
        name: &'static str,
        description: &'static str,
        class: &'static str,
        queue: String,
    ) -> Self {
        Self { redis, keys, name, description, class, queue }
    }

    /// Writes the entry. One that is there already stays enabled or disabled, and keeps what it shows.
    ///
    /// # Errors
    /// When Redis does not answer; the entry may have been written then.
    pub async fn register(&self) -> Result<(), RedisError> {
        let version = match self.find().await? {
            Some(version) => version,
            None if self.redis.query(redis::cmd("EXISTS").arg(self.keys.named(Version::Two.set()))).await? => {
                Version::Two
            }
            None => Version::One,
        };
        let message = json!({ "retry": false, "queue": self.queue, "class": self.class, "args": [] }).to_string();
        let entry = version.entry(self.name);
        let key = self.keys.named(&entry);
        let mut write = redis::pipe();
        write.atomic();
        write
            .cmd("HMSET")
            .arg(&key)
            .arg(&[("name", self.name), ("klass", self.class), ("cron", CRON), ("description", self.description)])
            // Ruby deletes entries that it takes for its own schedule's and does not find there.
            .arg(&[("source", "dynamic"), ("namespace", "default"), ("args", "[]"), ("message", &message)])
            .arg(&[("active_job", "0"), ("date_as_argument", "0"), ("symbolize_args", "0")])
            .arg(&[("queue_name_prefix", ""), ("queue_name_delimiter", ""), ("retry", "false")])
            .ignore();
        write.cmd("HSETNX").arg(&key).arg("status").arg("enabled").ignore();
        write.cmd("SADD").arg(self.keys.named(version.set())).arg(&entry).ignore();
        self.redis.pipeline(&write).await
    }

    /// Disables the entry, as the button in the tab does.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn disable(&self) -> Result<(), RedisError> {
        let Some(version) = self.find().await? else { return Ok(()) };
        let key = self.keys.named(&version.entry(self.name));
        self.redis.query(redis::cmd("HSET").arg(key).arg("status").arg("disabled")).await
    }

    /// Tries to have the minute of `now`, and writes down that we do if so. A deleted entry keeps nobody from working.
    ///
    /// # Errors
    /// When Redis does not answer; the minute may be ours then, but nobody knows.
    pub async fn turn(&self, now: DateTime<Utc>) -> Result<Turn, RedisError> {
        let Some(version) = self.find().await? else { return Ok(Turn::Ours(None)) };
        let key = self.keys.named(&version.entry(self.name));
        let mut fields = redis::cmd("HMGET");
        fields.arg(&key).arg("status").arg("last_enqueue_time");
        let (status, last): (Option<String>, Option<String>) = self.redis.query(&fields).await?;
        if status.is_some_and(|status| status != "enabled") {
            return Ok(Turn::Disabled);
        }
        let minute = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
        if last.as_deref().and_then(parse).is_some_and(|last| last >= minute) {
            return Ok(Turn::Taken);
        }
        // To the letter as Ruby writes it, since the text decides who is the first.
        let mut have = redis::cmd("ZADD");
        let enqueued = format!("{key}:enqueued");
        have.arg(&enqueued).arg(minute.timestamp()).arg(minute.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        if !self.redis.query::<bool>(&have).await? {
            return Ok(Turn::Taken);
        }
        let jid = new_jid();
        if let Err(error) = self.show(&key, &enqueued, &jid, now).await {
            tracing::warn!(%error, "the cron tab does not show this minute");
        }
        Ok(Turn::Ours(Some(jid)))
    }

    async fn show(&self, key: &str, enqueued: &str, jid: &str, now: DateTime<Utc>) -> Result<(), RedisError> {
        let time = now.format(TIME).to_string();
        let history = format!("{key}:jid_history");
        let mut write = redis::pipe();
        write.atomic();
        write.cmd("HSET").arg(key).arg("last_enqueue_time").arg(&time).ignore();
        write.cmd("LPUSH").arg(&history).arg(json!({ "jid": jid, "enqueued": time }).to_string()).ignore();
        write.cmd("LTRIM").arg(&history).arg(0).arg(HISTORY - 1).ignore();
        let forgotten = format!("({}", (now - REMEMBERED).timestamp());
        write.cmd("ZREMRANGEBYSCORE").arg(enqueued).arg(0).arg(forgotten).ignore();
        self.redis.pipeline(&write).await
    }

    /// Where the entry lies. While 2 moves it, it lies under both; what counts then is what 2 has.
    async fn find(&self) -> Result<Option<Version>, RedisError> {
        let mut look = redis::pipe();
        for version in [Version::Two, Version::One] {
            look.cmd("SISMEMBER").arg(self.keys.named(version.set())).arg(version.entry(self.name));
        }
        let (two, one): (bool, bool) = self.redis.pipeline(&look).await?;
        Ok(if two { Some(Version::Two) } else { one.then_some(Version::One) })
    }
}

/// A time as Ruby writes it: with an offset, or, when the entry was saved again, with `UTC`.
fn parse(text: &str) -> Option<DateTime<Utc>> {
    let text = text.replace("UTC", "+0000");
    DateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S %z").ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_time_are_understood() {
        let time: DateTime<Utc> = "2026-11-22T07:11:05Z".parse().unwrap();
        assert_eq!(parse(&time.format(TIME).to_string()), Some(time));
        assert_eq!(parse("2026-11-22 07:11:05 UTC"), Some(time));
        assert_eq!(parse("2026-11-22 08:11:05 +0100"), Some(time));
        assert_eq!((parse(""), parse("soon")), (None, None));
    }
}
