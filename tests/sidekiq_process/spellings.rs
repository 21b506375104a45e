//! The texts of our property tests are those that Ruby writes.

use std::collections::BTreeSet;

use crate::rig::ruby::Ruby;
use crate::samples;

#[test]
fn the_texts_of_our_tests_are_spelt_in_every_way_in_which_ruby_spells() {
    let of = |texts: Vec<Vec<u8>>| texts.iter().flat_map(|text| spellings(text)).collect::<BTreeSet<_>>();
    let rubys = of(Ruby::ALL.into_iter().flat_map(|ruby| samples::rubys(ruby, 2000)).collect());
    let ours = of(samples::ours(4000));
    let missing: Vec<_> = rubys.difference(&ours).collect();
    assert!(missing.is_empty(), "Ruby writes what our strategy does not: {missing:?}");
    // And it is no wider than Ruby, but for spellings that are too rare to be drawn by chance.
    let more: Vec<_> = ours.difference(&rubys).collect();
    assert!(more.is_empty(), "our strategy writes what Ruby does not: {more:?}");
    assert!(rubys.len() > 30, "{rubys:?}");
}

/// What kinds of spelling a text holds, such as `\u00..`, `9.9e+9` or `[]`.
fn spellings(text: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let (mut at, mut depth) = (0, 0);
    while at < text.len() {
        match text[at] {
            b'"' => at = spellings_of_string(text, at + 1, &mut found),
            b'[' | b'{' => {
                depth += 1;
                if matches!(text[at + 1], b']' | b'}') {
                    found.insert(format!("{}{}", char::from(text[at]), char::from(text[at + 1])));
                }
            }
            b']' | b'}' => depth -= 1,
            b'-' | b'0'..=b'9' => {
                let end = at + text[at..].iter().take_while(|byte| !b",]}".contains(byte)).count();
                let number = String::from_utf8_lossy(&text[at..end]).into_owned();
                let long = if number.len() > 19 && !number.contains('.') { "long " } else { "" };
                let mut shape = number.replace(|letter: char| letter.is_ascii_digit(), "9");
                while shape.contains("99") {
                    shape = shape.replace("99", "9");
                }
                shape.insert_str(0, long);
                found.insert(shape);
                at = end - 1;
            }
            b't' | b'f' | b'n' => {
                let word = text[at..].iter().take_while(|byte| byte.is_ascii_lowercase()).count();
                found.insert(String::from_utf8_lossy(&text[at..at + word]).into_owned());
                at += word - 1;
            }
            _ => {}
        }
        if depth > 50 {
            found.insert("deep".to_owned());
        }
        at += 1;
    }
    found
}

/// Gives the place of the closing quote.
fn spellings_of_string(text: &[u8], start: usize, found: &mut BTreeSet<String>) -> usize {
    let mut at = start;
    while text[at] != b'"' {
        match text[at] {
            b'\\' if text[at + 1] == b'u' => {
                found.insert(format!("\\u{}", String::from_utf8_lossy(&text[at + 2..at + 5])));
                at += 5;
            }
            b'\\' => {
                found.insert(format!("\\{}", char::from(text[at + 1])));
                at += 1;
            }
            letter => {
                let kind = match letter {
                    0..0x20 => "control",
                    b'/' => "/",
                    0x20..0x7f => "plain",
                    0x7f => "DEL",
                    0xe2 if text[at + 1] == 0x80 && matches!(text[at + 2], 0xa8 | 0xa9) => "end of line",
                    0xf0.. => "four bytes",
                    0x80.. => "two or three bytes",
                };
                found.insert(kind.to_owned());
            }
        }
        at += 1;
    }
    if at == start {
        found.insert("\"\"".to_owned());
    }
    at
}
