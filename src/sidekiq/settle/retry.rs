//! What follows a failure: a retry, the dead set, or nothing.

use std::time::Duration;

use serde_json::Value;

use super::backtrace;
use crate::sidekiq::clock;
use crate::sidekiq::job::JobFailure;
use crate::sidekiq::job::payload::Payload;
use crate::sidekiq::profile::{Profile, TimeLimit};
use crate::sidekiq::settings::Settings;
use crate::sidekiq::settle::Settlement;

/// Characters of a message that are stored.
pub(in crate::sidekiq) const MESSAGE_LENGTH: usize = 10_000;

/// What the code of a job that failed asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sidekiq) enum Wish {
    /// What the job's options say.
    None,
    /// If there is to be a retry, after this time.
    After(Duration),
    /// No retry: as if it were exhausted.
    Death,
    /// No trace.
    Discard,
}

/// Decides what becomes of a job, fetched from `queue`, that failed at `now` (seconds since 1970).
pub(in crate::sidekiq) fn after_failure(
    payload: &Payload,
    queue: &str,
    failure: &JobFailure,
    wish: Wish,
    settings: &Settings,
    now: f64,
) -> Settlement {
    let retry = payload.raw("retry");
    if retry == Some(b"false") || wish == Wish::Discard {
        return Settlement::Over;
    }
    let limit = retry.and_then(whole_number).unwrap_or_else(|| i64::from(settings.max_retries));
    let previous = previous_count(payload);
    // Below zero when somebody has pressed "Retry": that takes one off.
    let count = previous.map_or(0, |count| count.saturating_add(1));
    let timestamp = settings.profile.timestamp(now);

    let mut edit = payload
        .edit()
        .set("queue", payload.get::<String>("retry_queue").unwrap_or_else(|| queue.to_owned()))
        .set("error_message", failure.message.chars().take(MESSAGE_LENGTH).collect::<String>())
        .set("error_class", failure.error_class.as_str())
        .set(if previous.is_some() { "retried_at" } else { "failed_at" }, timestamp)
        .set("retry_count", count);
    if let Some(trace) = backtrace::wanted(payload, failure) {
        edit = edit.set("error_backtrace", trace);
    }
    let text = edit.finish();

    let first_failure = if previous.is_some() { time_of_first_failure(payload) } else { Some(now) };
    if wish != Wish::Death && !is_exhausted(payload, settings.profile, count >= limit, first_failure, now) {
        let retries = u32::try_from(count.max(0)).unwrap_or(u32::MAX);
        let delay = match wish {
            Wish::After(delay) if !delay.is_zero() => delay.as_secs_f64(),
            _ => f64::from(retries).powi(4) + 15.0,
        };
        Settlement::Retry(text, now + delay + settings.profile.jitter(retries))
    } else if payload.raw("dead") == Some(b"false") {
        Settlement::Over
    } else {
        Settlement::Dead(text)
    }
}

/// Whether there is no further retry, by the number of failures (`enough`) and by the time since the first.
fn is_exhausted(payload: &Payload, profile: Profile, enough: bool, first_failure: Option<f64>, now: f64) -> bool {
    let Some((limit, first_failure)) = payload.get::<f64>("retry_for").zip(first_failure) else { return enough };
    let over = first_failure + limit <= now;
    match profile.time_limit() {
        TimeLimit::Unknown => enough,
        TimeLimit::Further => enough || over,
        TimeLimit::Instead => over,
    }
}

/// When it failed for the first time, or at least was made.
fn time_of_first_failure(payload: &Payload) -> Option<f64> {
    let time = payload.get::<Value>("failed_at").or_else(|| payload.get("created_at"))?;
    clock::seconds(&time)
}

/// The count of the failure before; `None` if there was none.
fn previous_count(payload: &Payload) -> Option<i64> {
    let text = payload.raw("retry_count")?;
    // Ruby counts on from broken numbers, too.
    whole_number(text).or_else(|| payload.get::<f64>("retry_count").map(clock::whole))
}

/// A number that Ruby reads as an integer: however long, but without a point or an exponent.
fn whole_number(text: &[u8]) -> Option<i64> {
    let text = str::from_utf8(text).ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
