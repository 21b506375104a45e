//! Mistakes in the configuration: each is one clear error, and nothing is started.

#![cfg(test)]

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sidemirror::config::{Config, Overrides};

/// A folder with a key and a repositories folder, for a configuration that is right but for one mistake.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("secret.key");
        fs::write(&key, "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n").unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes the configuration: top-level lines, and lines of the `mirror` section.
    fn config(&self, top: &str, mirror: &str) -> PathBuf {
        let with_default = |key: &str, value: String| {
            if mirror.contains(&format!("{key}:")) { String::new() } else { format!("  {key}: {value}\n") }
        };
        let text = format!(
            "{top}\nmirror:\n{}{}{}  {mirror}\n",
            with_default("repositories", self.path("repositories").display().to_string()),
            with_default("secret_key_file", self.path("secret.key").display().to_string()),
            with_default("listen", "\"\"".to_owned()),
        );
        let path = self.path("sidemirror.yml");
        fs::write(&path, text).unwrap();
        path
    }
}

fn run(config: &Path, flags: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sidemirror"))
        .args(["run", "-C"])
        .arg(config)
        .args(flags)
        .env_clear()
        // Nobody listens there: what gets this far has not noticed the mistake.
        .env("REDIS_URL", "redis://127.0.0.1:1/0")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// A mistake: what it is called, top-level lines, lines of the `mirror` section, flags, variables.
type Mistake<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], &'a [(&'a str, &'a str)]);

