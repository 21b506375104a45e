//! The proof that this process lives, for whoever looks after the jobs of dead ones.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::outage::PAUSE;
use crate::connections::{Redis, RedisError};

/// Without a refresh for so long we count as dead.
const LIFE: u64 = 60;
/// The time between two refreshes.
const REFRESH: Duration = Duration::from_secs(20);
/// After this time without a refresh nothing is fetched before the next: the process was stopped or cut off.
const OVERDUE: Duration = Duration::from_secs(30);

pub(super) struct Lease {
    redis: Redis,
    key: String,
    /// When the last successful refresh was *sent*.
    refreshed: Mutex<Option<Instant>>,
}

impl Lease {
    pub(super) fn new(redis: Redis, key: String) -> Self {
        Self { redis, key, refreshed: Mutex::new(None) }
    }

    /// Whether rescuers leave our jobs alone for a good while yet.
    pub(super) fn is_fresh(&self) -> bool {
        let refreshed = *self.refreshed.lock().unwrap_or_else(PoisonError::into_inner);
        refreshed.is_some_and(|at| at.elapsed() < OVERDUE)
    }

    /// Refreshes the lease if it is overdue, so that a fetch may follow.
    pub(super) async fn ensure(&self) -> Result<(), RedisError> {
        if self.is_fresh() { Ok(()) } else { self.refresh().await }
    }

    /// Gives the lease back: what still lies in our lists may be taken at once.
    pub(super) async fn end(&self) -> Result<(), RedisError> {
        self.redis.query(redis::cmd("DEL").arg(&self.key)).await
    }

    async fn refresh(&self) -> Result<(), RedisError> {
        let sent = Instant::now();
        self.redis.query::<()>(redis::cmd("SET").arg(&self.key).arg("1").arg("EX").arg(LIFE)).await?;
        *self.refreshed.lock().unwrap_or_else(PoisonError::into_inner) = Some(sent);
        Ok(())
    }
}

/// Keeps the lease as long as the process lives.
pub(super) async fn keep(engine: &Engine) {
    loop {
        let pause = match engine.lease.refresh().await {
            Ok(()) => REFRESH,
            Err(error) => {
                engine.outage.failed("refreshing the lease", &error);
                PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}
