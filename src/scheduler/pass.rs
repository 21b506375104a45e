//! A pass: due mirrors are marked and their jobs pushed, in due order and up to the free capacity.

use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Minute, Scheduler, TickError};
use crate::connections::RedisError;
use crate::coordination::capacity::Slots;
use crate::coordination::lease::Lease;
use crate::mirror::key::{MirrorId, MirrorKey};
use crate::mirror::state::{Event, UnderWay};
use crate::sidekiq::{NewJob, Origin};
use crate::store::Transition;

/// Mirrors scheduled in one go, at most.
const PAGE: usize = 500;

/// How often a push whose answer was lost is tried.
const PUSHES: u32 = 30;

/// How often free slots are looked for while due mirrors wait.
const REFILL_PERIOD: Duration = Duration::from_secs(1);

impl Scheduler {
    /// Schedules due mirrors while there are free slots; tells whether more are due.
    /// A leader stops when it may be leader no longer. The jobs bear the marks of whoever asked for them.
    pub(super) async fn fill(
        &self,
        lease: Option<&Lease>,
        stop: &CancellationToken,
        origin: &Origin,
    ) -> Result<bool, TickError> {
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
    pub(super) async fn wait_for_room(&self, minute: &Minute<'_>) -> Result<bool, RedisError> {
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

    /// Goes on where a pass that was asked for had to end.
    pub(super) async fn refill(&self, minute: &Minute<'_>, origin: &Origin) -> Result<(), TickError> {
        while self.wait_for_room(minute).await? && self.fill(None, minute.stop, origin).await? {}
        Ok(())
    }
}