const MISTAKES: &[Mistake<'static>] = &[
    ("unknown key", "concurency: 5", "", &[], &[]),
    ("unknown key of a section", "", "max_capcity: 5", &[], &[]),
    ("wrong type", "concurrency: lots", "", &[], &[]),
    ("out of range", "concurrency: 0", "", &[], &[]),
    ("negative", "", "max_capacity: -1", &[], &[]),
    ("fraction", "timeout: 2.5", "", &[], &[]),
    ("flag out of range", "", "", &["-c", "0"], &[]),
    ("variable that is no number", "", "", &[], &[("RAILS_MAX_THREADS", "many")]),
    ("duration without a unit", "", "stall_timeout: 60", &[], &[]),
    ("duration out of range", "", "max_delay: 5m", &[], &[]),
    ("not a boolean", "", "allow_local_network: maybe", &[], &[]),
    ("rule that is none", "", "network: {allow: [10.0.0.0/33]}", &[], &[]),
    ("all of the machine", "", "network: {file_roots: [/]}", &[], &[]),
    ("name server by name", "", "network: {nameservers: [dns.example]}", &[], &[]),
    ("ERB", "concurrency: <%= ENV['N'] %>", "", &[], &[]),
    ("not YAML", "queues: [a, b", "", &[], &[]),
    ("a list instead of a section", "", "jobs: [UpdateMirror]", &[], &[]),
    ("a job that is neither pull nor push", "", "jobs: {UpdateMirror: both}", &[], &[]),
    ("queue with a bad weight", "queues: [[mirrors, many]]", "", &[], &[]),
    ("queue flag with a bad weight", "", "", &["-q", "mirrors,x"], &[]),
    ("capsules that are a list", "capsules: [urgent]", "", &[], &[]),
    ("capsule without concurrency", "capsules: {urgent: {queues: [a]}}", "", &[], &[]),
    ("capsule without queues", "capsules: {urgent: {concurrency: 2}}", "", &[], &[]),
    ("unknown key of a capsule", "capsules: {urgent: {concurrency: 2, queues: [a], weight: 3}}", "", &[], &[]),
    ("too much in all capsules together", "capsules: {urgent: {concurrency: 990, queues: [a]}}", "", &[], &[]),
    ("store of another version", "", "store: gitlab", &[], &[]),
    ("unknown Sidekiq", "", "sidekiq: 5", &[], &[]),
    ("namespace with a blank", "", "namespace: \"resque gitlab\"", &[], &[]),
    ("GitLab neither on nor off", "", "gitlab: {enabled: maybe}", &[], &[]),
    ("unknown strategy", "", "gitlab: {deduplication: {AWorker: sometimes}}", &[], &[]),
    ("address without a port", "", "listen: localhost", &[], &[]),
    ("relative folder", "", "repositories: repositories", &[], &[]),
    ("key file that is not there", "", "secret_key_file: /nowhere/secret.key", &[], &[]),
    ("key file that everybody may read", "", "secret_key_file: /etc/passwd", &[], &[]),
    ("key file with something else in it", "", "secret_key_file: /dev/null", &[], &[]),
    ("previous key file that is not there", "", "previous_secret_key_files: [/nowhere/old.key]", &[], &[]),
    ("previous key file with a relative path", "", "previous_secret_key_files: [old.key]", &[], &[]),
    ("key in the environment that is none", "", "", &[], &[("SIDEMIRROR_SECRET_KEY", "hunter2")]),
    ("a URL where a variable's name belongs", "", "", &[], &[("REDIS_PROVIDER", "redis://:hunter2@h:1")]),
    ("URL that is none", "", "", &[], &[("REDIS_URL", "hunter2")]),
    ("URL that is none in the file", "", "redis: {url: 'redis://:hunter2@h:x'}", &[], &[]),
    ("URL in place of the section", "", "redis: 'redis://:hunter2@h'", &[], &[]),
    ("TLS with anybody", "", "redis: {url: 'rediss://h#insecure'}", &[], &[]),
    ("two passwords", "", "redis: {url: 'redis://:hunter2@h', password_file: /x}", &[], &[]),
    ("user without a password", "", "redis: {username: worker}", &[], &[]),
    ("certificate without a key", "", "redis: {url: 'rediss://h', certificate_file: /x}", &[], &[]),
    ("CA without TLS", "", "redis: {ca_file: /x}", &[], &[]),
    ("CA file with something else in it", "", "redis: {url: 'rediss://h', ca_file: /dev/null}", &[], &[]),
    ("password file that is not there", "", "redis: {password_file: /nowhere/password}", &[], &[]),
    ("password file with nothing in it", "", "redis: {password_file: /dev/null}", &[], &[]),
    ("Sentinels with a socket", "", "redis: {url: 'unix:///x', sentinels: [h]}", &[], &[]),
    ("Sentinel that is no host", "", "redis: {sentinels: ['redis://:hunter2@h'], sentinel_master: forge}", &[], &[]),
    ("master without Sentinels", "", "redis: {sentinel_master: forge}", &[], &[]),
    ("too long a wait", "", "redis: {response_timeout: 1m}", &[], &[]),
    ("proxy with a password in its URL", "", "network: {proxy: 'http://u:hunter2@h:1'}", &[], &[]),
    ("proxy that is none", "", "network: {proxy: sometimes}", &[], &[]),
    ("login for no proxy", "", "network: {proxy_username: u, proxy_password_file: /x}", &[], &[]),
    ("redirects that are no rule", "", "network: {redirects: always}", &[], &[]),
    ("authorities with something else in them", "", "network: {ca_file: /dev/null}", &[], &[]),
];

#[test]
fn every_mistake_is_one_error_that_names_file_key_and_what_is_accepted() {
    let mut messages = String::new();
    for (name, top, mirror, flags, variables) in MISTAKES {
        let folder = Folder::new();
        let config = folder.config(top, mirror);
        report(&mut messages, &folder, name, &run(&config, flags, variables));
    }
    insta::assert_snapshot!(messages);
}

