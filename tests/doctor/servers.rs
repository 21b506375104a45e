//! The Redis server in bad states.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::rig::port;
use crate::rig::process::Process;
use crate::rig::redis::Redis;
use crate::{Diagnosis, installation};

fn tell(redis: &Redis, words: &[&str]) {
    redis::cmd(words[0]).arg(&words[1..]).exec(&mut redis.connection()).unwrap();
}

#[test]
fn a_server_that_cannot_be_reached_is_a_finding_beside_the_others() {
    let diagnosis = Diagnosis::of(&installation("redis://worker:hunter2@127.0.0.1:1/0"));
    let (severity, seen) = diagnosis.about("redis");
    assert_eq!((diagnosis.code, severity), (2, "error"));
    assert!(seen.contains("127.0.0.1:1/0"), "{seen}");
    assert_eq!(diagnosis.about("repositories").0, "ok");
    assert!(!diagnosis.report.to_string().contains("hunter2"));
}

#[test]
fn a_server_that_forgets_is_an_error_and_one_that_makes_snapshots_only_a_warning() {
    let redis = Redis::start();
    let installation = installation(&redis.url());
    let diagnosis = Diagnosis::of(&installation);
    assert_eq!(diagnosis.about("persistence").0, "error");
    tell(&redis, &["CONFIG", "SET", "save", "3600 1"]);
    let diagnosis = Diagnosis::of(&installation);
    assert_eq!(diagnosis.about("persistence").0, "warning");
}

#[test]
fn with_warnings_alone_it_exits_with_1() {
    let redis = Redis::start_with_persistence();
    let installation = installation(&redis.url());
    let _worker = installation.start_worker();
    tell(&redis, &["CONFIG", "SET", "appendonly", "no", "save", "3600 1"]);
    let diagnosis = Diagnosis::of(&installation);
    assert_eq!((diagnosis.code, &diagnosis.report["worst"]), (1, &"warning".into()), "{:#}", diagnosis.report);
}

#[test]
fn a_server_that_deletes_what_is_old_is_an_error_and_one_nearly_full_is_told() {
    let redis = Redis::start();
    let installation = installation(&redis.url());
    tell(&redis, &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let diagnosis = Diagnosis::of(&installation);
    assert_eq!(diagnosis.about("eviction").0, "error");
    assert!(diagnosis.about("eviction").1.starts_with("allkeys-lru"));
    assert_eq!(diagnosis.about("memory").0, "ok");
    tell(&redis, &["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    tell(&redis, &["CONFIG", "SET", "maxmemory", "100kb"]);
    let diagnosis = Diagnosis::of(&installation);
    assert_eq!(diagnosis.about("eviction").0, "ok");
    assert_eq!(diagnosis.about("memory").0, "error");
}

#[test]
fn a_replica_is_an_error() {
    let redis = Redis::start();
    tell(&redis, &["REPLICAOF", "127.0.0.1", "1"]);
    let diagnosis = Diagnosis::of(&installation(&redis.url()));
    assert_eq!(diagnosis.about("redis_role"), ("error", "a replica, which takes no writes"));
}

#[test]
fn what_the_access_control_lists_forbid_is_named_with_the_rule_that_permits_it() {
    let redis = Redis::start();
    let url = format!("redis://worker:pw@127.0.0.1:{}/0", redis.port());
    tell(&redis, &["ACL", "SETUSER", "worker", "on", ">pw", "~*", "+@all", "-zadd"]);
    let diagnosis = Diagnosis::of(&installation(&url));
    let (severity, seen) = diagnosis.about("permissions");
    assert_eq!(severity, "error");
    assert!(
        seen.contains("ZADD retry: ") && seen.contains("ZADD schedule: ") && seen.contains("ZADD dead: "),
        "{seen}"
    );
    let findings = diagnosis.report["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["subject"] == "permissions").unwrap();
    assert!(finding["cure"].as_str().unwrap().contains("ACL SETUSER worker +@read +@write"), "{finding}");

    tell(&redis, &["ACL", "SETUSER", "worker", "+zadd", "resetkeys", "~queue*", "~working*", "~*:*:*"]);
    let diagnosis = Diagnosis::of(&installation(&url));
    assert!(diagnosis.about("permissions").1.contains("ZADD retry: "), "{:#}", diagnosis.report);
    assert_eq!(redis::cmd("DBSIZE").query(&mut redis.connection()), Ok(0));
}

#[test]
fn the_rule_that_is_named_permits_all_that_the_doctor_tries() {
    use sidemirror::connections::rights::{CHANNELS, COMMANDS, KEYS};
    let redis = Redis::start();
    let words: Vec<&str> = [COMMANDS, KEYS, CHANNELS].iter().flat_map(|rules| rules.split_whitespace()).collect();
    tell(&redis, &[&["ACL", "SETUSER", "worker", "on", ">pw", "resetkeys", "resetchannels"], &words[..]].concat());
    let diagnosis = Diagnosis::of(&installation(&format!("redis://worker:pw@127.0.0.1:{}/0", redis.port())));
    assert_eq!(diagnosis.about("permissions").0, "ok", "{:#}", diagnosis.report);
}

#[test]
fn a_command_that_was_renamed_away_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let port = port::free();
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--rename-command", "RPOPLPUSH", "", "--port"]);
    command.arg(port.to_string()).arg("--dir").arg(folder.path());
    let mut server = Process::start("redis-server", &mut command, &folder.path().join("log"));
    let client = redis::Client::open(Redis::url_at(port)).unwrap();
    server.ready(|| client.get_connection().is_ok());
    let diagnosis = Diagnosis::of(&installation(&Redis::url_at(port)));
    let (severity, seen) = diagnosis.about("permissions");
    assert_eq!(severity, "error");
    assert!(seen.contains("RPOPLPUSH queue:sidemirror-doctor") && !seen.contains("more"), "{seen}");
}

#[test]
fn a_slow_server_is_a_warning() {
    // Each answer has to wait for a script of somebody's, again and again.
    const BUSY: &str = "for i = 1, 2000000 do end";
    let redis = Redis::start();
    let installation = installation(&redis.url());
    let over = AtomicBool::new(false);
    let diagnosis = thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut connection = redis.connection();
                while !over.load(Ordering::Relaxed) {
                    redis::cmd("EVAL").arg(BUSY).arg(0).exec(&mut connection).unwrap();
                }
            });
        }
        let diagnosis = Diagnosis::of(&installation);
        over.store(true, Ordering::Relaxed);
        diagnosis
    });
    assert_eq!(diagnosis.about("latency").0, "warning", "{:#}", diagnosis.report);
}
