//! The proof that this process lives, for whoever looks after the jobs of dead ones.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::RedisResult;

use super::loss;
use crate::connections::{Redis, RedisError};
use crate::sidekiq::engine::Engine;
use crate::sidekiq::outage::{Outage, PAUSE};

/// Without a refresh for so long we count as dead.
const LIFE: u64 = 60;
/// How long Redis remembers that we were there, in seconds: longer than any outage that jobs are to outlast.
const PRESENCE: u64 = 6 * 60 * 60;
/// The time between two refreshes.
const REFRESH: Duration = Duration::from_secs(20);
/// After this time without a refresh nothing is fetched before the next: the process was stopped or cut off. When a
/// fetch is sent the lease lasts for so long yet.
pub(in crate::sidekiq) const OVERDUE: Duration = Duration::from_secs(30);

pub(in crate::sidekiq) struct Lease {
    redis: Redis,
    key: String,
    /// What Redis knows us by for longer than the lease lasts.
    presence: String,
    /// When the last successful refresh was *sent*.
    refreshed: Mutex<Option<Instant>>,
}

impl Lease {
    pub(in crate::sidekiq) fn new(redis: Redis, key: String, presence: String) -> Self {
        Self { redis, key, presence, refreshed: Mutex::new(None) }
    }

    /// Whether rescuers leave our jobs alone for a good while yet.
    pub(in crate::sidekiq) fn is_fresh(&self) -> bool {
        let refreshed = *self.refreshed.lock().unwrap_or_else(PoisonError::into_inner);
        refreshed.is_some_and(|at| at.elapsed() < OVERDUE)
    }

    /// Redis was away: the lease may be gone, too. Nothing is fetched before the next refresh.
    pub(in crate::sidekiq) fn doubt(&self) {
        *self.refreshed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Gives the lease back: what still lies in our lists may be taken at once.
    pub(in crate::sidekiq) async fn end(&self) -> Result<(), RedisError> {
        self.redis.query(redis::cmd("DEL").arg(&self.key).arg(&self.presence)).await
    }

    /// Proves that we live. `false` if Redis did not know us: before [`begin`](Self::begin), or when it has lost its
    /// data since.
    pub(in crate::sidekiq) async fn refresh(&self, outage: &Outage) -> Result<bool, RedisError> {
        let sent = Instant::now();
        let mut commands = redis::pipe();
        // A server whose memory is full refuses SET but not EXPIRE: whoever lives must not look dead for that.
        commands.cmd("EXPIRE").arg(&self.key).arg(LIFE);
        commands.cmd("EXPIRE").arg(&self.presence).arg(PRESENCE);
        commands.cmd("SET").arg(&self.key).arg("1").arg("EX").arg(LIFE);
        commands.ignore_errors();
        let (lives, known, written): (RedisResult<bool>, RedisResult<bool>, RedisResult<()>) =
            self.redis.pipeline(&commands).await?;
        let refused = |source| self.redis.refused(source);
        let (lives, known) = (lives.map_err(refused)?, known.map_err(refused)?);
        match written.map_err(refused) {
            Ok(()) => outage.worked(),
            Err(error) if lives => outage.failed("refreshing the lease", &error),
            Err(error) => return Err(error),
        }
        *self.refreshed.lock().unwrap_or_else(PoisonError::into_inner) = Some(sent);
        Ok(known)
    }

    /// Makes Redis know us.
    pub(in crate::sidekiq) async fn begin(&self) -> Result<(), RedisError> {
        self.redis.query(redis::cmd("SET").arg(&self.presence).arg("1").arg("EX").arg(PRESENCE)).await
    }
}

/// Refreshes the lease if it is overdue or in doubt, so that a fetch may follow.
pub(in crate::sidekiq) async fn ensure(engine: &Engine) -> Result<(), RedisError> {
    if engine.lease.is_fresh() { Ok(()) } else { loss::look(engine).await }
}

/// Keeps the lease as long as the process lives.
pub(in crate::sidekiq) async fn keep(engine: &Engine) {
    loop {
        let pause = match loss::look(engine).await {
            Ok(()) => REFRESH,
            Err(error) => {
                engine.outage.failed("refreshing the lease", &error);
                PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}
