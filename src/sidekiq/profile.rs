//! Which Sidekiq the Ruby side runs. What we write must be readable there; what we read may come from any.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rand::RngExt;
use serde_json::Value;

/// The version of Sidekiq whose habits we follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Profile {
    /// 6.4 and older.
    V6_4,
    /// 6.5.
    V6_5,
    /// 7.0 to 7.3.
    #[default]
    V7,
    /// 8.0 and newer.
    V8,
}

impl Profile {
    /// A point in time, in seconds since 1970, as this version writes it into a payload: 8 writes whole
    /// milliseconds, the others seconds with a decimal point.
    pub fn timestamp(self, seconds: f64) -> Value {
        match self {
            // Exact below 2^53 milliseconds, which is past the year 280,000.
            #[expect(clippy::cast_possible_truncation, reason = "a saturating cast is what is wanted here")]
            Self::V8 => Value::from((seconds * 1000.0) as i64),
            _ => Value::from(seconds),
        }
    }

    /// Whether only this version writes a time into a payload as `value`.
    pub(super) fn wrote(self, value: &Value) -> bool {
        const EARLIEST: u64 = 1_000_000_000_000;
        self == Self::V8 && value.as_u64().is_some_and(|milliseconds| milliseconds > EARLIEST)
    }

    /// The profile of a version of Sidekiq, such as `7.3.2`; `None` if it is no version.
    pub fn of_version(version: &str) -> Option<Self> {
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
        match (numbers.next()??, numbers.next().flatten()) {
            (..6, _) => Some(Self::V6_4),
            (6, minor) => Some(if minor >= Some(5) { Self::V6_5 } else { Self::V6_4 }),
            (7, _) => Some(Self::V7),
            (8.., _) => Some(Self::V8),
        }
    }

    /// What the keys of a process's busy hash end in. An idle fleet of 6.5 cannot be told from one of 6.4, which
    /// looked elsewhere.
    pub fn busy_suffixes(self) -> &'static [&'static str] {
        match self {
            Self::V6_4 => &["workers", "work"],
            _ => &["work"],
        }
    }

    /// The time between two heartbeats.
    pub fn beat_period(self) -> Duration {
        match self {
            Self::V6_4 | Self::V6_5 => Duration::from_secs(5),
            Self::V7 | Self::V8 => Duration::from_secs(10),
        }
    }

    /// Where ten processes or more look for due jobs, the longest wait between two looks of one of them, in averages.
    pub(super) fn poll_spread(self) -> f64 {
        match self {
            Self::V8 => 2.0,
            _ => 1.0,
        }
    }

    /// What is added at random to the delay of retry number `count`, in seconds.
    pub fn jitter(self, count: u32) -> f64 {
        let rounds = u64::from(count) + 1;
        let seconds = match self {
            Self::V8 => rand::rng().random_range(0..10 * rounds),
            _ => rand::rng().random_range(0..10) * rounds,
        };
        seconds as f64
    }

    /// What the field `retry_for` (seconds since the first failure) means to this version.
    pub fn time_limit(self) -> TimeLimit {
        match self {
            Self::V6_4 | Self::V6_5 => TimeLimit::Unknown,
            Self::V7 => TimeLimit::Further,
            Self::V8 => TimeLimit::Instead,
        }
    }

    /// The version that our entry among the processes carries, so that the dashboard finds nothing odd.
    pub fn version(self) -> &'static str {
        match self {
            Self::V6_4 => "6.4.1",
            Self::V6_5 => "6.5.12",
            Self::V7 => "7.3.9",
            Self::V8 => "8.1.7",
        }
    }
}

/// What a limit in time does beside the number of retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimit {
    /// Nothing.
    Unknown,
    /// A job dies by whichever is reached first.
    Further,
    /// Only the time counts.
    Instead,
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        match text {
            "6.4" => Ok(Self::V6_4),
            "6.5" => Ok(Self::V6_5),
            "7" => Ok(Self::V7),
            "8" => Ok(Self::V8),
            _ => Err(UnknownProfile),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V6_4 => "6.4",
            Self::V6_5 => "6.5",
            Self::V7 => "7",
            Self::V8 => "8",
        })
    }
}

/// The text names no profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown Sidekiq version: expected 6.4, 6.5, 7 or 8")]
pub struct UnknownProfile;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_eight_writes_milliseconds() {
        assert_eq!(Profile::V6_4.timestamp(1_700_000_000.0).to_string(), "1700000000.0");
        assert_eq!(Profile::V7.timestamp(1_700_000_000.25).to_string(), "1700000000.25");
        assert_eq!(Profile::V8.timestamp(1_700_000_000.25).to_string(), "1700000000250");
    }

    #[test]
    fn the_beat_is_of_the_profile() {
        let seconds = |profile: Profile| profile.beat_period().as_secs();
        assert_eq!([Profile::V6_4, Profile::V6_5, Profile::V7, Profile::V8].map(seconds), [5, 5, 10, 10]);
    }

    #[test]
    fn only_eight_draws_any_second_of_the_jitter() {
        let whole_rounds = |profile: Profile| (0..1000).all(|_| profile.jitter(2) % 3.0 == 0.0);
        assert!(whole_rounds(Profile::V6_4) && whole_rounds(Profile::V6_5) && whole_rounds(Profile::V7));
        assert!(!whole_rounds(Profile::V8));
    }

    #[test]
    fn a_version_has_the_profile_of_its_time() {
        for (version, profile) in [
            ("5.2.10", Some(Profile::V6_4)),
            ("6.4.1", Some(Profile::V6_4)),
            ("6.5.12", Some(Profile::V6_5)),
            ("7.3.2", Some(Profile::V7)),
            ("8.1.7", Some(Profile::V8)),
            ("9.0.0.beta1", Some(Profile::V8)),
            ("unknown", None),
            ("", None),
        ] {
            assert_eq!(Profile::of_version(version), profile, "{version}");
        }
        assert!(Profile::V8.wrote(&Profile::V8.timestamp(1_700_000_000.0)));
        assert!(
            !Profile::V8.wrote(&Profile::V7.timestamp(1_700_000_000.0)) && !Profile::V8.wrote(&1_700_000_000.into())
        );
    }

    #[test]
    fn jitter_stays_within_ten_seconds_a_round() {
        for profile in [Profile::V6_4, Profile::V6_5, Profile::V7, Profile::V8] {
            assert!((0..1000).all(|_| (0.0..30.0).contains(&profile.jitter(2))));
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
    }
}
