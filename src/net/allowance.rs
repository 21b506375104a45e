//! What one run may take from the network.

use std::time::Duration;

use super::Deadline;

/// The limits of one session. Those that hold for every session alike are the [`Door`](super::Door)'s.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// When the run has to be over.
    pub deadline: Deadline,
    /// Bytes of all answers together.
    pub received: u64,
    /// Bytes of one list of refs.
    pub listing: u64,
    /// How long the far side may be silent; without it, the door's limit.
    pub stall: Option<Duration>,
}

impl Allowance {
    /// No limit but the deadline.
    pub const fn until(deadline: Deadline) -> Self {
        Self { deadline, received: u64::MAX, listing: u64::MAX, stall: None }
    }
}
