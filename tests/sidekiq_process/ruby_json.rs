//! Nothing that we take for a job would Ruby refuse, and nearly nothing the other way round.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use sidemirror::sidekiq::Payload;

use crate::rig::ruby::Ruby;
use crate::samples::{NO_REDIS, ours, rubys};

/// What a Ruby says to each of the texts: whether it reads it.
fn read_by(ruby: Ruby, texts: &[Vec<u8>]) -> Vec<bool> {
    let program = r#"
        $stdout.sync = false
        ARGF.each_line do |line|
          text = [line.chomp].pack("H*").force_encoding("UTF-8")
          puts(begin; JSON.parse(text); 1; rescue JSON::ParserError; 0; end)
        end"#;
    let mut command = ruby.command("ruby", NO_REDIS);
    command.args(["-rjson", "-e", program]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = Vec::new();
    for text in texts {
        for byte in text {
            write!(lines, "{byte:02x}").unwrap();
        }
        lines.push(b'\n');
    }
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(&lines).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let verdicts: Vec<bool> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.first())
        .map(|verdict| *verdict == b'1')
        .collect();
    assert_eq!(verdicts.len(), texts.len());
    verdicts
}

/// Jobs with a splinter in them, by chance, and some that show what is special.
fn spoilt(count: usize) -> Vec<Vec<u8>> {
    const SPLINTERS: [&str; 40] = [
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        "\t",
        "\u{b}",
        "\0",
        "/",
        "/**/",
        "//\n",
        "\\u",
        "\\ud83d",
        "\\ude00",
        "\\ud83d\\ude00",
        "\\q",
        "\\/",
        "\\x41",
        "1",
        "-",
        "0",
        ".",
        "e",
        "E5",
        "+",
        "true",
        "nul",
        "NaN",
        "Infinity",
        "\"a\":1,",
        ",\"a\":[]",
        "é",
        "\u{feff}",
        "'",
        "\\u00e9",
    ];
    let strategy = (proptest::prelude::any::<usize>(), 0..SPLINTERS.len(), 0..3_usize);
    let config = Config { rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let jobs = ours(500);
    let spoilt = (0..count).map(|number| {
        let (at, splinter, lost) = strategy.new_tree(&mut runner).unwrap().current();
        let mut text = jobs[number % jobs.len()].clone();
        let start = at % text.len();
        let end = (start + lost).min(text.len());
        text.splice(start..end, SPLINTERS[splinter].bytes());
        text
    });
    spoilt.collect()
}

/// We read what both the oldest Ruby of the fleet and the newest read. There are exceptions on either side: what only
/// the oldest reads (comments, escapes that do not exist, halves of characters) goes to the dead set, where it can be
/// looked at; a key written twice is refused by the newest alone, and read.
#[test]
fn we_read_what_every_ruby_reads() {
    let texts: Vec<Vec<u8>> =
        spoilt(20_000).into_iter().chain(rubys(Ruby::Bookworm, 500)).chain(rubys(Ruby::Sid, 500)).collect();
    let (oldest, newest) = (read_by(Ruby::Bookworm, &texts), read_by(Ruby::Sid, &texts));
    let mut both = 0;
    for ((text, oldest), newest) in texts.iter().zip(oldest).zip(newest) {
        let ours = Payload::parse(text.clone());
        // JSON that is no object is read, too; it only is no job.
        let read = !matches!(&ours, Err(malformed) if *malformed != sidemirror::sidekiq::Malformed::NotAnObject);
        let twice = serde_json::from_str::<NoKeyTwice>(&String::from_utf8_lossy(text)).is_err();
        assert!(!read || oldest, "only we read {}", text.escape_ascii());
        assert!(!read || newest || twice, "the newest does not read {}", text.escape_ascii());
        assert!(read || !(oldest && newest), "we do not read {}: {ours:?}", text.escape_ascii());
        both += usize::from(read);
    }
    assert!((5_000..19_000).contains(&both), "{both} of the texts were read");
}

/// JSON in which some object has a key twice is no such value.
struct NoKeyTwice;

impl<'de> serde::Deserialize<'de> for NoKeyTwice {
    fn deserialize<D: serde::Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Self)
    }
}

impl<'de> serde::de::Visitor<'de> for NoKeyTwice {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some((key, _)) = map.next_entry::<String, Self>()? {
            if !keys.insert(key) {
                return Err(serde::de::Error::custom("twice"));
            }
        }
        Ok(self)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }
}
