//! How far away a server is, and what time it is there.

use std::time::{Duration, Instant, SystemTime};

use super::finding::Finding;
use crate::connections::{Redis, RedisError};

/// How often the way to the server is measured.
const ROUNDS: usize = 50;
/// Times above these are told. Each job needs about ten round trips.
const SLOW: Duration = Duration::from_millis(10);
const SLOWEST: Duration = Duration::from_millis(250);
/// Differences of the clocks above these, in seconds, are told, and are bad.
const DIFFERENCES: (f64, f64) = (1.0, 30.0);

const CLOCK: &str = "clock";

pub(super) async fn look(redis: &Redis) -> Vec<Finding> {
    vec![latency("latency", redis).await, clock(redis).await]
}

/// The median and the longest time of some dozens of round trips.
pub(super) async fn latency(subject: &'static str, redis: &Redis) -> Finding {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let sent = Instant::now();
        if let Err(error) = redis.query::<()>(&redis::cmd("PING")).await {
            return Finding::error(subject, error.to_string(), "an answer to PING", "see that the server is well");
        }
        times.push(sent.elapsed());
        // The longest that a server can take without an error, many times over, would be no examination.
        if times.iter().sum::<Duration>() > Duration::from_secs(5) {
            break;
        }
    }
    times.sort();
    let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let seen = format!(
        "{}: {} round trips, median {:.2} ms, longest {:.2} ms",
        redis.server(),
        times.len(),
        milliseconds(median),
        milliseconds(longest)
    );
    if median > SLOW || longest > SLOWEST {
        let expected = format!("a median below {SLOW:?}, none above {SLOWEST:?}");
        Finding::warning(subject, seen, expected, "look at SLOWLOG and LATENCY DOCTOR there, and at the network")
    } else {
        Finding::ok(subject, seen)
    }
}

async fn clock(redis: &Redis) -> Finding {
    match difference(redis).await {
        Ok(difference) => judge(difference),
        Err(error) => Finding::info(CLOCK, format!("cannot be compared: {error}")),
    }
}

fn judge(difference: f64) -> Finding {
    let direction = if difference < 0.0 { "behind" } else { "ahead of" };
    let seen = format!("this machine is {:.3} s {direction} the server", difference.abs());
    let (expected, cure) = ("less than a second", "let both be kept right by NTP");
    if difference.abs() > DIFFERENCES.1 {
        Finding::error(CLOCK, format!("{seen}: retries and schedules are off by that"), expected, cure)
    } else if difference.abs() > DIFFERENCES.0 {
        Finding::warning(CLOCK, seen, expected, cure)
    } else {
        Finding::ok(CLOCK, seen)
    }
}

/// How far our clock is ahead of the server's, in seconds, as seen in the middle of a round trip.
async fn difference(redis: &Redis) -> Result<f64, RedisError> {
    let before = seconds_now();
    let (seconds, microseconds): (u32, u32) = redis.query(&redis::cmd("TIME")).await?;
    let ours = f64::midpoint(before, seconds_now());
    Ok(ours - (f64::from(seconds) + f64::from(microseconds) / 1e6))
}

fn seconds_now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity::{Error, Ok, Warning};
    use super::*;

    #[test]
    fn clocks_that_differ_by_more_than_a_second_are_told_in_both_directions() {
        for (difference, severity) in
            [(0.9, Ok), (-0.9, Ok), (1.1, Warning), (-29.0, Warning), (31.0, Error), (-31.0, Error)]
        {
            assert_eq!(judge(difference).severity, severity, "{difference}");
        }
        assert!(judge(-2.0).seen.contains("2.000 s behind the server"));
    }
}
