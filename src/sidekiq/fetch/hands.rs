//! The jobs in hand: never more than there are slots, and all of them known at any moment. Each capsule has slots of
//! its own; they are numbered through, so that no two of a process have the same name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::sidekiq::clock;
use crate::sidekiq::job::execution::Execution;

/// A job that lies in our working list of `queue`.
#[derive(Clone)]
pub(in crate::sidekiq) struct Fetched {
    pub(in crate::sidekiq) queue: Arc<str>,
    /// The original text: what is removed from the working list is compared byte by byte.
    pub(in crate::sidekiq) bytes: Bytes,
    /// When it was asked for: it came some time after that.
    pub(in crate::sidekiq) asked: Instant,
}

/// A job that a slot is running.
#[derive(Clone)]
pub(in crate::sidekiq) struct Held {
    /// The slot's name, as the dashboard shows it.
    pub(in crate::sidekiq) slot: String,
    pub(in crate::sidekiq) fetched: Fetched,
    /// Seconds since 1970.
    pub(in crate::sidekiq) since: f64,
    /// Nothing before its text has been understood.
    pub(in crate::sidekiq) execution: Option<Arc<Execution>>,
}

/// All slots of the process and what each holds.
pub(in crate::sidekiq) struct Hands {
    slots: Mutex<Vec<SlotState>>,
}

enum SlotState {
    Free,
    /// Taken, for a job that is being fetched.
    Empty,
    Holding(Fetched, f64, Option<Arc<Execution>>),
}

impl Hands {
    /// Hands for so many jobs.
    pub(in crate::sidekiq) fn new(concurrency: usize) -> Arc<Self> {
        let slots = std::iter::repeat_with(|| SlotState::Free).take(concurrency).collect();
        Arc::new(Self { slots: Mutex::new(slots) })
    }

    /// A share of the slots. The shares of all capsules together are as many as there are.
    pub(in crate::sidekiq) fn share(self: &Arc<Self>, concurrency: usize) -> Slots {
        Slots { hands: Arc::clone(self), permits: Arc::new(Semaphore::new(concurrency)) }
    }

    /// How many jobs are running.
    pub(in crate::sidekiq) fn busy(&self) -> usize {
        self.lock().iter().filter(|slot| matches!(slot, SlotState::Holding(..))).count()
    }

    /// The jobs that are running.
    pub(in crate::sidekiq) fn held(&self) -> Vec<Held> {
        let slots = self.lock();
        let held = slots.iter().enumerate().filter_map(|(number, state)| match state {
            SlotState::Holding(fetched, since, execution) => {
                Some(Held { slot: name(number), fetched: fetched.clone(), since: *since, execution: execution.clone() })
            }
            _ => None,
        });
        held.collect()
    }

    /// How often each text is in hand, of the jobs of `queue`.
    pub(in crate::sidekiq) fn texts(&self, queue: &str) -> HashMap<Bytes, usize> {
        let mut texts = HashMap::new();
        for state in self.lock().iter() {
            if let SlotState::Holding(fetched, ..) = state
                && *fetched.queue == *queue
            {
                *texts.entry(fetched.bytes.clone()).or_default() += 1;
            }
        }
        texts
    }

    fn lock(&self) -> MutexGuard<'_, Vec<SlotState>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slots of one capsule.
pub(in crate::sidekiq) struct Slots {
    hands: Arc<Hands>,
    permits: Arc<Semaphore>,
}

impl Slots {
    /// A free slot, as soon as there is one. Never `None`: the semaphore is not closed.
    pub(in crate::sidekiq) async fn next(&self) -> Option<Slot> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        self.claim(permit)
    }

    /// A free slot, if there is one now.
    pub(in crate::sidekiq) fn next_free(&self) -> Option<Slot> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        self.claim(permit)
    }

    /// Slots that nobody has taken.
    pub(in crate::sidekiq) fn free(&self) -> usize {
        self.permits.available_permits()
    }

    fn claim(&self, permit: OwnedSemaphorePermit) -> Option<Slot> {
        let mut slots = self.hands.lock();
        let number = slots.iter().position(|state| matches!(state, SlotState::Free))?;
        slots[number] = SlotState::Empty;
        drop(slots);
        Some(Slot { hands: Arc::clone(&self.hands), number, _permit: permit })
    }
}

fn name(number: usize) -> String {
    format!("slot{number}")
}

/// The right to have one job in hand; free again when dropped.
pub(in crate::sidekiq) struct Slot {
    hands: Arc<Hands>,
    number: usize,
    _permit: OwnedSemaphorePermit,
}

impl Slot {
    /// Its name, as the dashboard shows it.
    pub(in crate::sidekiq) fn name(&self) -> String {
        name(self.number)
    }

    /// Holds this job, and no longer the one before.
    pub(in crate::sidekiq) fn hold(&self, fetched: Fetched) {
        self.hands.lock()[self.number] = SlotState::Holding(fetched, clock::now(), None);
    }

    /// What it holds is being run.
    pub(in crate::sidekiq) fn runs(&self, execution: Arc<Execution>) {
        if let SlotState::Holding(_, _, known) = &mut self.hands.lock()[self.number] {
            *known = Some(execution);
        }
    }

    /// Holds nothing any more: the job is settled.
    pub(in crate::sidekiq) fn let_go(&self) {
        self.hands.lock()[self.number] = SlotState::Empty;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.hands.lock()[self.number] = SlotState::Free;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(text: &'static str) -> Fetched {
        Fetched { queue: "q".into(), bytes: Bytes::from_static(text.as_bytes()), asked: Instant::now() }
    }

    #[tokio::test]
    async fn there_are_never_more_jobs_in_hand_than_slots() {
        let hands = Hands::new(2);
        let slots = hands.share(2);
        let one = slots.next().await.unwrap();
        one.hold(job("{}"));
        let other = slots.next_free().unwrap();
        other.hold(job("{}"));
        assert!(slots.next_free().is_none());
        assert_eq!((hands.busy(), hands.texts("q")[&b"{}"[..]], hands.texts("p").len()), (2, 2, 0));
        drop(one);
        other.let_go();
        assert_eq!((hands.busy(), slots.free()), (0, 1));
    }

    #[tokio::test]
    async fn capsules_share_no_slot_and_no_name_of_one() {
        let hands = Hands::new(3);
        let (two, one) = (hands.share(2), hands.share(1));
        let held: Vec<Slot> = [two.next_free(), one.next_free(), two.next_free()].into_iter().flatten().collect();
        assert!(held.len() == 3 && two.next_free().is_none() && one.next_free().is_none());
        for slot in &held {
            slot.hold(job("{}"));
        }
        assert_eq!(hands.held().iter().map(|held| held.slot.as_str()).collect::<Vec<_>>(), ["slot0", "slot1", "slot2"]);
        drop(held);
        assert_eq!((two.free(), one.free()), (2, 1));
    }
}
