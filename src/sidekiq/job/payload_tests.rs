//! What must hold for any bytes that any producer wrote.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::json;

use super::*;
use crate::sidekiq::job::ruby_texts;
use crate::sidekiq::job::untouched;

fn edited(text: &[u8], edit: impl FnOnce(Edit<'_>) -> Edit<'_>) -> Vec<u8> {
    edit(Payload::parse(text.to_vec()).unwrap().edit()).finish().to_vec()
}

#[test]
fn a_field_is_replaced_in_its_place_or_added_at_the_end() {
    let text = br#"{"class":"A","retry_count":3,"args":[]}"#;
    assert_eq!(
        edited(text, |edit| edit.set("retry_count", 4).set("failed_at", 1_700_000_000.0)),
        br#"{"class":"A","retry_count":4,"args":[],"failed_at":1700000000.0}"#
    );
    assert_eq!(edited(b"{}", |edit| edit.set("a", "b")), br#"{"a":"b"}"#);
    assert_eq!(edited(b" {\r} \n", |edit| edit), b" {\r} \n");
    assert_eq!(edited(b" {\r} \n", |edit| edit.set("a", 1).set("b", 2)), b" {\"a\":1,\"b\":2\r} \n");
}

#[test]
fn a_field_is_removed_with_one_comma_wherever_it_stands() {
    let text = br#"{ "a":1 , "b":2,"c":3 }"#;
    assert_eq!(edited(text, |edit| edit.remove("a")), br#"{ "b":2,"c":3 }"#);
    assert_eq!(edited(text, |edit| edit.remove("b")), br#"{ "a":1,"c":3 }"#);
    assert_eq!(edited(text, |edit| edit.remove("c")), br#"{ "a":1 , "b":2 }"#);
    assert_eq!(edited(text, |edit| edit.remove("a").remove("b").remove("c").set("d", 4)), br#"{ "d":4 }"#);
}

#[test]
fn odd_but_legal_text_survives() {
    let text = "{\"x\":1E5,\"n\":123456789012345678901234567890,\"f\":1700000000.0,\"nested\":{\"a\":1,\"a\":2},\
                \"s\":\"\u{2028}/é\\/\",\"queue\":\"q\"}"
        .as_bytes();
    let expected = String::from_utf8(text.to_vec()).unwrap().replace("\"queue\":\"q\"", "\"queue\":\"r\"");
    assert_eq!(edited(text, |edit| edit.set("queue", "r")), expected.as_bytes());
}

#[test]
fn invalid_utf8_inside_a_string_survives_and_reads_as_replacement() {
    let text = b"{\"args\":[\"\xff\xfe\xe2\x82\"],\"\xff\":1,\"jid\":\"\xc3\"}";
    let changed = edited(text, |edit| edit.set("retry_count", 0));
    assert!(changed.starts_with(&text[..text.len() - 1]));
    assert!(changed.ends_with(b",\"retry_count\":0}"));
    assert_eq!(Payload::parse(text.to_vec()).unwrap().get::<String>("jid").as_deref(), Some("\u{fffd}"));
}

#[test]
fn of_a_key_written_twice_the_last_counts() {
    let text = br#"{"jid":"a","class":"X","jid":"b"}"#;
    assert_eq!(Payload::parse(&text[..]).unwrap().get::<String>("jid").as_deref(), Some("b"));
    assert_eq!(edited(text, |edit| edit.set("jid", "c")), br#"{"jid":"a","class":"X","jid":"c"}"#);
    assert_eq!(edited(text, |edit| edit.remove("jid")), br#"{"class":"X"}"#);
}

#[test]
fn what_is_no_object_is_told_from_what_is_no_json() {
    for text in ["[1,2]", "null", "\"x\"", "3", " [] "] {
        assert_eq!(Payload::parse(text).unwrap_err(), Malformed::NotAnObject, "{text}");
    }
    for text in ["", "{", "{\"a\":}", "{\"a\":1}x", "{\"a\":NaN}", "{'a':1}", "{\"a\" 1}", "\u{feff}{}", "{\"a\":1,}"] {
        assert_eq!(Payload::parse(text).unwrap_err(), Malformed::NotJson, "{text}");
    }
    assert!(Payload::parse("[".repeat(1_000_000)).is_err());
}

#[test]
fn what_ruby_would_not_read_for_its_depth_is_no_job() {
    let nested =
        |depth: usize| format!("{{\"a\":\"[[\\\"{{\",\"x\":{}1{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(Payload::parse(nested(100)).is_ok());
    assert_eq!(Payload::parse(nested(101)).unwrap_err(), Malformed::TooDeep);
}

#[test]
fn what_ruby_would_not_read_for_half_a_character_is_no_job() {
    for (text, whole) in [
        (r"\ud83d\ude00", true),
        (r"\uD83D\uDE00x\\ud800", true),
        (r"\ud83d", false),
        (r"\ude00", false),
        (r"\ud83d\ud83d\ude00", false),
        (r"\ud83d\u0041", false),
        (r"\ud83dx\ude00", false),
        (r"\\\ud83d", false),
    ] {
        for text in [format!(r#"{{"a":["{text}"]}}"#), format!(r#"{{"{text}":1}}"#)] {
            let expected = if whole { None } else { Some(Malformed::HalfCharacter) };
            assert_eq!(Payload::parse(text.clone()).err(), expected, "{text}");
        }
    }
}

/// Text as Ruby's generator writes it, and more: any spelling of numbers, any escapes, any spaces.
fn value_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,8})?([eE][+-]?[0-9]{1,3})?",
        any::<String>().prop_map(|text| json!(text).to_string()),
        Just("\"\\u00e9\\/\\ud83d\\ude00\"".to_owned()),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((any::<String>(), inner), 0..4).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(key, value)| format!("{}: {value}", json!(key))).collect();
                format!("{{{}}}", members.join(" ,"))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn every_byte_we_do_not_own_survives_any_edit(
        members in prop::collection::vec((prop_oneof![any::<String>(), Just("jid".to_owned())], value_text()), 0..8),
        count in any::<u32>(),
        message in any::<String>(),
    ) {
        let unowned = |key: &str| !["retry_count", "error_message", "jid"].contains(&key);
        let written: Vec<String> = members.iter().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
        let text = format!("{{{}}}", written.join(","));
        let payload = Payload::parse(text.clone()).unwrap();
        prop_assert_eq!(&payload.edit().finish()[..], text.as_bytes());

        let changed =
            payload.edit().set("retry_count", count).set("error_message", message.as_str()).remove("jid").finish();
        let mut expected: Vec<String> = members
            .iter()
            .filter(|(key, _)| unowned(key))
            .map(|(key, value)| format!("{}:{value}", json!(key)))
            .collect();
        expected.push(format!("\"retry_count\":{count}"));
        expected.push(format!("\"error_message\":{}", json!(message)));
        prop_assert_eq!(String::from_utf8_lossy(&changed), format!("{{{}}}", expected.join(",")));

        let again = Payload::parse(changed).unwrap();
        prop_assert_eq!(again.get::<u32>("retry_count"), Some(count));
        prop_assert_eq!(again.get::<String>("error_message"), Some(message));
        prop_assert!(again.raw("jid").is_none());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(payload) = Payload::parse(bytes) {
            let _ = payload.edit().set("jid", "x").remove("args").finish();
        }
    }
}

/// How a text is spoilt: what is done, where, and with which byte.
fn spoil(mut text: Vec<u8>, (deed, at, length, byte): (u8, usize, usize, u8)) -> Vec<u8> {
    const SPLINTERS: [&[u8]; 12] =
        [b"\"", b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\\ud83d", b"\"jid\":1,", b"1e999", b"\xff\xfe"];
    let start = at % (text.len() + 1);
    let end = (start + length).min(text.len());
    match deed {
        0 if start < text.len() => text[start] = byte,
        1 => drop(text.drain(start..end)),
        2 => drop(text.splice(start..start, text[start..end].to_vec())),
        3 => drop(text.splice(start..end, SPLINTERS[byte as usize % SPLINTERS.len()].iter().copied())),
        4 => text.truncate(start),
        5 => text = [b" {", &b" \r\n\t".repeat(length)[..], b"}\n"].concat(),
        _ => text = text.iter().take(length * 4).map(|old| old.wrapping_mul(byte)).collect(),
    }
    text
}

/// What must hold for any bytes at all.
fn assert_sane(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(payload) = Payload::parse(bytes.to_vec()) else { return Ok(()) };
    let mut end = 1;
    for member in payload.members.iter() {
        prop_assert!(end <= member.start && member.start < member.value.start && member.value.end < bytes.len());
        let value = readable(&bytes[member.value.clone()]);
        prop_assert_eq!(serde_json::from_str::<&RawValue>(&value).map(RawValue::get).ok(), Some(&*value));
        prop_assert!(payload.raw(&member.key).is_some());
        end = member.value.end;
    }
    for key in ["jid", "retry_count", "args", "class"] {
        let _ = (payload.get::<Value>(key), payload.get::<String>(key), payload.get::<f64>(key));
    }
    let edit = || payload.edit().set("queue", "\"}").set("retry_count", 1).set("failed_at", 1.5);
    let changed = edit().finish();
    prop_assert!(untouched::is_untouched(bytes, &changed), "{}", changed.escape_ascii());
    prop_assert_eq!(Payload::parse(changed).unwrap().get::<u32>("retry_count"), Some(1));
    let without = Payload::parse(edit().remove("jid").remove("args").finish()).unwrap();
    prop_assert_eq!((without.raw("jid"), without.raw("args")), (None, None));
    Ok(())
}

/// As many texts as there are, all from one seed, so that a run is like the next.
#[test]
fn a_hundred_thousand_spoilt_jobs_do_no_harm() {
    use proptest::test_runner::{Config, RngSeed, TestRunner};

    let config =
        |cases| Config { cases, rng_seed: RngSeed::Fixed(6_4), failure_persistence: None, ..Config::default() };
    let mut jobs = Vec::new();
    let mut runner = TestRunner::new(config(300));
    for _ in 0..300 {
        jobs.push(ruby_texts::job().new_tree(&mut runner).unwrap().current());
    }
    let deeds = prop::collection::vec((0..7_u8, any::<usize>(), 0..12_usize, any::<u8>()), 0..4);
    let read = std::cell::Cell::new(0);
    let result = TestRunner::new(config(100_000)).run(&(0..jobs.len(), deeds), |(job, deeds)| {
        let bytes = deeds
            .into_iter()
            .fold(jobs[job].clone(), |text, (deed, at, length, byte)| spoil(text, (deed, at, length, byte)));
        read.set(read.get() + u32::from(Payload::parse(bytes.clone()).is_ok()));
        assert_sane(&bytes)
    });
    result.unwrap();
    assert!((20_000..80_000).contains(&read.get()), "{} of them were jobs", read.get());
}
