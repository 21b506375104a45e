//! Looks at the states of mirrors all the time, to tell how many were under way at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::rig::redis::Redis;

/// The greatest numbers that were seen at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Most {
    /// Mirrors scheduled or started.
    pub(crate) under_way: usize,
    /// Slots taken.
    pub(crate) slots: usize,
}

/// A thread that looks.
pub(crate) struct Sampler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Most>,
}

impl Sampler {
    pub(crate) fn start(redis: &Redis) -> Self {
        let mut connection = redis.connection();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut most = Most::default();
            while !stopped.load(Ordering::Relaxed) {
                // One transaction: all three at the same moment.
                let (scheduled, started, slots): (usize, usize, usize) = redis::pipe()
                    .atomic()
                    .scard("sidemirror:pull:status:scheduled")
                    .scard("sidemirror:pull:status:started")
                    .zcard("sidemirror:capacity")
                    .query(&mut connection)
                    .unwrap();
                most.under_way = most.under_way.max(scheduled + started);
                most.slots = most.slots.max(slots);
                std::thread::yield_now();
            }
            most
        });
        Self { stop, thread }
    }

    pub(crate) fn stop(self) -> Most {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
