//! A capsule: queues with slots of their own, so that what waits in them never waits for the jobs of others.

use std::sync::Arc;

use super::hands::Slots;
use super::queues::QueueSet;

/// What one capsule is told: which queues it serves, and how many jobs of them run at once.
#[derive(Debug, Clone)]
pub struct Capsule {
    /// Its name, as the dashboard shows it; that of the first one is [`DEFAULT`](Self::DEFAULT).
    pub name: String,
    /// How many of its jobs run at once; at least 1.
    pub concurrency: usize,
    /// Which queues it serves. Another capsule may serve some of them, too.
    pub queues: QueueSet,
}

impl Capsule {
    /// The name of the capsule that every process has.
    pub const DEFAULT: &'static str = "default";
}

/// A capsule at work.
pub(in crate::sidekiq) struct Serving {
    pub(in crate::sidekiq) queues: QueueSet,
    pub(in crate::sidekiq) slots: Slots,
}

impl Serving {
    pub(in crate::sidekiq) fn new(capsule: &Capsule, slots: Slots) -> Arc<Self> {
        Arc::new(Self { queues: capsule.queues.clone(), slots })
    }
}
