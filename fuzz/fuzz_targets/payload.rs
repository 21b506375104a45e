//! The reader of jobs, given any bytes: it never panics, and what it edits is read again with every other byte as it
//! was. The sources are taken in as they are, since with the whole program a build would take minutes.

#![no_main]

#[path = "../../src/sidekiq/job/payload.rs"]
#[allow(dead_code, reason = "not all of it is fuzzed")]
mod payload;
#[path = "../../src/sidekiq/job/ruby_reader.rs"]
mod ruby_reader;
#[path = "../../tests/oracle/untouched.rs"]
#[allow(dead_code, reason = "it holds its own tests, too")]
mod untouched;

use libfuzzer_sys::fuzz_target;
use payload::Payload;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(payload) = Payload::parse(bytes.to_vec()) else { return };
    for key in ["class", "jid", "args", "retry_count", "\u{fffd}"] {
        let _ = (payload.get::<Value>(key), payload.get::<String>(key), payload.get::<f64>(key));
    }
    assert!(payload.edit().finish().ends_with(b"}") || !bytes.ends_with(b"}"));

    let edit = || payload.edit().set("queue", "\"}").set("retry_count", 1).set("error_message", "\0\u{2028}\\");
    let changed = edit().finish();
    assert!(untouched::is_untouched(bytes, &changed));
    let again = Payload::parse(changed).unwrap();
    assert_eq!(again.get::<u32>("retry_count"), Some(1));
    assert_eq!(again.get::<String>("error_message").as_deref(), Some("\0\u{2028}\\"));

    let without = Payload::parse(edit().remove("jid").remove("args").finish()).unwrap();
    assert!(without.raw("jid").is_none() && without.raw("args").is_none());
});