#[test]
fn what_only_shows_by_trying_is_told_in_the_same_way() {
    let mut messages = String::new();
    let folder = Folder::new();

    let output = run(&folder.path("missing.yml"), &[], &[]);
    report(&mut messages, &folder, "file that is not there", &output);
    let output = run(folder.0.path(), &[], &[]);
    report(&mut messages, &folder, "a folder instead of a file", &output);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&folder.config("", &format!("listen: {address}")), &[], &[]);
    report(&mut messages, &folder, "port taken", &replaced(output, &address, "127.0.0.1:PORT"));

    let user = rustix::process::geteuid().as_raw();
    let (foreign, unwritable) = if user == 0 {
        fs::create_dir(folder.path("foreign")).unwrap();
        chown(folder.path("foreign"), Some(65534), None).unwrap();
        (folder.path("foreign"), PathBuf::from("/proc"))
    } else {
        fs::create_dir(folder.path("unwritable")).unwrap();
        fs::set_permissions(folder.path("unwritable"), std::os::unix::fs::PermissionsExt::from_mode(0o500)).unwrap();
        (PathBuf::from("/usr"), folder.path("unwritable"))
    };
    for (name, path) in [("folder of another user", foreign), ("folder that cannot be written", unwritable)] {
        let output = run(&folder.config("", &format!("repositories: {}", path.display())), &[], &[]);
        let output =
            replaced(replaced(output, &path.display().to_string(), "/PATH"), &format!("user {user},"), "user N,");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        // Who owns it, and why it cannot be written, depends on who runs the test.
        assert!(
            text.contains("mirror.repositories: /PATH ") && text.contains("expected a folder that user N"),
            "{text}"
        );
        assert_eq!(output.status.code(), Some(1), "{name}");
    }

    let output = run(&folder.config("", ""), &[], &[]);
    report(&mut messages, &folder, "Redis that does not answer", &output);
    insta::assert_snapshot!(messages);
}

fn report(messages: &mut String, folder: &Folder, name: &str, output: &Output) {
    assert_eq!(output.status.code(), Some(1), "{name}: {output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{name}: something was started");
    let path = folder.0.path().display().to_string();
    let text = String::from_utf8_lossy(&output.stderr).replace(&path, "/etc/sidemirror");
    assert_eq!(text.lines().count(), 1, "{name}: {text}");
    assert!(!text.contains("hunter2"), "{name} tells a secret");
    writeln!(messages, "{name}\n    {}", text.trim_end()).unwrap();
}

fn replaced(mut output: Output, from: &str, to: &str) -> Output {
    output.stderr = String::from_utf8_lossy(&output.stderr).replace(from, to).into_bytes();
    output
}

fn load(text: &str, overrides: Overrides, variables: &[(&str, &str)]) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sidekiq.yml");
    fs::write(&path, text).unwrap();
    let env = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Config::load(&Overrides { path: Some(path), ..overrides }, &env).unwrap()
}

fn weights(config: &Config) -> Vec<(&str, u32)> {
    config.sidekiq.capsules[0].queues.weights().collect()
}

#[test]
fn the_documented_file_holds_the_defaults() {
    let documented = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/sidemirror.yml")).unwrap();
    let no_env = [("APP_ENV", "test")];
    let mut documented = load(&documented, Overrides::default(), &no_env);
    let defaults = load("queues: [[mirrors, 1]]", Overrides::default(), &no_env);
    documented.path.clone_from(&defaults.path);
    assert_eq!(format!("{documented:#?}"), format!("{defaults:#?}"));
}

#[test]
fn queues_are_taken_in_every_form_in_which_sidekiq_writes_them() {
    let config = load(":queues:\n  - plain\n  - [pair, 3]\n  - \"text,2\"\n  - :symbol\n", Overrides::default(), &[]);
    assert_eq!(weights(&config), [("plain", 0), ("pair", 3), ("text", 2), ("symbol", 0)]);
    let flags = Overrides { queues: vec!["a,2".into(), "b".into()], ..Overrides::default() };
    assert_eq!(weights(&load(":queues: [c]", flags, &[])), [("a", 2), ("b", 0)]);
    assert_eq!(weights(&load("", Overrides::default(), &[])), [("default", 0)]);
}

