//! What waits in the queues that we serve.

use std::collections::BTreeMap;

use super::finding::Finding;
use crate::config::Config;
use crate::connections::{Redis, RedisError};
use crate::scheduler::update_all_mirrors;
use crate::sidekiq::{self, Payload, listed_processes};

const SUBJECT: &str = "queues";
/// Jobs looked at in each queue, from the next on: so many, in pages, and no more when they take up so many bytes.
const REACH: isize = 100;
const PAGE: isize = 10;
const BYTES: usize = 8 << 20;
/// Classes that are named; the others are counted.
const NAMED: usize = 5;

pub(super) async fn look(redis: &Redis, config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for queue in config.sidekiq.queues() {
        findings.push(look_at(redis, config, queue).await.unwrap_or_else(|error| {
            let cure = "see what lies under that key";
            Finding::error(SUBJECT, format!("{queue}: {error}"), "a list of jobs", cure)
        }));
    }
    findings
}

async fn look_at(redis: &Redis, config: &Config, queue: &str) -> Result<Finding, RedisError> {
    let key = config.sidekiq.keys.queue(queue);
    let length: usize = redis.query(redis::cmd("LLEN").arg(&key)).await?;
    let (foreign, seen) = foreign_classes(redis, config, &key).await?;
    let waiting = format!("{queue}: {length} waiting");
    if foreign.is_empty() {
        return Ok(Finding::ok(SUBJECT, waiting));
    }
    let mut named: Vec<String> =
        foreign.iter().take(NAMED).map(|(class, count)| format!("{class} ({count})")).collect();
    if foreign.len() > NAMED {
        named.push(format!("{} more classes", foreign.len() - NAMED));
    }
    let waiting = format!("{waiting}; of the next {seen} some are of classes that are not ours: {}", named.join(", "));
    let served = listed_processes(redis, &config.sidekiq.keys)
        .await?
        .into_iter()
        .find(|process| process.sidemirror.is_none() && process.queues.iter().any(|served| served == queue));
    if let Some(process) = served {
        return Ok(Finding::info(SUBJECT, format!("{waiting}; they are left to {}", process.identity)));
    }
    let cure = "let a Ruby process serve this queue, too; route our classes into a queue of their own; or name the \
                classes in mirror.jobs";
    let seen = format!("{waiting}; nobody else serves the queue, so they fail with NameError");
    Ok(Finding::warning(SUBJECT, seen, "only jobs of classes that somebody serves", cure))
}

fn class(text: Vec<u8>) -> Option<String> {
    sidekiq::class_of(&Payload::parse(text).ok()?)
}

/// Whether a worker of ours runs jobs of this class, given without a leading `::`.
fn is_ours(config: &Config, class: &str) -> bool {
    class == update_all_mirrors::CLASS || config.mirror.jobs.contains_key(class)
}

/// How many of the next jobs are of which class that is not ours, and how many were looked at.
async fn foreign_classes(
    redis: &Redis,
    config: &Config,
    key: &str,
) -> Result<(BTreeMap<String, usize>, usize), RedisError> {
    let mut foreign = BTreeMap::new();
    let (mut seen, mut bytes) = (0, 0);
    for end in (1..=REACH).step_by(PAGE.unsigned_abs()) {
        let page: Vec<Vec<u8>> = redis.query(redis::cmd("LRANGE").arg(key).arg(-(end + PAGE - 1)).arg(-end)).await?;
        seen += page.len();
        bytes += page.iter().map(Vec::len).sum::<usize>();
        let last = page.len() < PAGE.unsigned_abs();
        for class in page.into_iter().filter_map(class) {
            let name = class.strip_prefix("::").unwrap_or(&class);
            if !is_ours(config, name) {
                let name = name.chars().filter(|letter| !letter.is_control()).take(100).collect();
                *foreign.entry(name).or_default() += 1;
            }
        }
        if last || bytes > BYTES {
            break;
        }
    }
    Ok((foreign, seen))
}
