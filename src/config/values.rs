//! Values as they are checked and shown in messages.

use std::ops::RangeInclusive;

use serde_json::Value;

/// The number, if the range holds it.
pub(super) fn in_range<N: PartialOrd>(number: N, range: &RangeInclusive<N>) -> Option<N> {
    range.contains(&number).then_some(number)
}

/// `a, b or c`
pub(super) fn one_of(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// A value as JSON, cut where it gets long. A URL may hold a password and is not shown.
pub(super) fn excerpt(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    if text.contains("://") {
        return "a URL".to_owned();
    }
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST).chain(['…']).collect() }
}
