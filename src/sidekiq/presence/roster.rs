//! The processes that say they live, for people who want to know.

use serde::Deserialize;

use super::processes::OUR_LABEL;
use crate::connections::{Redis, RedisError};
use crate::sidekiq::clock;
use crate::sidekiq::keys::Keys;

/// Processes looked at: their names come from a set that anybody can write into.
const MOST: usize = 1000;

/// One process, as it describes itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its name, `HOST:PID:NONCE`.
    pub identity: String,
    /// Which queues it serves.
    pub queues: Vec<String>,
    /// The version of Sidekiq whose formats it writes; Ruby's tells it from 7.0.2 on.
    pub version: Option<String>,
    /// The version of sidemirror; `None` for a process of Ruby's.
    pub sidemirror: Option<String>,
    /// Seconds since its last sign of life.
    pub silent: f64,
}

/// `info` and `beat`, as they lie in Redis.
type Entry = (Option<Vec<u8>>, Option<f64>);

/// What a process says about itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Info {
    queues: Vec<String>,
    labels: Vec<String>,
    version: Option<String>,
}

/// All processes with an entry that still lives, by name.
///
/// # Errors
/// When Redis does not answer.
pub async fn listed_processes(redis: &Redis, keys: &Keys) -> Result<Vec<Listed>, RedisError> {
    let mut identities: Vec<Vec<u8>> = redis.query(redis::cmd("SMEMBERS").arg(keys.processes())).await?;
    identities.sort();
    identities.truncate(MOST);
    let mut commands = redis::pipe();
    for identity in &identities {
        commands.cmd("HMGET").arg(keys.entry(&String::from_utf8_lossy(identity))).arg("info").arg("beat");
    }
    if identities.is_empty() {
        return Ok(Vec::new());
    }
    // Anybody can put a name into the set: what is no process's entry must not hide the others.
    commands.ignore_errors();
    let entries: Vec<redis::RedisResult<Entry>> = redis.pipeline(&commands).await?;
    let listed = identities.iter().zip(entries).filter_map(|(identity, entry)| {
        let (info, beat) = entry.ok()?;
        let info: Info = serde_json::from_slice(&info?).unwrap_or_default();
        let ours = info.labels.iter().any(|label| label == OUR_LABEL);
        let version_of_ours = || {
            let tagged = info.labels.iter().find_map(|label| label.strip_prefix(OUR_LABEL)?.strip_prefix('-'));
            tagged.unwrap_or("unknown").to_owned()
        };
        Some(Listed {
            identity: String::from_utf8_lossy(identity).into_owned(),
            sidemirror: ours.then(version_of_ours),
            queues: info.queues,
            version: info.version,
            silent: clock::now() - beat.unwrap_or(0.0),
        })
    });
    Ok(listed.collect())
}
