//! The cron thread: every minute the process that holds the lease takes the due pull mirrors, in due order and
//! up to the free capacity, marks them scheduled and pushes their jobs in bulk. Between two minutes it goes on
//! as soon as enough slots are free again. It also frees slots that nobody uses any more.
//!
//! With an entry in Ruby's cron tab, a minute may be disabled, or be Ruby's: then `update_all_mirrors` does its work.

mod pass;
mod sweep;
mod tab;
pub mod update_all_mirrors;

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use cron::Schedule;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::tab::TabState;
use crate::connections::{Redis, RedisError};
use crate::coordination::capacity::Slots;
use crate::coordination::lease::{Attempt, Lease};
use crate::mirror::capacity::Capacity;
use crate::sidekiq::{Client, CronTab, Origin, Switches};
use crate::store::{Counts, MirrorStore, StoreError};

/// Every minute, at its beginning.
const EVERY_MINUTE: &str = "0 * * * * *";

/// Who schedules. Longer than the minute between two renewals, so that the leader stays leader.
const LEASE_KEY: &str = "sidemirror:lease:scheduler";
const LEASE: Duration = Duration::from_secs(90);

/// Told what the scheduler does.
pub trait SchedulerObserver: Send + Sync {
    /// The scheduler went round; it does so every few seconds.
    fn turn(&self);
    /// It has ended and goes round no more.
    fn ended(&self);
    /// This process scheduled in this minute.
    fn led(&self, tick: &Tick);
    /// Another process schedules.
    fn followed(&self);
    /// So many mirrors were scheduled.
    fn scheduled(&self, mirrors: usize);
    /// So many slots were freed that nobody used.
    fn freed(&self, slots: usize);
}

/// What the leader measures once a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// How many mirrors stand where.
    pub counts: Counts,
    /// Slots there are.
    pub capacity_max: usize,
    /// Slots taken.
    pub capacity_taken: usize,
}

/// The scheduler of one process.
pub struct Scheduler {
    /// Where mirrors live.
    pub store: Arc<dyn MirrorStore>,
    /// Where leases live.
    pub redis: Redis,
    /// How many mirrors may be under way.
    pub capacity: Capacity,
    /// Pushes the jobs.
    pub client: Client,
    /// Tells whether they are to be pushed at all.
    pub switches: Switches,
    /// Where to.
    pub queue: String,
    /// What they are called.
    pub class: &'static str,
    /// Who we are.
    pub identity: String,
    /// Told what happens.
    pub observer: Arc<dyn SchedulerObserver>,
    /// Our entry in Ruby's cron tab, if there is to be one.
    pub cron_tab: Option<CronTab>,
    /// Told when a pass that was asked for left due mirrors for want of slots, and by whom it was asked for.
    pub more_is_due: watch::Sender<Origin>,
}

/// Why a minute's work was not done.
#[derive(Debug, thiserror::Error)]
enum TickError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Redis(#[from] RedisError),
}

impl Scheduler {
    /// Schedules until told to stop, then gives the lease back. `losses` changes when Redis has lost its data.
    pub async fn run(self: Arc<Self>, losses: watch::Receiver<u32>, stop: CancellationToken) {
        let mut lease = None;
        let asked = self.more_is_due.subscribe();
        let mut memory = Memory { started: Instant::now(), held: None, tab: TabState::default(), asked, losses };
        while !stop.is_cancelled() {
            let minute = Minute { ends: Instant::now() + until_next_minute(), stop: &stop };
            self.register(&mut memory.tab).await;
            if let Err(error) = self.minute(&mut lease, &minute, &mut memory).await {
                tracing::warn!(%error, "due mirrors could not be scheduled; trying again in the next minute");
            }
            self.rest(&minute, &mut memory).await;
        }
        if let Some(lease) = lease {
            // Otherwise it ends by itself.
            let _ = lease.release().await;
        }
        self.observer.ended();
    }

    /// Does nothing by the clock: only goes on, as slots become free, with passes that were asked for. For a process that
    /// does not schedule and may be sent such a job all the same.
    pub async fn run_when_asked(self: Arc<Self>, stop: CancellationToken) {
        let mut asked = self.more_is_due.subscribe();
        while let Some(Ok(())) = stop.run_until_cancelled(asked.changed()).await {
            let origin = asked.borrow_and_update().clone();
            let minute = Minute { ends: Instant::now() + until_next_minute(), stop: &stop };
            if let Err(error) = self.refill(&minute, &origin).await {
                tracing::warn!(%error, "due mirrors could not be scheduled");
            }
            // Nobody is to wait for a sign of life before the next.
            self.observer.ended();
        }
    }

