//! Jobs as Ruby's `JSON.generate` writes them, for tests: every kind of text that it may write, and nothing else but
//! bytes that are not UTF-8, which Ruby's parser lets through.

use proptest::prelude::*;

/// A number as Ruby prints an integer (of any length) or a float.
fn number() -> impl Strategy<Value = Vec<u8>> {
    let integer = prop_oneof![any::<i64>().prop_map(|n| n.to_string()), "-?[1-9][0-9]{19,40}", Just("0".to_owned())];
    let float = prop_oneof![
        any::<f64>(),
        -1e17..1e17_f64,
        (-12..30, any::<bool>()).prop_map(|(power, minus)| 10_f64.powi(power) * if minus { -1.0 } else { 1.0 }),
        (-9..9_i32).prop_map(f64::from),
        Just(-0.0)
    ];
    let float = float.prop_filter("JSON has no such float", |f| f.is_finite()).prop_map(ruby_float);
    // Newer versions of its library write 1e+16 for 1.0e+16.
    let shorter = float.clone().prop_map(|text| text.replace(".0e", "e"));
    prop_oneof![2 => integer, 1 => float, 1 => shorter].prop_map(String::into_bytes)
}

/// The shortest digits that give the float again; with an exponent of two digits at least below 0.0001 and from 1e16.
fn ruby_float(float: f64) -> String {
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    if float != 0.0 && !(-4..16).contains(&exponent) {
        let point = if digits.contains('.') { "" } else { ".0" };
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}{point}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{float}");
    if plain.contains('.') { plain } else { format!("{plain}.0") }
}

/// A quoted text: short escapes, `\u00xx` for other control characters, everything else as it is.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let letter = prop_oneof![
        8 => any::<char>().prop_map(quoted),
        2 => (0..0x20_u8).prop_map(|control| quoted(char::from(control))),
        4 => proptest::sample::select(vec!['"', '\\', '/', '\u{7f}', '\u{2028}', '\u{2029}', '{', ']', ',', 'é', '😀'])
            .prop_map(quoted),
        1 => (0x80..=0xff_u8).prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(letter, 0..8).prop_map(|letters| [&b"\""[..], &letters.concat(), b"\""].concat())
}

fn quoted(letter: char) -> Vec<u8> {
    match letter {
        '"' => "\\\"".into(),
        '\\' => "\\\\".into(),
        '\u{8}' => "\\b".into(),
        '\u{c}' => "\\f".into(),
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        control if control < ' ' => format!("\\u{:04x}", u32::from(control)).into_bytes(),
        other => other.to_string().into_bytes(),
    }
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let word = proptest::sample::select(vec!["null", "true", "false"]).prop_map(|word| word.as_bytes().to_vec());
    let leaf = prop_oneof![1 => word, 3 => number(), 4 => text()];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let array = prop::collection::vec(inner.clone(), 0..4).prop_map(|items| joined(b'[', &items, b']'));
        let member = (text(), inner).prop_map(|(key, value)| [&key[..], b":", &value].concat());
        prop_oneof![array, prop::collection::vec(member, 0..4).prop_map(|members| joined(b'{', &members, b'}'))]
    })
}

fn joined(open: u8, parts: &[Vec<u8>], close: u8) -> Vec<u8> {
    [&[open][..], &parts.join(&b','), &[close]].concat()
}

/// A value in as many brackets as go into a job: Ruby writes 100 levels.
fn deep() -> impl Strategy<Value = Vec<u8>> {
    (1..=97_usize, any::<bool>()).prop_map(|(depth, arrays)| {
        let (open, close) = if arrays { ("[", "]") } else { ("{\"a\":", "}") };
        format!("{}1.0{}", open.repeat(depth), close.repeat(depth)).into_bytes()
    })
}

/// A member of a job: one that Sidekiq knows, with a value that it may have there, or any other.
fn member() -> impl Strategy<Value = Vec<u8>> {
    let time =
        prop_oneof![(1.0e9..2.0e9_f64).prop_map(ruby_float), (1_600_000_000_000_i64..).prop_map(|n| n.to_string())];
    let known = prop_oneof![
        time.prop_flat_map(|time| {
            let keys = vec!["created_at", "enqueued_at", "failed_at", "retried_at"];
            proptest::sample::select(keys).prop_map(move |key| format!("\"{key}\":{time}"))
        }),
        (-1..30).prop_map(|count| format!("\"retry_count\":{count}")),
        proptest::sample::select(vec![
            "\"queue\":\"a\"",
            "\"queue\":\"b\"",
            "\"retry\":true",
            "\"retry\":1000",
            "\"retry\":null",
            "\"retry_queue\":\"slow\"",
            "\"retry_for\":1000000",
            "\"dead\":true",
            "\"backtrace\":true",
            "\"backtrace\":1",
            "\"error_message\":\"old\\n\\\"\"",
            "\"error_class\":\"Old::Error\"",
            "\"error_backtrace\":\"eJyLVi8tTs1T0lFKyk/KU4oFACTKBQY=\"",
            "\"wrapped\":\"Tested\"",
            "\"tags\":[\"a\",\"é\"]",
            "\"cattr\":{\"user\":1,\"queue\":\"inner\",\"retry_count\":7}",
            "\"bid\":null",
        ])
        .prop_map(str::to_owned),
    ];
    let other =
        (text(), prop_oneof![9 => value(), 1 => deep()]).prop_map(|(key, value)| [&key[..], b":", &value].concat());
    prop_oneof![2 => known.prop_map(String::into_bytes), 3 => other]
}

/// A whole job of class `Tested`, whose members stand in any order.
pub(crate) fn job() -> impl Strategy<Value = Vec<u8>> {
    let arguments = prop::collection::vec(prop_oneof![9 => value(), 1 => deep()], 0..3);
    let must = arguments.prop_map(|args| {
        let args = [b"\"args\":", &joined(b'[', &args, b']')[..]].concat();
        [b"\"class\":\"Tested\"".to_vec(), args]
    });
    (must, prop::collection::vec(member(), 0..10))
        .prop_map(|(must, others)| must.into_iter().chain(others).collect::<Vec<_>>())
        .prop_shuffle()
        .prop_map(|members| joined(b'{', &members, b'}'))
}
