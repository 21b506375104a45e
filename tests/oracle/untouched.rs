//! Whether a payload came through with every byte that no Sidekiq process owns as it was. The bytes are found by a
//! scanner that shares nothing with the one under test.

use std::ops::Range;

/// The top-level fields that the process which runs or moves a job writes itself.
const OWNED: [&str; 8] = [
    "queue",
    "enqueued_at",
    "error_message",
    "error_class",
    "error_backtrace",
    "failed_at",
    "retried_at",
    "retry_count",
];

/// Whether `landed` is `original` with other values of owned fields, and with owned fields added at its end.
pub(crate) fn is_untouched(original: &[u8], landed: &[u8]) -> bool {
    undone(original, landed) == original
}

/// `landed` with the owned fields as they were in `original`.
fn undone(original: &[u8], landed: &[u8]) -> Vec<u8> {
    let before = members(original);
    let mut text = Vec::new();
    let mut done = 0;
    for (place, member) in members(landed).into_iter().enumerate() {
        let owned = OWNED.contains(&member.key.as_str());
        let ahead = &landed[done..member.start];
        match before.get(place) {
            // Of a field that is there twice only the last counts, so only that may be written.
            Some(old) if owned && old.key == member.key && before[place + 1..].iter().all(|m| m.key != old.key) => {
                text.extend_from_slice(&landed[done..member.value.start]);
                text.extend_from_slice(&original[old.value.clone()]);
            }
            None if owned && (ahead == b"," || (place == 0 && ahead.trim_ascii_start() == b"{")) => {
                text.extend_from_slice(if place == 0 { ahead } else { b"" });
            }
            _ => text.extend_from_slice(&landed[done..member.value.end]),
        }
        done = member.value.end;
    }
    text.extend_from_slice(&landed[done..]);
    text
}

struct Member {
    key: String,
    start: usize,
    value: Range<usize>,
}

/// The members of a JSON object and where they lie.
fn members(text: &[u8]) -> Vec<Member> {
    let mut members = Vec::new();
    let mut at = after_space(text, 0) + 1;
    loop {
        let start = after_space(text, at);
        if text[start] == b'}' {
            return members;
        }
        let key_end = string_end(text, start);
        let colon = after_space(text, key_end);
        assert_eq!(text[colon], b':');
        let value = after_space(text, colon + 1);
        let end = value_end(text, value);
        let key = serde_json::from_str(&String::from_utf8_lossy(&text[start..key_end])).unwrap();
        members.push(Member { key, start, value: value..end });
        at = after_space(text, end);
        at += usize::from(text[at] == b',');
    }
}

fn after_space(text: &[u8], at: usize) -> usize {
    at + text[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Behind the string that begins at this place.
fn string_end(text: &[u8], start: usize) -> usize {
    assert_eq!(text[start], b'"');
    let mut at = start + 1;
    while text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// Behind the value that begins at this place.
fn value_end(text: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    loop {
        match text[at] {
            b'"' => {
                at = string_end(text, at);
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' if depth > 0 => depth -= 1,
            b',' | b']' | b'}' if depth == 0 => break,
            _ => {}
        }
        at += 1;
    }
    at - text[start..at].iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count()
}

const ORIGINAL: &[u8] =
    b"{ \"x\":1E5,\"args\":[{\"retry_count\":1,\"a\":\"\xff\\u00e9}\"}] ,\"queue\":\"q\",\"queue\":\"r\",\"t\":1.0}\n";

#[test]
fn what_a_process_may_write_counts_as_untouched() {
    let landed =
        b"{ \"x\":1E5,\"args\":[{\"retry_count\":1,\"a\":\"\xff\\u00e9}\"}] ,\"queue\":\"q\",\"queue\":\"other\",\
          \"t\":1.0,\"error_message\":\"{,\\\"\",\"retry_count\":0}\n";
    assert!(is_untouched(ORIGINAL, ORIGINAL) && is_untouched(ORIGINAL, landed));
    assert!(is_untouched(b"{}", b"{\"queue\":\"q\",\"retry_count\":0}"));
}

#[test]
fn every_other_change_is_noticed() {
    let changes: [(&[u8], &[u8]); 10] = [
        (b"1E5", b"100000.0"),
        (b"1.0", b"1"),
        (b"\xff", "\u{fffd}".as_bytes()),
        (b"\\u00e9", "é".as_bytes()),
        (b"{ ", b"{"),
        (b"] ,", b"],"),
        (b"\"retry_count\":1", b"\"retry_count\":2"),
        (b"\"queue\":\"q\"", b"\"queue\":\"p\""),
        (b"\"t\":1.0", b"\"t\":1.0,\"u\":1"),
        (b"}\n", b"}"),
    ];
    for (old, new) in changes {
        let at = ORIGINAL.windows(old.len()).position(|window| window == old).unwrap();
        let landed = [&ORIGINAL[..at], new, &ORIGINAL[at + old.len()..]].concat();
        assert!(!is_untouched(ORIGINAL, &landed), "{}", String::from_utf8_lossy(&landed));
    }
}
