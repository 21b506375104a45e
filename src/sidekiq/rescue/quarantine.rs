//! The quarantine: jobs under which their workers died too often. It has the shape of GitLab's reliable fetcher: the
//! sorted set `interrupted`, with `interrupted_count` in the payload.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use redis::Script;
use serde_json::Value;

use crate::connections::{Redis, RedisError};
use crate::sidekiq::clock;
use crate::sidekiq::job::payload::Payload;
use crate::sidekiq::keys::Keys;
use crate::sidekiq::profile::Profile;
use crate::sidekiq::settings::Settings;

pub(super) const COUNT: &str = "interrupted_count";
const LIMIT: &str = "max_retries_after_interruption";
const ERROR_CLASS: &str = "Sidemirror::WorkerDied";

/// How long a job stays set aside.
const KEPT: Duration = Duration::from_hours(90 * 24);
/// Whoever stands at this rank or before is removed: 9,999 stay, as with GitLab.
const LAST_RANK: i64 = -10_000;
/// Jobs read in one round trip.
const PAGE: isize = 1000;

/// What becomes of a job whose worker died.
pub(in crate::sidekiq) enum Verdict {
    /// Back into its queue, with this text.
    Again(Bytes),
    /// Set aside, with this text, for this reason.
    Aside(Bytes, String),
}

/// Decides about a job that lay in the list of a dead process.
pub(in crate::sidekiq) fn judge(text: &Bytes, settings: &Settings) -> Verdict {
    // What is no job is found to be none where it is fetched next.
    let Ok(payload) = Payload::parse(text.clone()) else { return Verdict::Again(text.clone()) };
    let count = payload.get::<Value>(COUNT).as_ref().map_or(0, whole).max(0).saturating_add(1);
    let limit = match payload.get::<Value>(LIMIT) {
        None | Some(Value::Null) => settings.max_interruptions.map(i64::from),
        Some(own) => Some(whole(&own)).filter(|own| *own >= 0),
    };
    let edit = payload.edit().set(COUNT, count);
    if limit.is_none_or(|limit| count < limit) {
        return Verdict::Again(edit.finish());
    }
    let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
    let reason = format!("Set aside: the worker died {times} while it was at this job.");
    Verdict::Aside(edit.set("error_message", reason.as_str()).set("error_class", ERROR_CLASS).finish(), reason)
}

/// Ruby's `to_i`, for what is likely to stand there.
fn whole(value: &Value) -> i64 {
    match value {
        Value::Number(number) => number.as_i64().unwrap_or_default(),
        Value::String(text) => text.trim().parse().unwrap_or_default(),
        _ => 0,
    }
}

/// What stays in the set: the score of a new member, the oldest score that stays, the last rank that does not.
pub(in crate::sidekiq) fn bounds() -> (f64, f64, i64) {
    let now = clock::now();
    (now, now - KEPT.as_secs_f64(), LAST_RANK)
}

/// Puts a job back into its queue, if it still is set aside. It leaves the set only when it has got there.
static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
         redis.call('SADD', KEYS[2], ARGV[3])
         local put = redis.pcall('LPUSH', KEYS[3], ARGV[2])
         if type(put) ~= 'number' then return put end
         redis.call('ZREM', KEYS[1], ARGV[1])
         return 1",
    )
});

/// A job that is set aside.
#[derive(Debug, Clone, PartialEq)]
pub struct Quarantined {
    /// The job's id.
    pub jid: String,
    /// Its class.
    pub class: String,
    /// The queue it goes back to.
    pub queue: String,
    /// How often its worker died.
    pub interruptions: i64,
    /// When it was set aside, in seconds since 1970.
    pub since: f64,
    /// Why, if the process that did so tells.
    pub reason: Option<String>,
}

/// The jobs that are set aside, ours and those of GitLab's reliable fetchers.
#[derive(Debug, Clone)]
pub struct Quarantine {
    redis: Redis,
    keys: Keys,
    profile: Profile,
}

impl Quarantine {
    /// The quarantine of the Sidekiq under these keys.
    pub fn new(redis: Redis, keys: Keys, profile: Profile) -> Self {
        Self { redis, keys, profile }
    }

