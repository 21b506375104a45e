//! Every row of Sidekiq's rules about what follows a failure.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;

use super::*;
use crate::sidekiq::fetch::queues::QueueSet;

const NOW: f64 = 1_700_000_000.0;

fn failed(text: &str) -> Settlement {
    failed_as(Profile::V7, Wish::None, text)
}

fn failed_as(profile: Profile, wish: Wish, text: &str) -> Settlement {
    let settings = Settings::new(1, QueueSet::new([("q".to_owned(), 1)]).unwrap(), profile);
    let failure =
        JobFailure { error_class: "IOError".into(), message: "boom é".into(), causes: vec!["a cable".into()] };
    after_failure(&Payload::parse(text.to_owned()).unwrap(), "q", &failure, wish, &settings, NOW)
}

/// One letter for each profile, oldest first: retried, dead, or gone.
fn verdicts(wish: Wish, text: &str) -> String {
    [Profile::V6_4, Profile::V6_5, Profile::V7, Profile::V8]
        .map(|profile| match failed_as(profile, wish, text) {
            Settlement::Retry(..) => 'R',
            Settlement::Dead(_) => 'D',
            Settlement::Over => '-',
            _ => '?',
        })
        .iter()
        .collect()
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
        r#"{"retry":99999999999999999999,"retry_count":2300}"#,
        r#"{"retry":"x","retry_count":23.9}"#,
        r#"{"retry":1e0,"retry_count":null}"#,
        r#"{"retry":1,"retry_count":false}"#,
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
        r#"{"retry":3,"retry_count":99999999999999999999}"#,
        r#"{"retry":-99999999999999999999}"#,
        r#"{"retry":3,"retry_count":2.5}"#,
        r#"{"retry":3,"retry_count":1e300}"#,
        r#"{"retry":0,"dead":null}"#,
        r#"{"retry":0,"dead":"false"}"#,
    ] {
        assert!(matches!(failed(text), Settlement::Dead(_)), "{text}");
    }
    for text in [r#"{"retry":false}"#, r#"{"retry":0,"dead":false}"#] {
        assert!(matches!(failed(text), Settlement::Over), "{text}");
    }
}

#[test]
fn a_limit_in_time_means_to_each_version_what_it_means_there() {
    let cases = [
        // Within the time: 8 no longer asks for the number.
        (r#"{"retry_for":60,"retry_count":1,"failed_at":1699999941.0}"#, "RRRR"),
        (r#"{"retry_for":60,"retry":3,"retry_count":5,"failed_at":1699999941.0}"#, "DDDR"),
        (r#"{"retry_for":60,"retry":0}"#, "DDDR"),
        // The time is over.
        (r#"{"retry_for":60,"retry_count":1,"failed_at":1699999939.0}"#, "RRDD"),
        (r#"{"retry_for":60,"retry_count":1,"failed_at":1699999939000}"#, "RRDD"),
        (r#"{"retry_for":60.5,"retry_count":1,"failed_at":1699999939.6}"#, "RRRR"),
        (r#"{"retry_for":60,"retry_count":1,"failed_at":1699999939.0,"dead":false}"#, "RR--"),
        (r#"{"retry_for":0}"#, "RRDD"),
        // Whose first failure is not told.
        (r#"{"retry_for":60,"retry_count":1,"created_at":1699999939.0}"#, "RRDD"),
        (r#"{"retry_for":60,"retry_count":40}"#, "DDDD"),
        // No limit at all.
        (r#"{"retry_for":null,"retry_count":40,"failed_at":1.0}"#, "DDDD"),
        (r#"{"retry_for":false,"failed_at":1.0}"#, "RRRR"),
        (r#"{"retry_for":"60","retry_count":1,"failed_at":1.0}"#, "RRRR"),
        (r#"{"retry_for":60,"retry":false}"#, "----"),
    ];
    for (text, expected) in cases {
        assert_eq!(verdicts(Wish::None, text), expected, "{text}");
    }
}

#[test]
fn a_job_may_ask_for_its_death_and_its_options_still_count() {
    for (text, killed) in [
        ("{}", "DDDD"),
        (r#"{"retry":5,"retry_for":9000}"#, "DDDD"),
        (r#"{"dead":false}"#, "----"),
        (r#"{"retry":false}"#, "----"),
    ] {
        assert_eq!(verdicts(Wish::Death, text), killed, "{text}");
        assert_eq!(verdicts(Wish::Discard, text), "----", "{text}");
    }
    let Settlement::Dead(text) = failed_as(Profile::V7, Wish::Death, "{}") else { panic!() };
    assert!(String::from_utf8_lossy(&text).ends_with(r#""failed_at":1700000000.0,"retry_count":0}"#));
}

#[test]
fn a_delay_of_its_own_takes_the_place_of_the_usual_one_but_for_the_jitter() {
    let due = |seconds: u64, text: &str| {
        let wish = Wish::After(Duration::from_secs(seconds));
        match failed_as(Profile::V8, wish, text) {
            Settlement::Retry(_, due) => due - NOW,
            _ => panic!("not retried: {text}"),
        }
    };
    assert!((1000.0..1040.0).contains(&due(1000, r#"{"retry_count":2}"#)));
    assert!((96.0..136.0).contains(&due(0, r#"{"retry_count":2}"#)), "zero is no delay");
    assert_eq!(verdicts(Wish::After(Duration::from_secs(1)), r#"{"retry":0}"#), "DDDD");
}

#[test]
fn a_message_is_cut_at_ten_thousand_characters() {
    let settings = Settings::new(1, QueueSet::new([("q".to_owned(), 1)]).unwrap(), Profile::V8);
    let failure = JobFailure::new("E", "é".repeat(20_000));
    let payload = Payload::parse("{}").unwrap();
    let Settlement::Retry(text, _) = after_failure(&payload, "q", &failure, Wish::None, &settings, NOW) else {
        panic!()
    };
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
    assert_eq!(lines(r#"{"backtrace":-1}"#).unwrap(), ["IOError: boom é"], "all but the last");
    assert_eq!(lines(r#"{"backtrace":"1 line"}"#).unwrap(), ["IOError: boom é"]);
    for (option, count) in [("0", 0), ("-9", 0), ("1.9", 1), ("99999999999999999999", 2), ("\"x\"", 0), ("[]", 2)] {
        assert_eq!(lines(&format!(r#"{{"backtrace":{option}}}"#)).unwrap().len(), count, "{option}");
    }
    assert_eq!(lines(r#"{"backtrace":null}"#), None);
    assert_eq!(lines(r#"{"backtrace":false}"#), None);
    assert_eq!(lines("{}"), None);
}
