//! Which Sidekiq the Ruby side runs, told from what it leaves in Redis.
//!
//! A living process is the best witness: since 7.0.2 it says its version, and before that the key under which it
//! shows what it is doing changed with 6.5. Where none lives, only the clients write, and their jobs tell 8 from all
//! others. What we wrote ourselves proves nothing.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::client;
use super::job::payload::Payload;
use super::keys::Keys;
use super::presence::processes::{self, OUR_LABEL};
use super::profile::Profile;
use crate::connections::{Redis, RedisError};

/// Queues whose jobs are looked at, and jobs at either end of a queue or set.
const QUEUES: usize = 100;
const JOBS: isize = 10;

/// What was found, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detection {
    /// The version whose habits to follow: if there are several, the oldest, since the newer ones read its formats.
    pub profile: Profile,
    /// What tells it.
    pub evidence: Evidence,
}

/// What tells the version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// So many living processes, and the profiles that they follow, the oldest first.
    Processes(usize, Vec<Profile>),
    /// A job of this class, whose times are written as only this version writes them.
    Job(String),
    /// Nothing does.
    Nothing,
}

impl Evidence {
    /// Whether several versions are at work.
    pub fn is_mixed(&self) -> bool {
        matches!(self, Self::Processes(_, profiles) if profiles.len() > 1)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Processes(count, profiles) => {
                let names: Vec<String> = profiles.iter().map(ToString::to_string).collect();
                let plural = if *count == 1 { "" } else { "es" };
                write!(f, "{count} living Ruby process{plural} of Sidekiq {}", names.join(" and "))
            }
            Self::Job(class) => write!(f, "no living Ruby process, but a job of {class:?} with times in milliseconds"),
            Self::Nothing => f.write_str("no living Ruby process, and no job that tells"),
        }
    }
}

/// Looks at living processes, and where there are none, at jobs.
///
/// # Errors
/// When Redis does not answer.
pub async fn detect(redis: &Redis, keys: &Keys) -> Result<Detection, RedisError> {
    if let Some(found) = by_processes(redis, keys).await? {
        return Ok(found);
    }
    Ok(match witness(redis, keys).await? {
        Some(class) => Detection { profile: Profile::V8, evidence: Evidence::Job(class) },
        None => Detection { profile: Profile::default(), evidence: Evidence::Nothing },
    })
}

/// What living Ruby processes tell; nothing if there are none.
///
/// # Errors
/// When Redis does not answer.
pub async fn by_processes(redis: &Redis, keys: &Keys) -> Result<Option<Detection>, RedisError> {
    #[derive(Deserialize)]
    struct Info {
        version: Option<String>,
        #[serde(default)]
        labels: Vec<String>,
    }
    let infos = processes::infos(redis, keys).await?.into_iter();
    let parsed = infos.filter_map(|(identity, info)| Some((identity, serde_json::from_slice::<Info>(&info?).ok()?)));
    let ruby = parsed.filter(|(_, info)| !info.labels.iter().any(|label| label == OUR_LABEL));
    let (mut profiles, mut silent) = (Vec::new(), Vec::new());
    for (identity, info) in ruby {
        match info.version.as_deref().and_then(Profile::of_version) {
            Some(profile) => profiles.push(profile),
            None => silent.push(identity),
        }
    }
    profiles.extend(of_silent(redis, keys, &silent).await?);
    let count = profiles.len();
    profiles.sort_unstable();
    profiles.dedup();
    let oldest = profiles.first().copied();
    Ok(oldest.map(|profile| Detection { profile, evidence: Evidence::Processes(count, profiles) }))
}

/// The profiles of processes that do not say their version. Idle, 6.4 and 6.5 look alike; then it is 6.4, since what we
/// write for it shows in both.
async fn of_silent(redis: &Redis, keys: &Keys, identities: &[Vec<u8>]) -> Result<Vec<Profile>, RedisError> {
    if identities.is_empty() {
        return Ok(Vec::new());
    }
    let mut look = redis::pipe();
    for identity in identities {
        look.cmd("EXISTS").arg(keys.named(&format!("{}:work", String::from_utf8_lossy(identity))));
    }
    let shown: Vec<bool> = redis.pipeline(&look).await?;
    Ok(shown.into_iter().map(|shown| if shown { Profile::V6_5 } else { Profile::V6_4 }).collect())
}

/// The class of a job that a client of Sidekiq 8 made.
async fn witness(redis: &Redis, keys: &Keys) -> Result<Option<String>, RedisError> {
    let queues: Vec<Vec<u8>> = redis.query(redis::cmd("SRANDMEMBER").arg(keys.queues()).arg(QUEUES)).await?;
    let mut look = redis::pipe();
    for queue in &queues {
        let queue = keys.queue(&String::from_utf8_lossy(queue));
        look.cmd("LRANGE").arg(&queue).arg(-JOBS).arg(-1);
        look.cmd("LRANGE").arg(&queue).arg(0).arg(JOBS - 1);
    }
    for set in [keys.schedule(), keys.retry(), keys.dead()] {
        look.cmd("ZRANGE").arg(&set).arg(-JOBS).arg(-1);
        look.cmd("ZRANGE").arg(&set).arg(0).arg(JOBS - 1);
    }
    // A key of another kind must not hide the others.
    look.ignore_errors();
    let answers: Vec<redis::RedisResult<Vec<Vec<u8>>>> = redis.pipeline(&look).await?;
    let jobs = answers.into_iter().flat_map(Result::unwrap_or_default);
    Ok(jobs.filter_map(|job| Payload::parse(job).ok()).find_map(|job| {
        let is_eight = job.get::<Value>("created_at").is_some_and(|at| Profile::V8.wrote(&at));
        (is_eight && !client::is_ours(&job)).then(|| job.get("class"))?
    }))
}
