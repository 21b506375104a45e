//! How many runs are at one far side, and whether it is worth going there: shared by all nodes, so that none of them
//! overruns a host, asks it while it wants to be left alone, or waits again for one that another has found dead.
//!
//! A run enters before it connects and leaves with what it found, one round trip each. Its place has an end and is
//! renewed while it lives. While Redis does not answer nobody is kept from working.

mod overview;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::Script;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use overview::{HostView, given_up, read as overview};

use crate::connections::{Redis, RedisError};
use crate::mirror::hosts::HostRules;

static ENTER: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("enter.lua")));
static LEAVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("leave.lua")));
/// Only a place that is still there: one that was left must not come back by a renewal on its way.
static RENEW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.replicate_commands then redis.replicate_commands() end
         local time = redis.call('TIME')
         local now = time[1] * 1000 + math.floor(time[2] / 1000)
         redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], ARGV[1])
         return redis.call('PEXPIRE', KEYS[1], 2 * ARGV[2])",
    )
});

/// Hosts that are given up, by when they may be tried again.
const OPEN: &str = "sidemirror:hosts:open";
/// Hosts that runs were put off for, by when that was last so.
const HELD: &str = "sidemirror:hosts:held";

/// How long after its last sign of life a run's place at a host is free again.
const LEASE: Duration = Duration::from_secs(30);

/// A run waits so long itself for its turn, so that a rate is kept evenly.
const OWN_WAIT: Duration = Duration::from_secs(1);

/// Characters of a host's name and of an error that are kept.
const LONGEST_TEXT: usize = 500;

/// The hosts, as this process sees them.
#[derive(Debug, Clone)]
pub struct Hosts {
    redis: Redis,
    rules: HostRules,
    /// Redis did not answer the last time. Told once.
    unknown: Arc<AtomicBool>,
}

/// What a run is told that wants to go to a host.
#[derive(Debug)]
pub enum Entry {
    /// It may.
    In(Place),
    /// Not now.
    Held {
        /// Why.
        reason: Held,
        /// The time after which it may.
        wait: Duration,
        /// For how long the host has been asking to be left alone, if it does.
        since: Duration,
    },
    /// Nobody may: the host is given up for a while.
    Open {
        /// How long it has been failing.
        since: Duration,
        /// The time after which one run may try.
        wait: Duration,
        /// The last failure.
        error: String,
    },
}

/// Why a run may not go to a host now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// As many runs as are allowed are there.
    Full,
    /// As many runs as are allowed were begun in the last second.
    Rate,
    /// The host wants to be left alone; with what it said.
    RetryAfter(String),
}

/// Who is to leave a host alone for some time, since it asked for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// Everybody: it is out of service.
    All(Duration),
    /// Whoever goes there with this run's login: that asks too often.
    Login(Duration),
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("as many runs as are allowed are there (mirror.hosts.concurrency)"),
            Self::Rate => f.write_str("as many runs as are allowed were begun there (mirror.hosts.rate)"),
            Self::RetryAfter(said) => write!(f, "it asked to be left alone: {}", said.trim_end_matches('.')),
        }
    }
}

impl Held {
    /// The reason as a metric's label.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Rate => "rate",
            Self::RetryAfter(_) => "retry_after",
        }
    }
}

/// How a run found a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It answered, whatever it was.
    Answered,
    /// It failed as a host, in these words.
    Failed(String),
    /// So it seems, but the reason may be this node's own. Other nodes go on until one of them finds the same.
    Doubted(String),
    /// Nothing was learnt about it.
    Nothing,
}

/// What leaving a host led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing new.
    None,
    /// The host is given up.
    Opened,
    /// The host is back.
    Closed,
}

/// A run's place at a host.
#[derive(Debug)]
pub struct Place {
    hosts: Hosts,
    host: String,
    run: String,
    /// Stands for the login with which the run goes there; empty without one.
    login: String,
    /// How long the run has to wait for its turn.
    pub wait: Duration,
    /// `None` where Redis did not answer.
    renewing: Option<DropGuard>,
}

impl Hosts {
    /// The hosts on this Redis, by these rules.
    pub fn new(redis: Redis, rules: HostRules) -> Self {
        Self { redis, rules, unknown: Arc::default() }
    }

