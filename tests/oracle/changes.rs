//! What happened to a payload on its way, key by key. Values are compared as they are spelled.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::rig::ruby::Ruby;

/// A moment counts as now for so long, in seconds.
const NOW: f64 = 60.0;

/// What must have become of a field.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change<'t> {
    /// It says a moment just passed, in the way of this Sidekiq.
    Now,
    /// It is this JSON text.
    To(&'t str),
    /// It is a text, and another than before.
    ToAnotherText,
    /// It is not there any more.
    Gone,
}

/// Asserts that these fields changed so, and all others are there as before.
pub(crate) fn assert_changed(ruby: Ruby, before: &[u8], after: &[u8], expected: &[(&str, Change<'_>)]) {
    let (before, after) = (fields(before), fields(after));
    let keys = before.keys().chain(after.keys());
    for key in keys {
        let (old, new) = (before.get(key), after.get(key));
        let change = expected.iter().find(|(name, _)| name == key).map(|(_, change)| *change);
        let is_as_expected = match change {
            None => old == new,
            Some(Change::To(text)) => old != new && new.is_some_and(|new| new == text),
            Some(Change::ToAnotherText) => old != new && new.is_some_and(|new| new.starts_with('"')),
            Some(Change::Now) => old != new && new.is_some_and(|new| is_now(ruby, new)),
            Some(Change::Gone) => old.is_some() && new.is_none(),
        };
        assert!(is_as_expected, "{key} was {old:?} and is {new:?} instead of {change:?}");
    }
    let missing = expected.iter().filter(|(key, _)| !before.contains_key(*key) && !after.contains_key(*key));
    assert_eq!(missing.count(), 0, "{expected:?} in {after:?}");
}

/// Whether this is the present moment as this Sidekiq writes it: 8 in whole milliseconds, the others in seconds with a
/// decimal point.
fn is_now(ruby: Ruby, text: &str) -> bool {
    let seconds = match ruby {
        Ruby::Sid => text.parse::<i64>().map(|milliseconds| milliseconds as f64 / 1000.0).ok(),
        Ruby::Bookworm | Ruby::Trixie => text.parse().ok().filter(|_| text.contains('.')),
    };
    let now = chrono::Utc::now().timestamp_millis() as f64 / 1000.0;
    seconds.is_some_and(|seconds: f64| (now - NOW..=now + 1.0).contains(&seconds))
}

fn fields(payload: &[u8]) -> BTreeMap<String, String> {
    let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(payload).unwrap();
    fields.into_iter().map(|(key, value)| (key, value.get().to_owned())).collect()
}

const BEFORE: &[u8] = br#"{"jid":"a","n":1.0,"failed_at":1700000000.5,"error_message":"old"}"#;

#[test]
fn expected_changes_are_accepted() {
    let now = chrono::Utc::now().timestamp_millis();
    let after = format!(r#"{{"jid":"a","n":1.0,"error_message":"new","retry_count":0,"retried_at":{now}}}"#);
    let expected = [
        ("failed_at", Change::Gone),
        ("error_message", Change::ToAnotherText),
        ("retry_count", Change::To("0")),
        ("retried_at", Change::Now),
    ];
    assert_changed(Ruby::Sid, BEFORE, after.as_bytes(), &expected);
}

#[test]
#[should_panic(expected = "n was Some(\"1.0\") and is Some(\"1\") instead of None")]
fn a_number_that_is_spelled_otherwise_is_a_change() {
    let after = br#"{"jid":"a","n":1,"failed_at":1700000000.5,"error_message":"old"}"#;
    assert_changed(Ruby::Sid, BEFORE, after, &[]);
}

#[test]
#[should_panic(expected = "failed_at was Some(\"1700000000.5\") and is None instead of None")]
fn a_lost_field_is_a_change() {
    assert_changed(Ruby::Sid, BEFORE, br#"{"jid":"a","n":1.0,"error_message":"old"}"#, &[]);
}

#[test]
#[should_panic(expected = "instead of Some(Now)")]
fn a_moment_in_the_way_of_another_sidekiq_is_not_accepted() {
    let after =
        format!(r#"{{"jid":"a","n":1.0,"failed_at":{},"error_message":"old"}}"#, chrono::Utc::now().timestamp_millis());
    assert_changed(Ruby::Bookworm, BEFORE, after.as_bytes(), &[("failed_at", Change::Now)]);
}
