//! The processes that serve our queues, ours and Ruby's.

use super::finding::Finding;
use crate::config::Config;
use crate::connections::Redis;
use crate::sidekiq::{Listed, Profile, listed_processes};

/// A process that beats every ten seconds and was silent for so long, in seconds, is not well.
const SILENT: f64 = 45.0;
/// Processes that are named; the others are counted.
const NAMED: usize = 5;

pub(super) async fn look(redis: &Redis, config: &Config) -> Vec<Finding> {
    let all = match listed_processes(redis, &config.sidekiq.keys).await {
        Ok(all) => all,
        Err(error) => {
            let cure = "see that the keys of Sidekiq are what it takes them for";
            return vec![Finding::error("worker", error.to_string(), "a list of processes", cure)];
        }
    };
    let serves =
        |process: &&Listed| config.sidekiq.queues().iter().any(|queue| process.queues.contains(&queue.to_string()));
    let (ours, rubys): (Vec<&Listed>, Vec<&Listed>) = all.iter().filter(serves).partition(|it| it.sidemirror.is_some());
    let mut findings = vec![workers(&ours)];
    if !rubys.is_empty() {
        let seen = format!("our queues are also served by {}", names(&rubys));
        findings.push(Finding::info(
            "other_processes",
            format!("{seen}; jobs of classes that are not ours are left to them"),
        ));
    }
    findings.extend(profile(&all, config.sidekiq.profile));
    findings.extend(elsewhere(redis, config).await);
    findings
}

fn workers(ours: &[&Listed]) -> Finding {
    const SUBJECT: &str = "worker";
    let (silent, alive): (Vec<&Listed>, Vec<&Listed>) = ours.iter().partition(|process| process.silent > SILENT);
    if alive.is_empty() {
        let seen = match silent.first() {
            Some(process) => format!("{} was silent for {:.0} s", process.identity, process.silent),
            None => "no worker of sidemirror serves these queues".to_owned(),
        };
        return Finding::error(SUBJECT, seen, "at least one that lives", "start it, or see its log");
    }
    let seen = format!("alive: {}", names(&alive));
    if let Some(other) = alive.iter().find(|process| process.sidemirror.as_deref() != Some(env!("CARGO_PKG_VERSION"))) {
        let version = other.sidemirror.as_deref().unwrap_or_default();
        return Finding::info(SUBJECT, format!("{seen}; {} is of version {}", other.identity, brief(version)));
    }
    Finding::ok(SUBJECT, seen)
}

/// Whether every Ruby process reads the formats that we write.
fn profile(all: &[Listed], profile: Profile) -> Option<Finding> {
    let other = all.iter().filter(|process| process.sidemirror.is_none()).find(|process| !reads(process, profile))?;
    let version = other.version.as_deref().map_or_else(|| "older than 7.0.2".to_owned(), brief);
    let seen = format!("{} is of Sidekiq {version}, but the formats of {profile} are written", brief(&other.identity));
    let expected = "formats that every process reads: times would look wrong, or running jobs not show";
    Some(Finding::warning("profile", seen, expected, "set mirror.sidekiq to the oldest Sidekiq that is in use"))
}

/// A process reads the formats of its own version and of those before it. Versions before 7.0.2 do not tell theirs.
fn reads(process: &Listed, profile: Profile) -> bool {
    match process.version.as_deref() {
        None => profile < Profile::V7,
        Some(version) => Profile::of_version(version).is_none_or(|own| own >= profile),
    }
}

/// Sidekiq's data may lie in a namespace, or outside of it, where we do not look.
async fn elsewhere(redis: &Redis, config: &Config) -> Option<Finding> {
    const GITLAB: &str = "resque:gitlab";
    let namespace = &config.mirror.namespace;
    let (other, name) =
        if namespace.is_empty() { ("resque:gitlab:queues", GITLAB) } else { ("queues", "no namespace") };
    let ours = config.sidekiq.keys.named("queues");
    let there: (bool, bool) =
        redis.pipeline(redis::pipe().cmd("EXISTS").arg(other).cmd("EXISTS").arg(ours)).await.ok()?;
    (there == (true, false)).then(|| {
        let seen = format!("Sidekiq's queues lie in {name}, not where mirror.namespace ({namespace:?}) says");
        Finding::error("namespace", seen, "the namespace of the Ruby side", "set mirror.namespace")
    })
}

fn names(processes: &[&Listed]) -> String {
    let mut names: Vec<String> = processes.iter().take(NAMED).map(|process| name(process)).collect();
    if processes.len() > NAMED {
        names.push(format!("{} more", processes.len() - NAMED));
    }
    names.join(", ")
}

fn name(process: &Listed) -> String {
    let identity = brief(&process.identity);
    match (&process.sidemirror, &process.version) {
        (None, Some(version)) => format!("{identity} (Sidekiq {})", brief(version)),
        _ => identity,
    }
}

/// Foreign text made fit for one line.
fn brief(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(100).collect()
}
