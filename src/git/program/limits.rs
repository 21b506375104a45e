//! What a child may take of this machine.

use std::time::Duration;

/// The limits of each process that runs `git` for us. What is not set is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChildLimits {
    /// Bytes of address space.
    pub memory: Option<u64>,
    /// Bytes of one file that it writes.
    pub file_size: Option<u64>,
    /// Time on a processor.
    pub cpu: Option<Duration>,
    /// How much it stands back for others: 0 to 19.
    pub nice: u8,
}
