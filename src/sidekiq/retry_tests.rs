//! Every row of Sidekiq's rules about what follows a failure.

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::super::profile::Profile;
use super::super::queues::QueueSet;
use super::*;

const NOW: f64 = 1_700_000_000.0;

fn failed(text: &str) -> Settlement {
    let settings = Settings::new(1, QueueSet::new([("q".to_owned(), 1)]).unwrap(), Profile::V7);
    let failure =
        JobFailure { error_class: "IOError".into(), message: "boom é".into(), causes: vec!["a cable".into()] };
    after_failure(&Payload::parse(text.to_owned()).unwrap(), "q", &failure, &settings, NOW)
}

fn retried(text: &str) -> (String, f64) {
    match failed(text) {
        Settlement::Retry(text, due) => (String::from_utf8(text.to_vec()).unwrap(), due),
        _ => panic!("not retried: {text}"),
    }
}

#[test]
fn the_first_failure_counts_as_zero_and_is_dated() {
    let (text, due) = retried(r#"{"retry":true,"queue":"other","class":"A","x":1E5}"#);
    assert_eq!(
        text,
        "{\"retry\":true,\"queue\":\"q\",\"class\":\"A\",\"x\":1E5,\"error_message\":\"boom é\",\
         \"error_class\":\"IOError\",\"failed_at\":1700000000.0,\"retry_count\":0}"
    );
    assert!((NOW + 15.0..NOW + 25.0).contains(&due));
}

#[test]
fn a_later_failure_counts_on_and_keeps_the_first_date() {
    let (text, due) = retried(r#"{"retry":5,"retry_count":2,"failed_at":1.5,"retry_queue":"slow"}"#);
    assert!(text.starts_with(r#"{"retry":5,"retry_count":3,"failed_at":1.5,"retry_queue":"slow","queue":"slow""#));
    assert!(text.contains(r#""retried_at":1700000000.0"#));
    assert!((NOW + 96.0..NOW + 136.0).contains(&due));
}

#[test]
fn a_job_that_was_sent_off_by_hand_keeps_its_first_date() {
    let (text, due) = retried(r#"{"retry_count":-1,"failed_at":1.5}"#);
    assert!(text.starts_with(r#"{"retry_count":0,"failed_at":1.5,"#) && text.contains("retried_at"), "{text}");
    assert!((NOW + 15.0..NOW + 25.0).contains(&due));
}

#[test]
fn the_retry_field_says_how_often() {
    for text in [
        r#"{"retry":true,"retry_count":23}"#,
        r#"{"retry_count":23}"#,
        r#"{"retry":null,"retry_count":23}"#,
        r#"{"retry":"x","retry_count":23}"#,
        r#"{"retry":1.5,"retry_count":23}"#,
        r#"{"retry":25,"retry_count":23}"#,
        r#"{"retry":99999999999999999999,"retry_count":23}"#,
    ] {
        retried(text);
    }
    for text in [
        r#"{"retry":true,"retry_count":24}"#,
        r#"{"retry_count":24}"#,
        r#"{"retry":0}"#,
        r#"{"retry":-1}"#,
        r#"{"retry":3,"retry_count":2}"#,
        r#"{"retry":3,"retry_count":4294967295}"#,
    ] {
        assert!(matches!(failed(text), Settlement::Dead(_)), "{text}");
    }
    for text in [r#"{"retry":false}"#, r#"{"retry":0,"dead":false}"#] {
        assert!(matches!(failed(text), Settlement::Over), "{text}");
    }
}

#[test]
fn a_message_is_cut_at_ten_thousand_characters() {
    let settings = Settings::new(1, QueueSet::new([("q".to_owned(), 1)]).unwrap(), Profile::V8);
    let failure = JobFailure::new("E", "é".repeat(20_000));
    let payload = Payload::parse("{}").unwrap();
    let Settlement::Retry(text, _) = after_failure(&payload, "q", &failure, &settings, NOW) else { panic!() };
    let stored = Payload::parse(text).unwrap();
    assert_eq!(stored.get::<String>("error_message").unwrap().chars().count(), 10_000);
    assert_eq!(stored.raw("failed_at"), Some(&b"1700000000000"[..]));
}

#[test]
fn a_backtrace_is_kept_where_it_is_asked_for() {
    let lines = |text: &str| -> Option<Vec<String>> {
        let packed: String = Payload::parse(retried(text).0).unwrap().get("error_backtrace")?;
        let mut json = String::new();
        ZlibDecoder::new(&STANDARD.decode(packed).unwrap()[..]).read_to_string(&mut json).unwrap();
        serde_json::from_str(&json).unwrap()
    };
    assert_eq!(lines(r#"{"backtrace":true}"#).unwrap(), ["IOError: boom é", "caused by: a cable"]);
    assert_eq!(lines(r#"{"backtrace":1}"#).unwrap(), ["IOError: boom é"]);
    assert_eq!(lines(r#"{"backtrace":false}"#), None);
    assert_eq!(lines("{}"), None);
}