#[test]
fn capsules_stand_beside_the_default_one_and_may_take_its_place() {
    let file = "concurrency: 5\nqueues: [a]\ncapsules:\n  :single:\n    concurrency: 1\n    queues: [[b, 2], c]\n";
    let names = |config: &Config| {
        let capsules = config.sidekiq.capsules.iter();
        capsules.map(|capsule| (capsule.name.clone(), capsule.concurrency, capsule.queues.mode())).collect::<Vec<_>>()
    };
    let config = load(file, Overrides::default(), &[]);
    assert_eq!(names(&config), [("default".into(), 5, "strict"), ("single".into(), 1, "weighted")]);
    assert_eq!((config.sidekiq.concurrency(), config.sidekiq.first_queue()), (6, "a"));
    let config = load(&file.replace("single", "default"), Overrides::default(), &[]);
    assert_eq!(names(&config), [("default".into(), 1, "weighted")]);
}

#[test]
fn the_environment_chooses_a_section_and_the_command_line_beats_the_file() {
    let file = ":concurrency: 5\nproduction:\n  :concurrency: 9\n  mirror:\n    max_capacity: 7\nmirror:\n  max_capacity: 3\n  scheduler: false\nstaging:\n  concurrency: 2\n";
    let development = load(file, Overrides::default(), &[]);
    assert_eq!((development.sidekiq.concurrency(), development.mirror.capacity.max), (5, 3));
    let production = load(file, Overrides::default(), &[("RAILS_ENV", "production")]);
    assert_eq!(
        (production.sidekiq.concurrency(), production.mirror.capacity.max, production.mirror.scheduler),
        (9, 7, false)
    );
    let flags = Overrides { concurrency: Some(4), environment: Some("staging".into()), ..Overrides::default() };
    let flagged = load(file, flags, &[("RAILS_ENV", "production"), ("RAILS_MAX_THREADS", "8")]);
    assert_eq!((flagged.sidekiq.concurrency(), flagged.environment.as_str()), (4, "staging"));
    assert_eq!(load("", Overrides::default(), &[("RAILS_MAX_THREADS", "8")]).sidekiq.concurrency(), 8);
}

#[test]
fn redis_is_where_sidekiq_would_look_for_it() {
    let url = |variables: &[(&str, &str)]| load("", Overrides::default(), variables).redis.url.to_string();
    assert_eq!(url(&[]), "localhost:6379/0");
    assert_eq!(url(&[("REDIS_URL", "redis://a")]), "a:6379/0");
    assert_eq!(url(&[("REDIS_URL", "redis://a"), ("REDIS_PROVIDER", "OTHER"), ("OTHER", "redis://b")]), "b:6379/0");
}

#[test]
fn sentinels_need_a_name_for_the_master() {
    let load = |redis: &str, variables: &[(&str, &str)]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sidekiq.yml");
        fs::write(&path, format!("mirror: {{redis: {redis}}}")).unwrap();
        let env = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::load(&Overrides { path: Some(path), ..Overrides::default() }, &env)
    };
    let url = [("REDIS_URL", "rediss://forge/2")];
    let error = load("{sentinels: [a]}", &[]).unwrap_err().to_string();
    assert!(error.contains("mirror.redis.sentinels: nothing says what they call the master"), "{error}");
    let named_by_url = load("{sentinels: [a, 'b:1']}", &url).unwrap().redis.sentinels.unwrap();
    assert_eq!(named_by_url.addresses, [("a".to_owned(), 26379), ("b".to_owned(), 1)]);
    // As Redis, unless something else is said.
    assert!(named_by_url.tls);
    assert!(!load("{sentinels: [a], sentinel_tls: false}", &url).unwrap().redis.sentinels.unwrap().tls);
}

#[test]
fn a_negative_number_of_interruptions_means_that_no_job_is_set_aside() {
    let limit = |text: &str| load(text, Overrides::default(), &[]).sidekiq.max_interruptions;
    assert_eq!(limit("max_retries_after_interruption: 5"), Some(5));
    assert_eq!(limit(":max_retries_after_interruption: -1"), None);
}
