//! An installation with its mirrors, and what a check says and leaves alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use redis::Commands as _;
use regex::Regex;
use serde_json::Value;

use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::repository::Repository;

pub(crate) struct Scene {
    pub(crate) installation: Installation,
    pub(crate) redis: Redis,
}

/// A check as it was printed for people, and as JSON.
pub(crate) struct Checked {
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(|installation| installation)
    }

    pub(crate) fn with(settings: impl FnOnce(Installation) -> Installation) -> Self {
        let redis = Redis::start();
        let installation = Installation::new(&redis.url()).mirror("scheduler", false);
        let temporary = installation.folder().join("temporary");
        fs::create_dir(&temporary).unwrap();
        let installation = installation.with_variable("TMPDIR", temporary.to_str().unwrap());
        Self { installation: settings(installation), redis }
    }

    /// Adds a mirror between `p.git` and this address, and makes sure that a push has something to send.
    pub(crate) fn add(&self, direction: &str, id: u64, url: &str, options: &[&str]) {
        let ours = self.installation.repository("p.git");
        if direction == "push" && !ours.path().exists() {
            Repository::create(ours.path()).commit("main", "ours");
        }
        let id = id.to_string();
        let fixed = ["mirror", "add", direction, "--id", &id, "--repository", "p.git", "--url", url];
        self.installation.cli_ok(&[&fixed, options].concat());
    }

    /// Checks, for people and for programs.
    #[track_caller]
    pub(crate) fn check(&self, direction: &str, id: u64) -> Checked {
        let id = id.to_string();
        let before = self.all_there_is();
        let output = self.installation.cli(&["mirror", "check", direction, &id]);
        let json = self.installation.cli(&["mirror", "check", direction, &id, "--json"]);
        assert_eq!(changed(&before, &self.all_there_is()), Vec::<&str>::new(), "the check changed something");
        let (text, code) = (printed(&output), output.status.code());
        let json: Value = serde_json::from_str(&printed(&json)).unwrap();
        assert_eq!(code, Some(i32::from(json["ok"] != true)), "{text}");
        Checked { text: self.plain(&text), json }
    }

    /// Every key in Redis, and every file of ours.
    fn all_there_is(&self) -> BTreeMap<String, Vec<u8>> {
        let mut connection = self.redis.connection();
        let keys: Vec<String> = connection.keys("*").unwrap();
        let mut all: BTreeMap<_, _> = keys
            .into_iter()
            .map(|key| {
                let value: Vec<u8> = redis::cmd("DUMP").arg(&key).query(&mut connection).unwrap();
                (format!("redis {key}"), value)
            })
            .collect();
        for folder in ["repositories", "temporary"] {
            files(&self.installation.folder().join(folder), &mut all);
        }
        all
    }

    /// The same at every run: without ports, times and fingerprints.
    fn plain(&self, text: &str) -> String {
        let folder = self.installation.folder().display().to_string();
        [
            (r"(?m)[ ]+\d+\.\d ms[ ]+", "  TIME  "),
            (r"(127\.0\.0\.\d|localhost):\d+", "$1:PORT"),
            (r"SHA256:[A-Za-z0-9+/]{43}", "SHA256:…"),
            (r"\b[0-9a-f]{64}\b", "FINGERPRINT"),
            (r"\bport \d+", "port PORT"),
            (r"(?m)^(\S+(?: key)?)[ ]+(ok|note|FAILED|-)[ ]+", "$1  $2  "),
            (r"(?m)^[ ]{10,}", "          "),
        ]
        .into_iter()
        .fold(text.replace(&folder, "FOLDER").replace(&crate::rig::sshd::me(), "USER"), |text, (pattern, plain)| {
            Regex::new(pattern).unwrap().replace_all(&text, plain).into_owned()
        })
    }
}

impl Checked {
    /// How a step ended.
    #[track_caller]
    pub(crate) fn outcome(&self, step: &str) -> &str {
        self.step(step)["outcome"].as_str().unwrap()
    }

    #[track_caller]
    pub(crate) fn step(&self, step: &str) -> &Value {
        let mut steps = self.json["steps"].as_array().unwrap().iter();
        steps.find(|taken| taken["step"] == step).unwrap_or_else(|| panic!("no {step} in {}", self.json))
    }

    /// The one step that failed.
    #[track_caller]
    pub(crate) fn failed(&self) -> &str {
        let failed: Vec<_> =
            self.json["steps"].as_array().unwrap().iter().filter(|step| step["outcome"] == "failed").collect();
        assert_eq!(failed.len(), 1, "{}", self.json);
        failed[0]["step"].as_str().unwrap()
    }
}

/// The names of what is new, gone, or other than before.
fn changed<'a>(before: &'a BTreeMap<String, Vec<u8>>, after: &'a BTreeMap<String, Vec<u8>>) -> Vec<&'a str> {
    let names = before.keys().chain(after.keys());
    names.filter(|name| before.get(*name) != after.get(*name)).map(String::as_str).collect()
}

fn printed(output: &Output) -> String {
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Every file with what it holds, and every folder with when it was changed last.
fn files(folder: &Path, all: &mut BTreeMap<String, Vec<u8>>) {
    let changed = fs::metadata(folder).unwrap().modified().unwrap();
    all.insert(folder.display().to_string(), format!("{changed:?}").into_bytes());
    // The folder for what is temporary is written to, and is empty afterwards.
    if folder.ends_with("temporary") {
        all.insert(folder.display().to_string(), Vec::new());
    }
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, all);
        } else {
            all.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
}
