//! How many mirrors may be under way at once, and how many more may be taken.

/// The configured limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Pull mirrors scheduled or started at once, at most.
    pub max: usize,
    /// Free slots from which it pays to schedule again before the next minute.
    pub threshold: usize,
}

impl Capacity {
    /// Slots that are free while `taken` are not.
    pub const fn free(self, taken: usize) -> usize {
        self.max.saturating_sub(taken)
    }

    /// Whether enough slots are free to schedule again at once. A threshold above the maximum would never be
    /// reached; then all slots must be free.
    pub fn refill(self, taken: usize) -> bool {
        self.free(taken) >= self.threshold.clamp(1, self.max.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forced_runs_may_overbook_and_leave_nothing_free() {
        let capacity = Capacity { max: 100, threshold: 50 };
        assert_eq!(capacity.free(0), 100);
        assert_eq!(capacity.free(130), 0);
    }

    #[test]
    fn a_refill_waits_for_the_threshold() {
        let capacity = Capacity { max: 100, threshold: 50 };
        assert!(capacity.refill(50));
        assert!(!capacity.refill(51));
        assert!(Capacity { max: 10, threshold: 50 }.refill(0));
        assert!(!Capacity { max: 10, threshold: 0 }.refill(10));
    }
}
