//! Which hosts are in trouble, for those who look from outside.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::Cmd;

use super::{HELD, OPEN};
use crate::connections::{Redis, RedisError};

/// Hosts looked at, the worst first; more nobody reads.
const MOST: isize = 100;

/// For so long after runs were put off a host counts as held.
const RECENT: u64 = 60_000;

/// Seconds for which a host is remembered that nobody asks any more.
const REMEMBERED: u64 = 24 * 3600;

/// A host that is given up, or for which runs were put off a moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostView {
    /// `host:port`.
    pub name: String,
    /// Runs that are there.
    pub runs: u64,
    /// Failures in a row.
    pub failures: u64,
    /// How long it has been failing.
    pub failing: Option<Duration>,
    /// Whether it is given up: runs fail at once until one that tries succeeds.
    pub open: bool,
    /// The time until one run may try, where it is given up, or until the host may be asked again, where it said so.
    pub wait: Duration,
    /// The last failure, or what the host said.
    pub error: String,
}

type Fields = (Option<String>, Option<u64>, Option<u64>, Option<f64>, Option<String>, Option<f64>, Option<String>);

/// Reads them.
///
/// # Errors
/// When Redis does not answer.
pub async fn read(redis: &Redis) -> Result<Vec<HostView>, RedisError> {
    let (seconds, micros): (u64, u64) = redis.query(&redis::cmd("TIME")).await?;
    let now = seconds * 1000 + micros / 1000;
    let mut sets = redis::pipe();
    sets.add_command(Cmd::zrevrange(OPEN, 0, MOST - 1));
    sets.add_command(Cmd::zrevrangebyscore_limit(HELD, "+inf", now.saturating_sub(RECENT), 0, MOST));
    let (open, held): (BTreeSet<String>, Vec<String>) = redis.pipeline(&sets).await?;
    let mut ids: Vec<String> = open.into_iter().chain(held).collect();
    ids.sort();
    ids.dedup();
    let mut views = Vec::new();
    for id in ids {
        let state = format!("sidemirror:hosts:{id}");
        let mut look = redis::pipe();
        let fields = ["name", "failures", "since", "open_until", "error", "retry_at", "retry_error"];
        look.add_command(Cmd::hmget(&state, &fields));
        look.add_command(Cmd::zcount(format!("{state}:runs"), now, "+inf"));
        let ((name, failures, since, open_until, error, retry_at, retry_error), runs): (Fields, u64) =
            redis.pipeline(&look).await?;
        let Some(name) = name else { continue };
        let until =
            |moment: Option<f64>| moment.map(|moment| Duration::from_secs_f64((moment - now as f64).max(0.0) / 1000.0));
        let asked = until(retry_at).filter(|wait| !wait.is_zero());
        views.push(HostView {
            name,
            runs,
            failures: failures.unwrap_or(0),
            failing: since.map(|since| Duration::from_millis(now.saturating_sub(since))),
            open: open_until.is_some(),
            wait: until(open_until).or(asked).unwrap_or_default(),
            error: error.or(retry_error.filter(|_| asked.is_some())).unwrap_or_default(),
        });
    }
    views.sort_by(|one, other| (!one.open, &one.name).cmp(&(!other.open, &other.name)));
    Ok(views)
}

/// How many hosts are given up.
///
/// # Errors
/// When Redis does not answer.
pub async fn given_up(redis: &Redis) -> Result<usize, RedisError> {
    let (seconds, _): (u64, u64) = redis.query(&redis::cmd("TIME")).await?;
    // One that no run has tried since is forgotten, as its other traces are.
    redis.query(&Cmd::zcount(OPEN, seconds.saturating_sub(REMEMBERED) * 1000, "+inf")).await
}
