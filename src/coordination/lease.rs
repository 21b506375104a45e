//! A lease: a key with an owner and an end. Whoever holds it may trust it until a moment that is reckoned from
//! before it was asked for, and so lies before the moment at which Redis lets others have it.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::{Cmd, Script};

use crate::connections::{Redis, RedisError};

/// Deletes a key, or sets its end anew, only while it holds the owner's name.
static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new("if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0")
});
static RENEW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0",
    )
});

/// How much earlier than Redis the owner stops to trust its lease, as a part of its length.
const MARGIN: u32 = 10;

/// A lease that was obtained.
#[derive(Debug, Clone)]
pub struct Lease {
    redis: Redis,
    key: String,
    owner: String,
    length: Duration,
    trusted_until: Arc<Mutex<Instant>>,
}

/// Whether a lease was obtained.
#[derive(Debug)]
pub enum Attempt {
    /// It is ours.
    Taken(Lease),
    /// Somebody else has it.
    HeldBy(String),
}

impl Lease {
    /// Tries once to obtain a lease of this length.
    pub async fn take(redis: &Redis, key: String, owner: String, length: Duration) -> Result<Attempt, RedisError> {
        let asked = Instant::now();
        let mut set = redis::cmd("SET");
        set.arg(&key).arg(&owner).arg("NX").arg("PX").arg(milliseconds(length));
        let mut pipeline = redis::pipe();
        pipeline.add_command(set).add_command(Cmd::get(&key));
        let (set, holder): (Option<String>, Option<String>) = redis.pipeline(&pipeline).await?;
        if let Some(holder) = holder.filter(|holder| *holder != owner) {
            return Ok(Attempt::HeldBy(holder));
        }
        let trusted_until = Arc::new(Mutex::new(if set.is_some() { asked + trust(length) } else { asked }));
        let lease = Self { redis: redis.clone(), key, owner, length, trusted_until };
        // Ours from before, when an answer was lost: it may be about to end.
        if set.is_some() || lease.renew().await? {
            Ok(Attempt::Taken(lease))
        } else {
            Ok(Attempt::HeldBy(String::new()))
        }
    }

    /// Renews it for its whole length; `false` if it is no longer ours.
    pub async fn renew(&self) -> Result<bool, RedisError> {
        let asked = Instant::now();
        let mut call = RENEW.key(&self.key);
        let ours: bool = self.redis.invoke(call.arg(&self.owner).arg(milliseconds(self.length))).await?;
        *self.trusted_until.lock().unwrap_or_else(PoisonError::into_inner) =
            if ours { asked + trust(self.length) } else { asked };
        Ok(ours)
    }

    /// Whether nobody else can have it yet, as far as our own clock tells.
    pub fn is_trusted(&self) -> bool {
        Instant::now() < *self.trusted_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often it should be renewed.
    pub fn renewal_period(&self) -> Duration {
        self.length / 3
    }

    /// Gives it back.
    pub async fn release(&self) -> Result<(), RedisError> {
        let mut call = RELEASE.key(&self.key);
        self.redis.invoke::<()>(call.arg(&self.owner)).await
    }
}

fn trust(length: Duration) -> Duration {
    length.saturating_sub(length / MARGIN)
}

fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
