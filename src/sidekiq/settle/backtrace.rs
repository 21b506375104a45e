//! A failure and what led to it, as Sidekiq stores a backtrace for those who read it on the dashboard.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::Value;

use super::retry::MESSAGE_LENGTH;
use crate::sidekiq::job::JobFailure;
use crate::sidekiq::job::payload::Payload;

/// Lines that are stored at most.
const LINES: usize = 1_000;

/// What is to be stored with a job that failed; `None` if it does not ask for it.
pub(in crate::sidekiq) fn wanted(payload: &Payload, failure: &JobFailure) -> Option<String> {
    let option = payload.get::<Value>("backtrace")?;
    if matches!(option, Value::Null | Value::Bool(false)) {
        return None;
    }
    let all = lines_of(failure);
    let count = count(&option, all.len());
    Some(pack(all.into_iter().take(count)))
}

/// The failure, then its causes, the nearest first.
fn lines_of(failure: &JobFailure) -> Vec<String> {
    let causes = failure.causes.iter().map(|cause| format!("caused by: {cause}"));
    std::iter::once(failure.to_string()).chain(causes).take(LINES).collect()
}

/// How many of so many lines the option asks for. As in Ruby, anything but `true` is made a number, and one below
/// zero leaves out as many at the end.
fn count(option: &Value, all: usize) -> usize {
    let wanted = match option {
        Value::Number(number) => {
            number.as_i64().unwrap_or_else(|| crate::sidekiq::clock::whole(number.as_f64().unwrap_or(0.0)))
        }
        Value::String(text) => leading_number(text),
        _ => return all,
    };
    match usize::try_from(wanted) {
        Ok(wanted) => wanted.min(all),
        Err(_) => all.saturating_sub(usize::try_from(wanted.unsigned_abs()).unwrap_or(usize::MAX)),
    }
}

/// The number that a text begins with; 0 if it begins with none.
fn leading_number(text: &str) -> i64 {
    let text = text.trim_start();
    let digits = text.bytes().skip(usize::from(text.starts_with('-'))).take_while(u8::is_ascii_digit).count();
    text.get(..digits + usize::from(text.starts_with('-'))).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// A JSON array of the lines, compressed, in base64. On one line: some readers refuse line breaks, and none needs them.
fn pack(lines: impl Iterator<Item = String>) -> String {
    let lines: Vec<Value> =
        lines.map(|line| Value::from(line.chars().take(MESSAGE_LENGTH).collect::<String>())).collect();
    let mut compressed = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing into memory does not fail.
    let _ = compressed.write_all(Value::from(lines).to_string().as_bytes());
    STANDARD.encode(compressed.finish().unwrap_or_default())
}
