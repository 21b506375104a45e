//! How far a transfer has come, for whoever watches from another thread.

use std::sync::atomic::{AtomicU64, Ordering};

/// Objects received so far. (Bytes are counted by the session.)
#[derive(Debug, Default)]
pub struct Progress {
    received: AtomicU64,
    announced: AtomicU64,
}

impl Progress {
    /// Objects received.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Objects that the far side announced; 0 as long as it has not.
    pub fn announced(&self) -> u64 {
        self.announced.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, received: usize, announced: usize) {
        self.received.store(received as u64, Ordering::Relaxed);
        self.announced.store(announced as u64, Ordering::Relaxed);
    }
}
