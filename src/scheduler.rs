//! The cron thread: every minute the process that holds the lease takes the due pull mirrors, in due order and
//! up to the free capacity, marks them scheduled and pushes their jobs in bulk. Between two minutes it goes on
//! as soon as enough slots are free again. It also frees slots that nobody uses any more.
//!
//! With an entry in Ruby's cron tab, a minute may be disabled, or be Ruby's: then `update_all_mirrors` does its work.

pub mod update_all_mirrors;

use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use cron::Schedule;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::connections::{Redis, RedisError};
use crate::coordination::capacity::Slots;
use crate::coordination::lease::{Attempt, Lease};
use crate::coordination::run;
use crate::mirror::capacity::Capacity;
use crate::mirror::key::{MirrorId, MirrorKey};
use crate::mirror::state::{Event, UnderWay};
use crate::sidekiq::{Client, CronTab, NewJob, Origin, Switches, Turn};
use crate::store::{Counts, MirrorStore, StoreError, Transition};

/// Every minute, at its beginning.
const EVERY_MINUTE: &str = "0 * * * * *";

/// Who schedules. Longer than the minute between two renewals, so that the leader stays leader.
const LEASE_KEY: &str = "sidemirror:lease:scheduler";
const LEASE: Duration = Duration::from_secs(90);

/// Mirrors scheduled in one go, at most.
const PAGE: usize = 500;

/// How often a push whose answer was lost is tried.
const PUSHES: u32 = 30;

/// How often free slots are looked for while due mirrors wait.
const REFILL_PERIOD: Duration = Duration::from_secs(1);

/// A started run whose slot showed no life for so long is dead: its owner renews every 10 seconds, and the job of
/// a dead process is back in its queue within 90.
const DEAD_RUN: TimeDelta = TimeDelta::minutes(3);

/// A mirror that waits in a queue for so long is taken for lost; GitLab waits as long.
const LOST_SCHEDULE: TimeDelta = TimeDelta::minutes(30);

/// A mirror is marked as scheduled before its job is in the queue, and has so been waiting for a little longer.
const MARK_TO_PUSH: TimeDelta = TimeDelta::minutes(1);