    /// One minute's work. A stop is only noticed where it leaves nothing half done.
    async fn minute(
        &self,
        lease: &mut Option<Lease>,
        minute: &Minute<'_>,
        memory: &mut Memory,
    ) -> Result<(), TickError> {
        let Some(lease) = self.lead(lease).await? else {
            self.observer.followed();
            // What the tab says is for the leader to know.
            memory.tab.is_disabled = false;
            return Ok(());
        };
        if self.is_held().await? {
            // What waits now waits for the administrator: nothing of it is lost.
            memory.held = Some(Instant::now());
            return self.measure().await;
        }
        if let Err(error) = self.sweep(memory).await {
            tracing::warn!(%error, "slots that nobody uses could not be looked for");
        }
        self.measure().await?;
        if self.is_our_turn(&mut memory.tab).await? {
            let by_the_clock = Origin::default();
            while self.fill(Some(lease), minute.stop, &by_the_clock).await? && self.wait_for_room(minute).await? {}
        }
        Ok(())
    }

    /// Obtains or renews the lease.
    async fn lead<'l>(&self, lease: &'l mut Option<Lease>) -> Result<Option<&'l Lease>, RedisError> {
        let held = match lease {
            Some(held) => held.renew().await?,
            None => false,
        };
        if !held {
            let attempt = Lease::take(&self.redis, LEASE_KEY.to_owned(), self.identity.clone(), LEASE).await?;
            *lease = match attempt {
                Attempt::Taken(taken) => Some(taken),
                Attempt::HeldBy(_) => None,
            };
        }
        Ok(lease.as_ref())
    }

    /// Whether somebody ordered that pulls be kept from running.
    async fn is_held(&self) -> Result<bool, RedisError> {
        self.switches.hold(self.class).await
    }

    async fn measure(&self) -> Result<(), TickError> {
        let counts = self.store.count(Utc::now()).await?;
        let capacity_taken = Slots::new(self.redis.clone()).taken().await?;
        self.observer.led(&Tick { counts, capacity_max: self.capacity.max, capacity_taken });
        Ok(())
    }

    /// Rests until the minute is over, with signs of life.
    async fn rest(&self, minute: &Minute<'_>, memory: &mut Memory) {
        const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
        while Instant::now() < minute.ends && !minute.stop.is_cancelled() {
            self.observer.turn();
            tokio::select! {
                () = minute.stop.cancelled() => {}
                () = tokio::time::sleep_until(minute.ends.min(Instant::now() + SIGN_OF_LIFE)) => {}
                Ok(()) = memory.losses.changed() => {
                    memory.tab.is_registered = false;
                    self.register(&mut memory.tab).await;
                }
                Ok(()) = memory.asked.changed() => {
                    let origin = memory.asked.borrow_and_update().clone();
                    if let Err(error) = self.refill(minute, &origin).await {
                        tracing::warn!(%error, "due mirrors could not be scheduled; trying again in the next minute");
                    }
                }
            }
        }
    }
}

/// What this process remembers from minute to minute.
struct Memory {
    /// Since when it schedules.
    started: Instant,
    /// When an order last kept pulls from running.
    held: Option<Instant>,
    tab: TabState,
    /// Who last asked for a pass that had to end early.
    asked: watch::Receiver<Origin>,
    /// How often Redis has lost its data.
    losses: watch::Receiver<u32>,
}

/// The minute that is under way.
struct Minute<'a> {
    /// When the next one begins.
    ends: Instant,
    stop: &'a CancellationToken,
}

/// How long it is until the next minute begins.
fn until_next_minute() -> Duration {
    const MINUTE: Duration = Duration::from_mins(1);
    let now = Utc::now();
    let schedule = EVERY_MINUTE.parse::<Schedule>();
    let next = schedule.ok().and_then(|schedule| schedule.after(&now).next());
    next.and_then(|next| (next - now).to_std().ok()).unwrap_or(MINUTE)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn the_schedule_comes_round_every_minute() {
        let schedule: Schedule = EVERY_MINUTE.parse().unwrap();
        let minutes: Vec<_> = schedule.after(&Utc::now()).take(3).collect();
        assert_eq!(minutes[1] - minutes[0], TimeDelta::minutes(1));
        assert_eq!(minutes[2] - minutes[1], TimeDelta::minutes(1));
        assert!(until_next_minute() <= Duration::from_mins(1));
    }
}
