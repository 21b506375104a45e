//! Whether the server lets us give each command that a worker gives, on the keys on which it does.
//!
//! Each is queued in a transaction that is then discarded: the server judges a command when it is queued, and runs
//! none. So access control lists and renamed commands are seen on every version, and nothing is changed.

use redis::{Cmd, RedisResult, Value};

use super::finding::Finding;
use crate::config::Config;
use crate::connections::{Redis, RedisError, Redises, rights};
use crate::sidekiq::{Keys, Switch};

const SUBJECT: &str = "permissions";
/// Refusals that are named; the others are counted.
const NAMED: usize = 3;

pub(super) async fn look(redises: &Redises, config: &Config) -> Vec<Finding> {
    let mut servers = vec![(&redises.queues, sidekiq_and_ours(config))];
    if config.sidekiq.gitlab.enabled != Switch::Off {
        for (redis, commands) in [(&redises.queues_metadata, metadata()), (&redises.shared_state, shared_state())] {
            match servers.iter_mut().find(|(server, _)| server.server() == redis.server()) {
                Some((_, all)) => all.extend(commands),
                None => servers.push((redis, commands)),
            }
        }
    }
    let mut findings = Vec::new();
    for (redis, commands) in servers {
        findings.push(on(redis, &commands, &config.mirror.namespace).await);
    }
    findings
}

async fn on(redis: &Redis, commands: &[Cmd], namespace: &str) -> Finding {
    let refused = match refused(redis, commands).await {
        Ok(refused) => refused,
        Err(error) => {
            let cure = format!("permit transactions: {}", rule(redis, namespace).await);
            return Finding::error(SUBJECT, error.to_string(), "that every command is permitted", cure);
        }
    };
    if refused.is_empty() {
        return Finding::ok(SUBJECT, format!("all that a worker needs on {}", redis.server()));
    }
    let named = refused.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
    let more = refused.len().checked_sub(NAMED).filter(|more| *more > 0);
    let more = more.map(|more| format!("; and {more} more")).unwrap_or_default();
    let seen = format!("{}: {named}{more}", redis.server());
    let cure = format!("{} (and do not rename commands)", rule(redis, namespace).await);
    Finding::error(SUBJECT, seen, "that every command is permitted", cure)
}

/// The rule that permits everything.
async fn rule(redis: &Redis, namespace: &str) -> String {
    let user: String = redis.query(redis::cmd("ACL").arg("WHOAMI")).await.unwrap_or_else(|_| "USER".to_owned());
    let namespaced = if namespace.is_empty() { String::new() } else { format!(" ~{namespace}:*") };
    format!("ACL SETUSER {user} {} {}{namespaced} {}", rights::COMMANDS, rights::KEYS, rights::CHANNELS)
}

/// What is refused, each with its key and the reason.
async fn refused(redis: &Redis, commands: &[Cmd]) -> Result<Vec<String>, RedisError> {
    // If there were no transactions, the commands would be run one by one.
    let mut empty = redis::pipe();
    empty.cmd("MULTI").ignore().cmd("DISCARD").ignore();
    redis.pipeline::<()>(&empty).await?;

    let mut trial = redis::pipe();
    trial.cmd("MULTI");
    for command in commands {
        trial.add_command(command.clone());
    }
    trial.cmd("DISCARD").ignore_errors();
    let answers: Vec<RedisResult<Value>> = redis.pipeline(&trial).await?;
    let judged = commands.iter().zip(answers.into_iter().skip(1));
    Ok(judged.filter_map(|(command, answer)| Some(format!("{}: {}", told(command), reason(&answer.err()?)))).collect())
}

fn told(command: &Cmd) -> String {
    let words = command.args_iter().filter_map(|word| match word {
        redis::Arg::Simple(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    });
    words.take(2).collect::<Vec<_>>().join(" ")
}

fn reason(error: &redis::RedisError) -> String {
    error.detail().map_or_else(|| error.to_string(), ToOwned::to_owned)
}

/// A command given as words.
fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command
}

