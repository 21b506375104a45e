//! The time as Sidekiq writes it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// Seconds since 1970.
pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// A time found in a payload, in seconds since 1970. The JSON type tells the unit: whole numbers are milliseconds
/// (Sidekiq 8), others seconds; a whole number too small for milliseconds comes from a producer that rounds.
pub(super) fn seconds(value: &Value) -> Option<f64> {
    let number = value.as_f64()?;
    Some(if value.is_f64() || number.abs() < 1e11 { number } else { number / 1000.0 })
}

/// A time in whole seconds.
#[expect(clippy::cast_possible_truncation, reason = "a saturating cast is what is wanted here")]
pub(super) fn whole(seconds: f64) -> i64 {
    seconds as i64
}

/// The time from `earlier` until now, zero when the clocks disagree.
pub(super) fn since(earlier: f64) -> Duration {
    Duration::try_from_secs_f64(now() - earlier).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_json_type_of_a_time_tells_its_unit() {
        assert_eq!(seconds(&json!(1_700_000_000.5)), Some(1_700_000_000.5));
        assert_eq!(seconds(&json!(1_700_000_000_500_i64)), Some(1_700_000_000.5));
        assert_eq!(seconds(&json!(1_700_000_000)), Some(1_700_000_000.0));
        assert_eq!(seconds(&json!("soon")), None);
        assert_eq!(since(now() + 60.0), Duration::ZERO);
    }
}
