//! The sweep: slots of capacity that are taken although no live run owns them are freed.

use chrono::{TimeDelta, Utc};
use tokio::time::Instant;

use super::{Memory, Scheduler, TickError};
use crate::coordination::capacity::Slots;
use crate::coordination::run;
use crate::mirror::key::{MirrorId, MirrorKey};
use crate::mirror::state::{Event, UnderWay};
use crate::store::{StoreError, Transition};

/// A started run whose slot showed no life for so long is dead: its owner renews every 10 seconds, and the job of
/// a dead process is back in its queue within 90.
const DEAD_RUN: TimeDelta = TimeDelta::minutes(3);

/// A mirror that waits in a queue for so long is taken for lost; GitLab waits as long.
const LOST_SCHEDULE: TimeDelta = TimeDelta::minutes(30);

/// A mirror is marked as scheduled before its job is in the queue, and has so been waiting for a little longer.
const MARK_TO_PUSH: TimeDelta = TimeDelta::minutes(1);

/// Silent slots looked at in one go.
const SWEEP: isize = 500;

impl Scheduler {
    /// Frees slots that are taken although no live run owns them.
    pub(super) async fn sweep(&self, memory: &Memory) -> Result<(), TickError> {
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
    pub(super) async fn abandon(
        &self,
        slots: &Slots,
        lost: &[(MirrorId, UnderWay)],
        error: &str,
    ) -> Result<(), TickError> {
        let give_up = |(id, seen): &(MirrorId, UnderWay)| {
            (MirrorKey::pull(*id), Event::Abandon { seen: seen.clone(), error: error.to_owned() })
        };
        let events: Vec<_> = lost.iter().map(give_up).collect();
        let answers = self.store.transition_all(&events).await?;
        let freed = lost.iter().zip(answers).filter(|(_, answer)| matches!(answer, Transition::Done(_)));
        Ok(slots.release(&freed.map(|((id, _), _)| *id).collect::<Vec<_>>()).await?)
    }
}
