//! What follows a failure: a retry, the dead set, or nothing.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::Value;

use super::job::JobFailure;
use super::payload::Payload;
use super::settings::Settings;
use super::settle::Settlement;

/// Characters of a message that are stored.
const MESSAGE_LENGTH: usize = 10_000;

/// Lines of a backtrace that are stored at most.
const BACKTRACE_LINES: usize = 1_000;

/// Decides what becomes of a job, fetched from `queue`, that failed at `now` (seconds since 1970).
pub(super) fn after_failure(
    payload: &Payload,
    queue: &str,
    failure: &JobFailure,
    settings: &Settings,
    now: f64,
) -> Settlement {
    let limit = match payload.get::<Value>("retry") {
        Some(Value::Bool(false)) => return Settlement::Over,
        Some(Value::Number(limit)) if !limit.is_f64() => limit.as_i64().unwrap_or(i64::MAX),
        _ => i64::from(settings.max_retries),
    };
    // Below zero when somebody has pressed "Retry": that takes one off.
    let previous: Option<i64> = payload.get("retry_count");
    let count = previous.map_or(0, |count| count.saturating_add(1));
    let timestamp = settings.profile.timestamp(now);

    let mut edit = payload
        .edit()
        .set("queue", payload.get::<String>("retry_queue").unwrap_or_else(|| queue.to_owned()))
        .set("error_message", failure.message.chars().take(MESSAGE_LENGTH).collect::<String>())
        .set("error_class", failure.error_class.as_str())
        .set(if previous.is_some() { "retried_at" } else { "failed_at" }, timestamp)
        .set("retry_count", count);
    if let Some(lines) = wanted_lines(payload) {
        edit = edit.set("error_backtrace", backtrace(failure, lines));
    }
    let text = edit.finish();

    if count < limit {
        let retries = u32::try_from(count.max(0)).unwrap_or(u32::MAX);
        let delay = f64::from(retries).powi(4) + 15.0 + settings.profile.jitter(retries);
        Settlement::Retry(text, now + delay)
    } else if payload.get::<bool>("dead") == Some(false) {
        Settlement::Over
    } else {
        Settlement::Dead(text)
    }
}

/// How many lines of a backtrace the job asks for.
fn wanted_lines(payload: &Payload) -> Option<usize> {
    match payload.get::<Value>("backtrace")? {
        Value::Null | Value::Bool(false) => None,
        Value::Number(lines) => Some(lines.as_u64().and_then(|lines| lines.try_into().ok()).unwrap_or(BACKTRACE_LINES)),
        _ => Some(BACKTRACE_LINES),
    }
}

/// The failure and its causes as Sidekiq stores a backtrace: a JSON array of lines, compressed, in base64 on one line.
fn backtrace(failure: &JobFailure, lines: usize) -> String {
    let first = failure.to_string();
    let causes = failure.causes.iter().map(|cause| format!("caused by: {cause}"));
    let trace: Vec<Value> = std::iter::once(first)
        .chain(causes)
        .take(lines.min(BACKTRACE_LINES))
        .map(|line| Value::from(line.chars().take(MESSAGE_LENGTH).collect::<String>()))
        .collect();
    let mut compressed = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing into memory does not fail.
    let _ = compressed.write_all(Value::from(trace).to_string().as_bytes());
    STANDARD.encode(compressed.finish().unwrap_or_default())
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
