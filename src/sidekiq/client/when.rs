//! When a job is to go into its queue.

use std::time::Duration;

/// When a job is to go into its queue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// So long after it is pushed.
    In(Duration),
    /// At this time, in seconds since 1970.
    At(f64),
}

impl When {
    /// What Sidekiq takes a number for: below a thousand million it is seconds from now on, else seconds since 1970.
    pub fn from_number(seconds: f64) -> Self {
        const EARLIEST: f64 = 1e9;
        if seconds < EARLIEST {
            Self::In(Duration::try_from_secs_f64(seconds).unwrap_or_default())
        } else {
            Self::At(seconds)
        }
    }

    /// The time in seconds since 1970, if it is after `now`.
    pub(in crate::sidekiq) fn after(self, now: f64) -> Option<f64> {
        let time = match self {
            Self::In(wait) => now + wait.as_secs_f64(),
            Self::At(time) => time,
        };
        (time > now).then_some(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_number_is_a_wait_and_a_large_one_a_time() {
        let now = 1_700_000_000.0;
        assert_eq!(When::from_number(60.5).after(now), Some(1_700_000_060.5));
        assert_eq!(When::from_number(1_700_000_001.0).after(now), Some(1_700_000_001.0));
        for past in [-5.0, 0.0, f64::NAN, 1_700_000_000.0, 1_600_000_000.0] {
            assert_eq!(When::from_number(past).after(now), None, "{past}");
        }
    }
}
