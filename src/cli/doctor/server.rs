//! The Redis server: which it is, what it keeps, and what it throws away.

use std::collections::HashMap;

use super::finding::Finding;
use crate::config::Config;
use crate::connections::Redis;
use crate::sidekiq::Profile;

/// The oldest major version that has all that we need, and the newest that is known.
const MAJORS: (u32, u32) = (4, 8);
/// Of its memory limit a server may use so much before it is told.
const NEARLY_FULL: f64 = 0.9;

/// What the server says about itself: `INFO`, as fields.
struct Info(HashMap<String, String>);

impl Info {
    fn parse(text: &str) -> Self {
        let fields = text.lines().filter_map(|line| line.trim().split_once(':'));
        Self(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn text(&self, field: &str) -> &str {
        self.0.get(field).map_or("", String::as_str)
    }

    fn number(&self, field: &str) -> f64 {
        self.text(field).parse().unwrap_or(0.0)
    }
}

pub(super) async fn look(redis: &Redis, config: &Config) -> Vec<Finding> {
    let info = match redis.query::<String>(&redis::cmd("INFO")).await {
        Ok(text) => Info::parse(&text),
        Err(error) => {
            let cure = "permit INFO (+info), so that version, persistence and memory can be looked at";
            return vec![Finding::warning("redis_version", error.to_string(), "an answer to INFO", cure)];
        }
    };
    let snapshots = snapshots(redis).await;
    let mut findings = vec![version(&info, config.sidekiq.profile), role(&info)];
    findings.extend(cluster(&info));
    findings.extend([persistence(&info, snapshots), eviction(&info), memory(&info)]);
    findings
}

/// Whether snapshots are made from time to time; `None` if we may not know.
async fn snapshots(redis: &Redis) -> Option<bool> {
    let answer: Vec<String> = redis.query(redis::cmd("CONFIG").arg("GET").arg("save")).await.ok()?;
    answer.get(1).map(|rules| !rules.is_empty())
}

fn version(info: &Info, profile: Profile) -> Finding {
    const SUBJECT: &str = "redis_version";
    let valkey = info.text("valkey_version");
    let (name, version) = if valkey.is_empty() { ("Redis", info.text("redis_version")) } else { ("Valkey", valkey) };
    let seen = format!("{name} {version}");
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let wanted = match profile {
        Profile::V6_4 | Profile::V6_5 => (MAJORS.0, 0),
        Profile::V7 => (6, 2),
        Profile::V8 => (7, 0),
    };
    if major == 0 {
        Finding::info(SUBJECT, format!("a server of an unknown kind ({})", seen.trim_end()))
    } else if major < MAJORS.0 {
        Finding::error(SUBJECT, seen, "Redis 4.0 or newer", "upgrade it")
    } else if (major, minor) < wanted {
        let expected = format!("{}.{} or newer, as Ruby's Sidekiq {profile} demands", wanted.0, wanted.1);
        Finding::warning(SUBJECT, seen, expected, "upgrade it, or see whether mirror.sidekiq names the right Sidekiq")
    } else if major > MAJORS.1 && name == "Redis" {
        Finding::info(SUBJECT, format!("{seen}, which is newer than what this version of sidemirror knows"))
    } else {
        Finding::ok(SUBJECT, seen)
    }
}

fn role(info: &Info) -> Finding {
    const SUBJECT: &str = "redis_role";
    match info.text("role") {
        "slave" => {
            let cure = "name the master, or let Sentinels name it (mirror.redis.sentinels)";
            Finding::error(SUBJECT, "a replica, which takes no writes", "the master", cure)
        }
        role => Finding::ok(SUBJECT, role),
    }
}

fn cluster(info: &Info) -> Option<Finding> {
    let cure = "use a server that is no cluster, as Sidekiq itself needs";
    (info.text("cluster_enabled") == "1")
        .then(|| Finding::error("redis_cluster", "the server is part of a cluster", "a single server", cure))
}

/// What a restart of the server loses.
fn persistence(info: &Info, snapshots: Option<bool>) -> Finding {
    const SUBJECT: &str = "persistence";
    let aof = info.text("aof_enabled") == "1";
    if aof && info.text("aof_last_write_status") == "err" {
        let cure = "see the server's log; most often the disk is full";
        return Finding::error(SUBJECT, "the last write to the append-only file failed", "that it succeeds", cure);
    }
    if info.text("rdb_last_bgsave_status") == "err" {
        let cure = "see the server's log; most often the disk is full or fork() got no memory";
        return Finding::error(SUBJECT, "the last snapshot failed", "that it succeeds", cure);
    }
    match (aof, snapshots) {
        (true, _) => Finding::ok(SUBJECT, "an append-only file"),
        (false, Some(true)) => {
            let cure = "appendonly yes, so that at most a second is lost";
            let seen = "only snapshots: a crash of the server loses the jobs and states that came after the last";
            Finding::warning(SUBJECT, seen, "an append-only file", cure)
        }
        (false, Some(false)) => {
            let cure = "appendonly yes";
            let seen = "none: a restart of the server loses all mirrors, their passwords, and every job";
            Finding::error(SUBJECT, seen, "an append-only file", cure)
        }
        (false, None) => {
            let seen = "no append-only file; whether there are snapshots cannot be told (CONFIG GET is not permitted)";
            Finding::warning(SUBJECT, seen, "an append-only file", "appendonly yes")
        }
    }
}

fn eviction(info: &Info) -> Finding {
    const SUBJECT: &str = "eviction";
    match info.text("maxmemory_policy") {
        "" => Finding::info(SUBJECT, "the server does not say what it does when its memory is full"),
        "noeviction" => Finding::ok(SUBJECT, "noeviction"),
        policy => {
            let seen = format!("{policy}: when its memory is full the server deletes jobs and mirrors");
            Finding::error(SUBJECT, seen, "noeviction", "maxmemory-policy noeviction; keep caches on another server")
        }
    }
}

fn memory(info: &Info) -> Finding {
    const SUBJECT: &str = "memory";
    let (used, limit) = (info.number("used_memory"), info.number("maxmemory"));
    let in_mebibytes = |bytes: f64| format!("{:.1} MiB", bytes / f64::from(1 << 20));
    if limit <= 0.0 {
        return Finding::ok(SUBJECT, format!("{} used, no limit set", in_mebibytes(used)));
    }
    let seen = format!("{} of {} used", in_mebibytes(used), in_mebibytes(limit));
    let (expected, cure) = ("less than 90 %", "raise maxmemory, or see which queue or set has grown");
    if used >= limit {
        Finding::error(SUBJECT, format!("{seen}: no job can be pushed"), expected, cure)
    } else if used >= limit * NEARLY_FULL {
        Finding::warning(SUBJECT, seen, expected, cure)
    } else {
        Finding::ok(SUBJECT, seen)
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity::{self, Error, Info as Known, Ok, Warning};
    use super::*;

    #[test]
    fn a_version_is_judged_by_what_we_and_the_ruby_side_need() {
        let cases: [(&str, Profile, Severity); 8] = [
            ("redis_version:3.2.12", Profile::V6_4, Error),
            ("redis_version:4.0.14", Profile::V6_4, Ok),
            ("redis_version:6.0.16", Profile::V7, Warning),
            ("redis_version:7.0.15", Profile::V8, Ok),
            ("redis_version:8.2.1", Profile::V8, Ok),
            ("redis_version:9.0.0", Profile::V8, Known),
            ("redis_version:7.2.4\r\nvalkey_version:9.0.1", Profile::V8, Ok),
            ("server:something else", Profile::V7, Known),
        ];
        for (text, profile, severity) in cases {
            assert_eq!(version(&Info::parse(text), profile).severity, severity, "{text}");
        }
    }

    #[test]
    fn a_write_that_failed_weighs_more_than_that_there_is_a_file() {
        for (text, snapshots, severity) in [
            ("aof_enabled:1\naof_last_write_status:err", None, Error),
            ("aof_enabled:1\nrdb_last_bgsave_status:err", Some(true), Error),
            ("aof_enabled:0", None, Warning),
        ] {
            assert_eq!(persistence(&Info::parse(text), snapshots).severity, severity, "{text}");
        }
    }
}