/// What a worker does with Sidekiq's keys and with ours. The names are those of a queue, a process and a mirror that do
/// not exist.
fn sidekiq_and_ours(config: &Config) -> Vec<Cmd> {
    let keys: &Keys = &config.sidekiq.keys;
    let process = "sidemirror-doctor:1:0123456789ab";
    let [queue, working] =
        ["queue:sidemirror-doctor", "working:queue:sidemirror-doctor:sidemirror-doctor:1:0123456789ab"]
            .map(|key| keys.named(key));
    let [queues, retry, schedule, dead, processes] =
        ["queues", "retry", "schedule", "dead", "processes"].map(|key| keys.named(key));
    let [entry, busy, signals] =
        [process.to_owned(), format!("{process}:work"), format!("{process}-signals")].map(|key| keys.named(&key));
    let [lease, cleanup, total] =
        ["reliable-fetcher-heartbeat-sidemirror-doctor-1-0123456789ab", "process_cleanup", "stat:processed"]
            .map(|key| keys.named(key));
    let (mirror, due, run) = ("sidemirror:pull:0", "sidemirror:pull:due", "sidemirror:run:pull:0");
    let words: [&[&str]; 42] = [
        &["RPOPLPUSH", &queue, &working],
        &["BRPOPLPUSH", &queue, &working, "1"],
        &["LREM", &working, "1", "x"],
        &["LPUSH", &queue, "x"],
        &["RPUSH", &queue, "x"],
        &["LRANGE", &queue, "0", "0"],
        &["LINDEX", &queue, "-1"],
        &["LLEN", &queue],
        &["SADD", &queues, "x"],
        &["ZADD", &retry, "1", "x"],
        &["ZADD", &schedule, "1", "x"],
        &["ZADD", &dead, "1", "x"],
        &["ZREM", &retry, "x"],
        &["ZSCORE", &schedule, "x"],
        &["ZRANGEBYSCORE", &retry, "-inf", "0", "LIMIT", "0", "1"],
        &["ZREMRANGEBYSCORE", &dead, "-inf", "0"],
        &["ZREMRANGEBYRANK", &dead, "0", "-10000"],
        &["SADD", &processes, "x"],
        &["SREM", &processes, "x"],
        &["SCARD", &processes],
        &["SMEMBERS", &processes],
        &["HMSET", &entry, "x", "y"],
        &["HGET", &entry, "info"],
        &["EXPIRE", &entry, "1"],
        &["HSET", &busy, "x", "y"],
        &["UNLINK", &busy],
        &["RPOP", &signals],
        &["SET", &lease, "1", "EX", "1"],
        &["SET", &cleanup, "1", "NX", "EX", "1"],
        &["INCRBY", &total, "0"],
        &["SCAN", "0"],
        &["EVAL", "return 1", "2", &queue, &working],
        &["EVALSHA", "0000000000000000000000000000000000000000", "1", &queue],
        &["SCRIPT", "LOAD", "return 1"],
        &["GET", mirror],
        &["SET", mirror, "x"],
        &["DEL", run],
        &["EXISTS", run],
        &["ZRANGEBYSCORE", due, "-inf", "0"],
        &["TIME"],
        &["ZREMRANGEBYRANK", "sidemirror:hosts:held", "0", "-1001"],
        &["PING"],
    ];
    words.map(command).to_vec()
}

/// What is done where GitLab keeps what it knows about jobs.
fn metadata() -> Vec<Cmd> {
    let executing = "sidekiq:concurrency_limit:{sidemirror_doctor}:executing";
    let words: [&[&str]; 5] = [
        &["HSET", executing, "x", "1"],
        &["HDEL", executing, "x"],
        &["DEL", "gitlab-sidekiq-status:sidemirror-doctor"],
        &["SET", "gitlab-sidekiq-status:sidemirror-doctor", "1", "EX", "1"],
        &["DEL", "resque:gitlab:resque:gitlab:duplicate:sidemirror-doctor:0:cookie:v2"],
    ];
    words.map(command).to_vec()
}

/// What is done where GitLab's processes keep what they share.
fn shared_state() -> Vec<Cmd> {
    vec![command(&["EXISTS", "sidekiq:cancel:sidemirror-doctor"])]
}
