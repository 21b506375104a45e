//! `sidemirror doctor` beside real servers in good and bad states.

#![cfg(test)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test whose servers do not start fails")]

mod fleet;
mod servers;

#[path = "../rig/mod.rs"]
mod rig;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rig::installation::Installation;
use rig::redis::Redis;
use serde_json::Value;

/// What the doctor said, and its exit code.
pub(crate) struct Diagnosis {
    pub(crate) code: i32,
    pub(crate) report: Value,
}

impl Diagnosis {
    pub(crate) fn of(installation: &Installation) -> Self {
        let output = installation.cli(&["doctor", "--json"]);
        let report = serde_json::from_slice(&output.stdout);
        let report = report.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        Self { code: output.status.code().unwrap(), report }
    }

    /// The severity and the text of the worst finding about this.
    pub(crate) fn about(&self, subject: &str) -> (&str, &str) {
        let findings = self.report["findings"].as_array().unwrap();
        let about = findings.iter().filter(|finding| finding["subject"] == subject);
        let rank =
            |finding: &&Value| ["ok", "info", "warning", "error"].iter().position(|it| finding["severity"] == *it);
        let finding = about.max_by_key(rank).unwrap_or_else(|| panic!("nothing about {subject}: {}", self.report));
        let bad = matches!(finding["severity"].as_str(), Some("warning" | "error"));
        assert_eq!(finding["expected"].is_string() && finding["cure"].is_string(), bad, "{finding}");
        (finding["severity"].as_str().unwrap(), finding["seen"].as_str().unwrap())
    }

    /// Whether anything was said about this.
    pub(crate) fn mentions(&self, subject: &str) -> bool {
        self.report["findings"].as_array().unwrap().iter().any(|finding| finding["subject"] == subject)
    }
}

/// An installation in which nothing is wrong but what Redis and the worker are up to.
pub(crate) fn installation(redis_url: &str) -> Installation {
    let installation = Installation::new(redis_url);
    set_mode(&installation, 0o600);
    installation
}

fn set_mode(installation: &Installation, mode: u32) {
    fs::set_permissions(installation.folder().join("secret.key"), fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn where_all_is_well_it_exits_with_0_and_has_changed_nothing() {
    let redis = Redis::start_with_persistence();
    let installation = installation(&redis.url());
    let worker = installation.start_worker();
    // It has registered itself, and is quiet, so that the keys stay as they are.
    rig::wait::until("the worker registered", rig::wait::START, || keys(&redis).contains(&"processes".to_owned()));
    worker.signal(rustix::process::Signal::TSTP);
    let before = keys(&redis);
    let diagnosis = Diagnosis::of(&installation);
    assert_eq!((diagnosis.code, &diagnosis.report["worst"]), (0, &"ok".into()), "{:#}", diagnosis.report);
    assert!(diagnosis.about("worker").1.starts_with("alive: "));
    assert_eq!(diagnosis.about("persistence"), ("ok", "an append-only file"));
    assert_eq!(keys(&redis), before);
}

fn keys(redis: &Redis) -> Vec<String> {
    let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis.connection()).unwrap();
    keys.retain(|key| !key.starts_with("sidemirror:lease"));
    keys.sort();
    keys
}

#[test]
fn a_secret_that_others_may_read_or_change_is_an_error() {
    let redis = Redis::start();
    let installation = installation(&redis.url());
    assert!(!Diagnosis::of(&installation).mentions("secret_files"));
    set_mode(&installation, 0o640);
    assert!(!Diagnosis::of(&installation).mentions("secret_files"));
    for (mode, what) in [(0o644, "can be read by everybody (mode 644)"), (0o660, "can be changed by others")] {
        set_mode(&installation, mode);
        let diagnosis = Diagnosis::of(&installation);
        let (severity, seen) = diagnosis.about("secret_files");
        assert_eq!((diagnosis.code, severity), (2, "error"));
        assert!(seen.contains("mirror.secret_key_file") && seen.contains(what), "{seen}");
    }
}

#[test]
fn a_mistake_in_the_configuration_is_a_finding() {
    let redis = Redis::start();
    let diagnosis = Diagnosis::of(&installation(&redis.url()).mirror("max_capcity", 5));
    let (severity, seen) = diagnosis.about("configuration");
    assert_eq!((diagnosis.code, severity), (2, "error"));
    assert!(seen.contains("mirror.max_capcity: there is no such key"), "{seen}");
}

#[test]
fn people_read_what_is_expected_and_what_helps() {
    let redis = Redis::start();
    let output = installation(&redis.url()).cli(&["doctor"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text.starts_with("SEVERITY  SUBJECT"), "{text}");
    assert!(text.contains("ok        eviction       noeviction\n"), "{text}");
    assert!(text.contains("  expected: an append-only file\n") && text.contains("  cure: appendonly yes\n"), "{text}");
}