/// Silent slots looked at in one go.
const SWEEP: isize = 500;

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

    /// Puts our entry into the cron tab, once: whoever deletes it there has it back when a process starts, or when Redis
    /// has lost its data. Then it is disabled if it was.
    async fn register(&self, tab: &mut TabState) {
        if let (Some(cron_tab), false) = (&self.cron_tab, tab.is_registered) {
            let registered = async {
                cron_tab.register().await?;
                if tab.is_disabled { cron_tab.disable().await } else { Ok(()) }
            };
            match registered.await {
                Ok(()) => tab.is_registered = true,
                Err(error) => tracing::warn!(%error, "the entry in the cron tab could not be written; trying again"),
            }
        }
    }

    /// Whether this minute's work is for us to do, as far as the cron tab has a say in it.
    async fn is_our_turn(&self, tab: &mut TabState) -> Result<bool, RedisError> {
        let Some(cron_tab) = &self.cron_tab else { return Ok(true) };
        let turn = cron_tab.turn(Utc::now()).await?;
        tracing::debug!(?turn, "the cron tab");
        let is_disabled = turn == Turn::Disabled;
        if is_disabled && !tab.is_disabled {
            tracing::warn!("the cron tab says disabled: due mirrors are not scheduled until it is enabled there");
        } else if !is_disabled && tab.is_disabled {
            tracing::info!("the cron tab says enabled: due mirrors are scheduled again");
        }
        tab.is_disabled = is_disabled;
        Ok(matches!(turn, Turn::Ours(_)))
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

    /// Schedules due mirrors while there are free slots; tells whether more are due.
    /// A leader stops when it may be leader no longer. The jobs bear the marks of whoever asked for them.
    async fn fill(&self, lease: Option<&Lease>, stop: &CancellationToken, origin: &Origin) -> Result<bool, TickError> {
        let slots = Slots::new(self.redis.clone());
        while lease.is_none_or(Lease::is_trusted) && !stop.is_cancelled() && !self.is_held().await? {
            let free = self.capacity.free(slots.taken().await?);
            if free == 0 {
                return Ok(true);
            }
            let page = free.min(PAGE);
            let due = self.store.due(Utc::now(), page).await?;
            if due.is_empty() {
                return Ok(false);
            }
            let taken = slots.take(&due, self.capacity).await?;
            let scheduled = self.schedule(&slots, &taken, origin).await?;
            if scheduled == 0 || due.len() < page {
                // Nothing more is due, or what is due is held up by slots that the sweep looks after.
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Marks mirrors that have a slot scheduled and pushes their jobs, in this order: a job that arrived before
    /// its mark would be run, and then marked as waiting for good.
    async fn schedule(&self, slots: &Slots, ids: &[MirrorId], origin: &Origin) -> Result<usize, TickError> {
        let job = |id: &MirrorId| NewJob::new(self.class, vec![id.0.into()]).queue(&self.queue).retry(false);
        let jobs: Vec<NewJob> = ids.iter().map(|id| job(id).caused_by(origin)).collect();
        let mark =
            |(id, job): (&MirrorId, &NewJob)| (MirrorKey::pull(*id), Event::Schedule { jid: job.jid().to_owned() });
        let events: Vec<_> = ids.iter().zip(&jobs).map(mark).collect();
        let marks = self.store.transition_all(&events).await?;
        let (marked, refused): (Vec<_>, Vec<_>) =
            ids.iter().zip(jobs).zip(marks).partition(|(_, mark)| matches!(mark, Transition::Done(_)));
        for ((id, _), mark) in &refused {
            match mark {
                // What is under way keeps its slot: a run that somebody asked for occupied it meanwhile.
                Transition::Done(_) | Transition::Refused(_) => continue,
                Transition::Missing => {}
                Transition::Unreadable(problem) => tracing::error!("{problem}"),
            }
            slots.release(&[**id]).await?;
        }
        let (ids, jobs): (Vec<MirrorId>, Vec<NewJob>) = marked.into_iter().map(|((id, job), _)| (*id, job)).unzip();
        self.push(slots, &ids, &jobs).await?;
        self.observer.scheduled(ids.len());
        tracing::info!(mirrors = ids.len(), queue = %self.queue, "scheduled");
        Ok(ids.len())
    }

    /// Pushes the jobs of mirrors that are marked as scheduled. A push that Redis refused, or whose answer was lost, is
    /// tried again: a job that comes twice does no harm, one that never comes leaves its mirror waiting.
    async fn push(&self, slots: &Slots, ids: &[MirrorId], jobs: &[NewJob]) -> Result<(), TickError> {
        let mut tries = 0;
        while let Err(error) = self.client.push_bulk(jobs).await {
            tries += 1;
            if tries == PUSHES {
                let seen = |job: &NewJob| UnderWay::Job(Some(job.jid().to_owned()));
                let lost: Vec<_> = ids.iter().copied().zip(jobs.iter().map(seen)).collect();
                self.abandon(slots, &lost, "The job could not be put into its queue.").await?;
                return Err(error.into());
            }
            tracing::warn!(%error, "scheduled jobs could not be pushed; trying again");
            self.observer.turn();
            tokio::time::sleep(REFILL_PERIOD).await;
        }
        Ok(())
    }

    /// Waits until enough slots are free to go on; `false` when the minute is over first.
    async fn wait_for_room(&self, minute: &Minute<'_>) -> Result<bool, RedisError> {
        let slots = Slots::new(self.redis.clone());
        loop {
            if Instant::now() + REFILL_PERIOD >= minute.ends || minute.stop.is_cancelled() {
                return Ok(false);
            }
            self.observer.turn();
            tokio::time::sleep(REFILL_PERIOD).await;
            if self.capacity.refill(slots.taken().await?) {
                return Ok(true);
            }
        }
    }

    /// Frees slots that are taken although no live run owns them.
    async fn sweep(&self, memory: &Memory) -> Result<(), TickError> {
        let slots = Slots::new(self.redis.clone());
        let now = Utc::now();
        let silent = slots.silent_since(now - DEAD_RUN, SWEEP).await?;
        if silent.is_empty() {
            return Ok(());
        }
        // While nobody was there to rescue the jobs of dead processes, silence means nothing. Nor does it while the
        // queue has been waiting for as long: the job may be in it.
        let backlog = TimeDelta::from_std(self.client.latency(&self.queue).await?).unwrap_or(TimeDelta::MAX);
        let long_ago = |moment: Instant| moment.elapsed() > DEAD_RUN.to_std().unwrap_or_default();
        let rescued = long_ago(memory.started) && backlog < DEAD_RUN;
        // Jobs that an order kept from running come back over some time.
        let flowing = memory.held.is_none_or(long_ago);
        let keys: Vec<MirrorKey> = silent.iter().copied().map(MirrorKey::pull).collect();
        let owned = run::owned(&self.redis, &keys).await?;
        let (mut dead, mut lost, mut leaked) = (Vec::new(), Vec::new(), Vec::new());
        for (id, _) in silent.iter().zip(owned).filter(|(_, owned)| !owned) {
            let mirror = match self.store.load(MirrorKey::pull(*id)).await {
                // It cannot be run, so it needs no slot, and must not keep the others from being looked at.
                Err(error @ StoreError::Unreadable { .. }) => {
                    tracing::error!("{error}");
                    None
                }
                loaded => loaded?,
            };
            let state = mirror.map(|mirror| mirror.state).unwrap_or_default();
            let waited = now - state.last_update_scheduled_at.unwrap_or_default();
            match state.under_way() {
                Some(seen @ UnderWay::Run(_)) if rescued => dead.push((*id, seen)),
                Some(seen @ UnderWay::Job(_))
                    if flowing && waited > LOST_SCHEDULE && waited - MARK_TO_PUSH > backlog =>
                {
                    lost.push((*id, seen));
                }
                Some(_) => {}
                None => leaked.push(*id),
            }
        }
        slots.release(&leaked).await?;
        self.abandon(&slots, &dead, "The run ended without a result: its process died.").await?;
        self.abandon(&slots, &lost, "Stuck in scheduled for too long: its job was lost.").await?;
        let freed = leaked.len() + lost.len() + dead.len();
        if freed > 0 {
            tracing::warn!(freed, "freed slots of capacity that nobody was using");
            self.observer.freed(freed);
        }
        Ok(())
    }

    /// Gives up what was seen to be under way, and its slots.
    async fn abandon(&self, slots: &Slots, lost: &[(MirrorId, UnderWay)], error: &str) -> Result<(), TickError> {
        let give_up = |(id, seen): &(MirrorId, UnderWay)| {
            (MirrorKey::pull(*id), Event::Abandon { seen: seen.clone(), error: error.to_owned() })
        };
        let events: Vec<_> = lost.iter().map(give_up).collect();
        let answers = self.store.transition_all(&events).await?;
        let freed = lost.iter().zip(answers).filter(|(_, answer)| matches!(answer, Transition::Done(_)));
        Ok(slots.release(&freed.map(|((id, _), _)| *id).collect::<Vec<_>>()).await?)
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

    /// Goes on where a pass that was asked for had to end.
    async fn refill(&self, minute: &Minute<'_>, origin: &Origin) -> Result<(), TickError> {
        while self.wait_for_room(minute).await? && self.fill(None, minute.stop, origin).await? {}
        Ok(())
    }
}

/// What this process knows of its entry in the cron tab.
#[derive(Default)]
struct TabState {
    is_registered: bool,
    is_disabled: bool,
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
