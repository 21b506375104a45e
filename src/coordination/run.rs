//! Who runs a mirror. A run is owned by `identity/jid` under a key per mirror; the owner renews it at a third of
//! its life, asks before it changes anything, and is told when it was lost: by a long stop of the process, say.

use std::time::Duration;

use redis::Cmd;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::capacity::Slots;
use super::lease::{Attempt, Lease};
use crate::connections::{Redis, RedisError};
use crate::mirror::key::{Direction, MirrorKey};

/// How long after its last sign of life a run may be taken over.
pub const OWNERSHIP: Duration = Duration::from_secs(30);

/// A run of a mirror that is ours.
#[derive(Debug)]
pub struct OwnedRun {
    id: String,
    key: MirrorKey,
    redis: Redis,
    lease: Lease,
    lost: CancellationToken,
    ended: CancellationToken,
    /// Ends the renewing with the run, however that ends.
    _renewing: DropGuard,
}

/// Whether a run could be begun.
#[derive(Debug)]
pub enum Claim {
    /// The mirror is ours to run.
    Owned(OwnedRun),
    /// Another run is at it.
    UnderWay {
        /// Whether that is an earlier delivery of the same job, whose process is giving up or has died: it will
        /// be gone soon, and then nobody else runs the mirror.
        same_job: bool,
    },
}

impl OwnedRun {
    /// Tries once to become the owner of a mirror's run, for the job of this id in the process of this identity.
    pub async fn claim(redis: &Redis, key: MirrorKey, identity: &str, jid: &str) -> Result<Claim, RedisError> {
        let nonce: u32 = rand::random();
        let id = format!("{identity}/{nonce:08x}/{jid}");
        match Lease::take(redis, lease_key(key), id.clone(), OWNERSHIP).await? {
            Attempt::HeldBy(holder) => {
                let same_job = job_of(&holder) == Some(jid);
                Ok(Claim::UnderWay { same_job })
            }
            Attempt::Taken(lease) => {
                let lost = CancellationToken::new();
                let ended = CancellationToken::new();
                tokio::spawn(keep(lease.clone(), key, Slots::new(redis.clone()), lost.clone(), ended.clone()));
                let renewing = ended.clone().drop_guard();
                Ok(Claim::Owned(Self { id, key, redis: redis.clone(), lease, lost, ended, _renewing: renewing }))
            }
        }
    }

    /// The run's name, unique to this attempt.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Fires when the run turned out to be no longer ours.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Whether nobody else can own the run yet, as far as our own clock tells. A process that has just woken from a
    /// long stop sees it here before Redis could tell it.
    pub fn is_trusted(&self) -> bool {
        !self.lost.is_cancelled() && self.lease.is_trusted()
    }

    /// Asks Redis whether the run still is ours.
    pub async fn is_ours(&self) -> Result<bool, RedisError> {
        if !self.is_trusted() {
            return Ok(false);
        }
        let owner: Option<String> = self.redis.query(&Cmd::get(lease_key(self.key))).await?;
        Ok(owner.as_ref() == Some(&self.id))
    }

    /// Ends the ownership, and with it the mirror's slot, if it has one and `free_slot` says so.
    pub async fn release(&self, free_slot: bool) -> Result<(), RedisError> {
        // Otherwise the slot might be taken again by a renewal that is just on its way.
        self.ended.cancel();
        if free_slot && self.key.direction == Direction::Pull {
            Slots::new(self.redis.clone()).release(&[self.key.id]).await?;
        }
        self.lease.release().await
    }
}

/// The id of the job that a run of this name is for.
pub fn job_of(run: &str) -> Option<&str> {
    run.splitn(3, '/').nth(2)
}

/// Whether anybody owns a run of each of these mirrors.
pub async fn owned(redis: &Redis, keys: &[MirrorKey]) -> Result<Vec<bool>, RedisError> {
    let mut pipeline = redis::pipe();
    for key in keys {
        pipeline.exists(lease_key(*key));
    }
    redis.pipeline(&pipeline).await
}

fn lease_key(key: MirrorKey) -> String {
    format!("sidemirror:run:{key}")
}

/// Renews the ownership, and shows that the mirror's slot is in use, until the run ends or is lost. An outage of
/// Redis shorter than the lease is ridden out.
async fn keep(lease: Lease, key: MirrorKey, slots: Slots, lost: CancellationToken, ended: CancellationToken) {
    let _lost_if_this_ends = lost.clone().drop_guard();
    let period = lease.renewal_period();
    let mut pause = period;
    loop {
        tokio::select! {
            () = ended.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let renew = async {
            let renewed = lease.renew().await;
            if key.direction == Direction::Pull && matches!(renewed, Ok(true)) {
                // The next renewal tries again; a slot is only given up after several have failed.
                let _ = slots.occupy(key.id).await;
            }
            renewed
        };
        // What is under way when the run ends is left: the slot must not be taken again behind its release.
        pause = match ended.run_until_cancelled(renew).await {
            None => return,
            Some(Ok(true)) => period,
            Some(Err(_)) if lease.is_trusted() => Duration::from_secs(1),
            Some(Ok(false) | Err(_)) => break,
        };
    }
    tracing::warn!(mirror = %key, "lost the ownership of this run: it was not renewed in time");
}