    /// All of them, the oldest first; what is no job is left out.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn list(&self) -> Result<Vec<Quarantined>, RedisError> {
        let jobs = self.members().await?.into_iter().map(|(payload, since)| Quarantined {
            jid: payload.get("jid").unwrap_or_default(),
            class: payload.get("class").unwrap_or_default(),
            queue: payload.get("queue").unwrap_or_default(),
            interruptions: payload.get::<Value>(COUNT).as_ref().map_or(0, whole),
            since,
            reason: payload.get("error_message").filter(|_| died(&payload)),
        });
        Ok(jobs.collect())
    }

    /// Puts the job of this id back into its queue, as if no worker had died under it. Gives the queue, or `None` if no
    /// such job is set aside.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn release(&self, jid: &str) -> Result<Option<String>, RedisError> {
        for (payload, _) in self.members().await? {
            let Some(queue) = payload.get::<String>("queue") else { continue };
            if payload.get::<String>("jid").as_deref() != Some(jid) {
                continue;
            }
            let mut edit = payload.edit().remove(COUNT).set("enqueued_at", self.profile.timestamp(clock::now()));
            if died(&payload) {
                edit = edit.remove("error_message").remove("error_class");
            }
            let mut script = RELEASE.key(self.keys.interrupted());
            script.key(self.keys.queues()).key(self.keys.queue(&queue));
            script.arg(&payload.as_bytes()[..]).arg(&edit.finish()[..]).arg(&queue);
            if self.redis.invoke(&script).await? {
                return Ok(Some(queue));
            }
        }
        Ok(None)
    }

    async fn members(&self) -> Result<Vec<(Payload, f64)>, RedisError> {
        let mut all = Vec::new();
        for page in 0.. {
            let mut range = redis::cmd("ZRANGE");
            range.arg(self.keys.interrupted()).arg(page * PAGE).arg((page + 1) * PAGE - 1).arg("WITHSCORES");
            let members: Vec<(Vec<u8>, f64)> = self.redis.query(&range).await?;
            if members.is_empty() {
                break;
            }
            all.extend(members.into_iter().filter_map(|(text, since)| Some((Payload::parse(text).ok()?, since))));
        }
        Ok(all)
    }
}

/// Whether the error that stands in the payload is ours.
fn died(payload: &Payload) -> bool {
    payload.get::<String>("error_class").as_deref() == Some(ERROR_CLASS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sidekiq::fetch::queues::QueueSet;

    fn verdict(text: &str, max: Option<u32>) -> (bool, String) {
        let queues = QueueSet::new([("q".to_owned(), 1)]).unwrap();
        let settings = Settings { max_interruptions: max, ..Settings::new(1, queues, Profile::V7) };
        let (aside, text) = match judge(&Bytes::from(text.to_owned()), &settings) {
            Verdict::Again(text) => (false, text),
            Verdict::Aside(text, _) => (true, text),
        };
        (aside, String::from_utf8_lossy(&text).into_owned())
    }

    #[test]
    fn every_death_is_counted_and_no_other_byte_is_touched() {
        let again = |text: &str| (false, text.to_owned());
        assert_eq!(verdict(r#"{"x":1E5,"jid":"j"}"#, Some(3)), again(r#"{"x":1E5,"jid":"j","interrupted_count":1}"#));
        assert_eq!(
            verdict(r#"{"interrupted_count": "1" ,"x":1E5}"#, Some(3)),
            again(r#"{"interrupted_count": 2 ,"x":1E5}"#)
        );
        assert_eq!(verdict("not json", Some(0)), again("not json"));
    }

    #[test]
    fn the_third_death_is_the_last_unless_the_job_or_the_settings_say_otherwise() {
        assert!(verdict(r#"{"interrupted_count":2}"#, Some(3)).0);
        assert!(!verdict(r#"{"interrupted_count":1}"#, Some(3)).0);
        assert!(!verdict(r#"{"interrupted_count":99}"#, None).0);
        assert!(verdict(r#"{"max_retries_after_interruption":1}"#, None).0);
        assert!(!verdict(r#"{"interrupted_count":99,"max_retries_after_interruption":-1}"#, Some(3)).0);
        assert!(verdict("{}", Some(0)).0);
    }
}
