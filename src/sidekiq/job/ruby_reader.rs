//! What Ruby refuses to read although serde takes it for JSON. Such a text must not come into `retry`: Ruby's poller
//! takes it out of there before it reads it, and then it is lost.

use super::payload::Malformed;

/// How deep Ruby's parser goes.
pub(in crate::sidekiq) const NESTING: usize = 100;

/// Why Ruby does not read this JSON, if it does not.
pub(in crate::sidekiq) fn refusal(text: &[u8]) -> Option<Malformed> {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => match after_string(text, at) {
                Some(end) => at = end,
                None => return Some(Malformed::HalfCharacter),
            },
            _ => {}
        }
        if depth > NESTING {
            return Some(Malformed::TooDeep);
        }
    }
    None
}

/// Behind the string that goes on at this place; `None` if half a character is in it.
fn after_string(text: &[u8], mut at: usize) -> Option<usize> {
    while let Some(byte) = text.get(at) {
        at += 1;
        if *byte == b'"' {
            break;
        }
        if *byte == b'\\' {
            let half = escaped_half(text, at - 1);
            at += match half {
                None => 1,
                Some(Half::First) if escaped_half(text, at + 5) == Some(Half::Second) => 11,
                Some(_) => return None,
            };
        }
    }
    Some(at)
}

/// A character beyond U+FFFF is escaped in two halves.
#[derive(PartialEq, Eq)]
enum Half {
    First,
    Second,
}

/// Which half is escaped at this place, if one is.
fn escaped_half(text: &[u8], at: usize) -> Option<Half> {
    match text.get(at..at + 4)? {
        [b'\\', b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B'] => Some(Half::First),
        [b'\\', b'u', b'd' | b'D', b'c'..=b'f' | b'C'..=b'F'] => Some(Half::Second),
        _ => None,
    }
}
