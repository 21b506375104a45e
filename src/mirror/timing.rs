//! When a pull mirror runs next. The formula is GitLab's: a run costs what it took, so a slow mirror rests
//! longer, and every failure in a row stretches the rest.

use chrono::{DateTime, TimeDelta, Utc};

/// How many failures in a row a mirror is given; one more and it is hard-failed and no longer scheduled.
pub const MAX_RETRY: u32 = 14;

/// The shortest rest between two runs.
const SHORTEST_REST: TimeDelta = TimeDelta::minutes(30);

/// A run of d seconds is followed by at least 24 × d seconds of rest.
const REST_PER_RUN: i32 = 24;

/// The random parts of the formula, so that mirrors created together drift apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Jitter {
    /// 0 to 5, added to the factor by which a run's duration is multiplied.
    pub factor: u8,
    /// 0 to 59 seconds, added to the shortest rest.
    pub shortest: u8,
    /// 0 to 59 seconds, added to the longest rest.
    pub longest: u8,
}

impl Jitter {
    /// Draws all three.
    pub fn draw(rng: &mut impl rand::Rng) -> Self {
        use rand::RngExt;
        Self { factor: rng.random_range(0..=5), shortest: rng.random_range(0..60), longest: rng.random_range(0..60) }
    }
}

/// When a run that began at `started_at` and ended `now` is followed by the next.
///
/// `retry_count` is the number of failures in a row, this run's included; `longest` the configured `max_delay`.
pub fn next_execution(
    now: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    retry_count: u32,
    longest: TimeDelta,
    jitter: Jitter,
) -> DateTime<Utc> {
    let duration = started_at.map_or(TimeDelta::zero(), |started| (now - started).max(TimeDelta::zero()));
    let by_cost = duration * (REST_PER_RUN + i32::from(jitter.factor));
    let rest = by_cost.max(SHORTEST_REST + TimeDelta::seconds(jitter.shortest.into()));
    let longest = longest + TimeDelta::seconds(jitter.longest.into());
    // A mirror with more failures than this is not scheduled at all; the bound keeps the product from overflowing.
    let failures = i32::try_from(retry_count.clamp(1, MAX_RETRY + 1)).unwrap_or(1);
    now + (rest.min(longest) * failures).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LONGEST: TimeDelta = TimeDelta::minutes(300);

    fn rest_in_minutes(run: TimeDelta, retry_count: u32) -> i64 {
        let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        (next_execution(now, Some(now - run), retry_count, LONGEST, Jitter::default()) - now).num_minutes()
    }

    #[test]
    fn a_short_run_rests_half_an_hour_and_each_failure_adds_as_much() {
        assert_eq!(rest_in_minutes(TimeDelta::seconds(3), 0), 30);
        let failures: Vec<i64> = (1..=14).map(|n| rest_in_minutes(TimeDelta::seconds(3), n)).collect();
        assert_eq!(failures, [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300, 300, 300]);
        assert_eq!(failures.iter().sum::<i64>(), 2850, "47.5 hours until the fifteenth failure");
    }

    #[test]
    fn a_long_run_rests_twenty_four_times_as_long_up_to_the_limit() {
        assert_eq!(rest_in_minutes(TimeDelta::minutes(5), 0), 120);
        assert_eq!(rest_in_minutes(TimeDelta::minutes(13), 0), 300);
    }

    proptest! {
        #[test]
        fn the_next_run_is_never_nearer_than_the_shortest_rest_nor_farther_than_the_longest(
            run in 0_i64..100_000, retry_count in 0_u32..40, factor in 0_u8..6, shortest in 0_u8..60, longest in 0_u8..60,
        ) {
            let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
            let jitter = Jitter { factor, shortest, longest };
            let next = next_execution(now, Some(now - TimeDelta::seconds(run)), retry_count, LONGEST, jitter);
            prop_assert!(next >= now + SHORTEST_REST);
            prop_assert!(next <= now + LONGEST + TimeDelta::seconds(59));
        }
    }
}