    /// Asks for the run of this name (`node:…`) whether it may go to `host` (`host:port`) with a login for which `login`
    /// stands; empty without one.
    pub async fn enter(&self, host: &str, run: &str, login: &str) -> Entry {
        let interval = self.rules.rate.map_or(0.0, |rate| 1000.0 / f64::from(rate));
        let keys = Keys::of(host);
        let mut call = ENTER.key(&keys.state);
        call.key(&keys.runs).key(OPEN).key(HELD).key(keys.pause(login)).arg(run).arg(milliseconds(LEASE));
        call.arg(self.rules.concurrency.unwrap_or(0)).arg(interval).arg(milliseconds(OWN_WAIT));
        call.arg(short(host)).arg(&keys.id);
        let answer: Result<(String, u64, u64, String), RedisError> = self.redis.invoke(&call).await;
        self.told(answer.as_ref().err());
        let (hosts, owned) = (self.clone(), str::to_owned);
        let place =
            |wait, renewing| Place { hosts, host: owned(host), run: owned(run), login: owned(login), wait, renewing };
        let Ok((verdict, wait, since, error)) = answer else { return Entry::In(place(Duration::ZERO, None)) };
        let (wait, since) = (Duration::from_millis(wait), Duration::from_millis(since));
        let held = |reason| Entry::Held { reason, wait, since };
        match verdict.as_str() {
            "open" => Entry::Open { since, wait, error },
            "retry_after" => held(Held::RetryAfter(error)),
            "full" => held(Held::Full),
            "rate" => held(Held::Rate),
            _ => {
                let ended = CancellationToken::new();
                tokio::spawn(keep(self.redis.clone(), keys.runs, run.to_owned(), ended.clone()));
                Entry::In(place(wait, Some(ended.drop_guard())))
            }
        }
    }

    /// Says once that Redis does not tell, and once that it does again.
    fn told(&self, error: Option<&RedisError>) {
        match (error, self.unknown.swap(error.is_some(), Ordering::Relaxed)) {
            (Some(error), false) => {
                tracing::warn!(%error, "what other nodes know of the hosts is not to be had; runs go on without");
            }
            (None, true) => tracing::info!("what other nodes know of the hosts is known again"),
            _ => {}
        }
    }
}

impl Place {
    /// Leaves, with what was found, and who is to leave the host alone, if it said so: in the words of `said`.
    pub async fn leave(self, found: &Found, alone: Option<Alone>, said: &str) -> Turn {
        if self.renewing.is_none() {
            return Turn::None;
        }
        let (word, error) = match found {
            Found::Answered => ("answered", said),
            Found::Failed(error) => ("failed", error.as_str()),
            Found::Doubted(error) => ("doubted", error.as_str()),
            Found::Nothing => ("nothing", said),
        };
        let (alone, whom) = match alone {
            None => (Duration::ZERO, "all"),
            Some(Alone::All(time)) => (time, "all"),
            Some(Alone::Login(time)) => (time, "login"),
        };
        let (keys, rules) = (Keys::of(&self.host), self.hosts.rules);
        let mut call = LEAVE.key(&keys.state);
        call.key(&keys.runs).key(OPEN).key(HELD).key(keys.pause(&self.login));
        call.arg(&self.run).arg(word).arg(short(error)).arg(rules.failures);
        call.arg(milliseconds(rules.pause)).arg(milliseconds(HostRules::LONGEST_PAUSE));
        let longest = HostRules::LONGEST_DELAY;
        call.arg(milliseconds(alone.min(longest)))
            .arg(short(&self.host))
            .arg(&keys.id)
            .arg(whom)
            .arg(milliseconds(longest));
        let answer: Result<u8, RedisError> = self.hosts.redis.invoke(&call).await;
        self.hosts.told(answer.as_ref().err());
        match answer {
            Ok(1) => Turn::Opened,
            Ok(2) => Turn::Closed,
            _ => Turn::None,
        }
    }
}

/// The keys of one host. Its name is anybody's to choose, so only a digest of it goes into them.
struct Keys {
    id: String,
    state: String,
    runs: String,
}

impl Keys {
    fn of(host: &str) -> Self {
        let digest = Sha256::digest(host.as_bytes());
        let id = digest.iter().take(16).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        Self { state: format!("sidemirror:hosts:{id}"), runs: format!("sidemirror:hosts:{id}:runs"), id }
    }

    /// Where stands that a login is to stay away.
    fn pause(&self, login: &str) -> String {
        format!("{}:pause:{login}", self.state)
    }
}

/// Renews a place until its run ends. An outage only costs the place.
async fn keep(redis: Redis, runs: String, run: String, ended: CancellationToken) {
    loop {
        tokio::select! {
            () = ended.cancelled() => return,
            () = tokio::time::sleep(LEASE / 3) => {}
        }
        let mut call = RENEW.key(&runs);
        call.arg(&run).arg(milliseconds(LEASE));
        let renewal = redis.invoke::<()>(&call);
        if ended.run_until_cancelled(renewal).await.is_none() {
            return;
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
