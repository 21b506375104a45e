//! The ways in which a text may be written by programs that quote, escape or encode it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 3986 leaves as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A pattern that finds `text` with each of its letters as it is, percent-encoded once or twice, as a form has it (`+`),
/// or escaped as JSON, Rust, C, a shell or HTML would.
pub(super) fn letter_by_letter(text: &str) -> String {
    text.chars().fold(String::new(), |pattern, letter| pattern + "(?:" + &forms(letter).join("|") + ")")
}

fn forms(letter: char) -> Vec<String> {
    let raw = regex::escape(letter.encode_utf8(&mut [0; 4]));
    let bytes = |prefix: &str| {
        let utf8 = letter.encode_utf8(&mut [0; 4]).bytes().collect::<Vec<_>>();
        utf8.iter().fold("(?i:".to_owned(), |text, byte| text + prefix + &format!("{byte:02x}")) + ")"
    };
    let utf16 = letter.encode_utf16(&mut [0; 2]).iter().fold(String::new(), |mut text, unit| {
        // A String takes everything.
        let _ = write!(text, r"\\u(?i:{unit:04x})");
        text
    });
    let code = u32::from(letter);
    let mut forms = vec![
        // Of two that fit, the first is taken, and what is left behind must be no part of the letter.
        bytes("%25"),
        bytes("%"),
        bytes(r"\\x"),
        utf16,
        format!(r"\\u\{{(?i:{code:x})\}}"),
        format!("&#0*{code};"),
        format!("&#x0*(?i:{code:x});"),
    ];
    let named = match letter {
        ' ' => Some(r"\+"),
        '"' => Some("&quot;"),
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '\'' => Some(r"'\\''"),
        '\t' => Some(r"\\t"),
        _ => None,
    };
    forms.extend(named.map(ToOwned::to_owned));
    forms.extend([format!(r"\\{raw}"), raw]);
    forms
}

/// The whole text, percent-encoded in the usual ways.
pub(super) fn percent_encoded(text: &str) -> Vec<String> {
    let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let upper = [NON_ALPHANUMERIC, RESERVED].map(|set| utf8_percent_encode(text, set).to_string());
    upper.into_iter().chain([form]).collect()
}

/// What of `bytes` shows in base64, wherever in a longer text they stand: of the letters at both ends that depend on
/// their neighbours, only those that end a text are there.
pub(super) fn in_base64(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for engine in [&BASE64_STANDARD_NO_PAD, &BASE64_URL_SAFE_NO_PAD] {
        for before in 0..3 {
            let shifted = [&vec![0; before], bytes].concat();
            let text = engine.encode(&shifted);
            // Letters that hold bits of the bytes before.
            let own = &text[(before * 8).div_ceil(6)..];
            let is_shared = !shifted.len().is_multiple_of(3);
            found.push(own[..own.len() - usize::from(is_shared)].to_owned());
            if is_shared {
                found.extend([own.to_owned() + "==", own.to_owned() + "=", own.to_owned()]);
            }
        }
    }
    found.retain(|text| text.len() >= 4);
    found
}

/// The bytes in hexadecimal digits.
pub(super) fn in_hexadecimal(bytes: &[u8]) -> [String; 2] {
    let lower = bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let upper = lower.to_uppercase();
    [lower, upper]
}
