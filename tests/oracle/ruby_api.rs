//! Redis through the eyes of Ruby's API.

use serde::Deserialize;
use serde_json::Value;

use crate::rig::redis::Redis;
use crate::rig::ruby::Ruby;

/// What Sidekiq's dashboard would show.
#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    pub(crate) processed: u64,
    pub(crate) failed: u64,
    pub(crate) processed_today: u64,
    pub(crate) failed_today: u64,
    pub(crate) enqueued: u64,
    pub(crate) queues: serde_json::Map<String, Value>,
    pub(crate) scheduled: u64,
    pub(crate) processes: u64,
    pub(crate) busy: u64,
    pub(crate) retry: Vec<Entry>,
    pub(crate) dead: Vec<Entry>,
}

/// One job that failed. Fields that are not there are null.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Entry {
    #[serde(deserialize_with = "from_hex")]
    pub(crate) value: Vec<u8>,
    pub(crate) score: f64,
    /// When it is due, or died.
    pub(crate) at: f64,
    pub(crate) class: Value,
    pub(crate) queue: Value,
    pub(crate) jid: Value,
    pub(crate) tags: Vec<String>,
    pub(crate) error_class: Value,
    pub(crate) error_message: Value,
    pub(crate) retry_count: Value,
    pub(crate) failed_at: Value,
    pub(crate) retried_at: Value,
    pub(crate) backtrace: Option<Vec<String>>,
}

/// Asks this Ruby what is in Redis now.
pub(crate) fn look(ruby: Ruby, redis: &Redis) -> Seen {
    serde_json::from_value(ruby.eval(&redis.url(), include_str!("sets.rb"))).unwrap()
}

impl Seen {
    /// The entry of this job in either set.
    pub(crate) fn entry(&self, jid: &str) -> &Entry {
        let found = self.retry.iter().chain(&self.dead).find(|entry| entry.jid == jid);
        found.unwrap_or_else(|| panic!("{jid} is in neither set"))
    }
}

/// Bytes that a script wrote as hexadecimal digits.
pub(crate) fn from_hex<'de, D: serde::Deserializer<'de>>(hex: D) -> Result<Vec<u8>, D::Error> {
    let hex = String::deserialize(hex)?;
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).map_err(serde::de::Error::custom);
    (0..hex.len()).step_by(2).map(digits).collect()
}
