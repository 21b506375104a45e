//! The `mirror:` section.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::error::ConfigError;
use super::git::GitSettings;
use super::limits::Children;
use super::network::Network;
use super::section::Section;
use super::{gitlab, hosts, limits};
use crate::mirror::capacity::Capacity;
use crate::mirror::hosts::HostRules;
use crate::mirror::key::Direction;
use crate::mirror::limits::Limits;
use crate::sidekiq::{GitLabSettings, Profile};

/// What concerns mirrors.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in the file")]
pub struct Mirroring {
    /// Where mirrors and their states live.
    pub store: StoreKind,
    /// Bare repositories live under here.
    pub repositories: PathBuf,
    /// The file with the key that seals secrets at rest: 32 bytes in base64. Other places may hold it, too.
    pub secret_key_file: PathBuf,
    /// Files with keys that were in use before, which still open what they sealed.
    pub previous_secret_key_files: Vec<PathBuf>,
    /// Where metrics and health are served; nowhere if `None`.
    pub listen: Option<SocketAddr>,
    /// How many pull mirrors may be under way.
    pub capacity: Capacity,
    /// The longest rest between two runs of a pull mirror.
    pub max_delay: Duration,
    /// Whether loopback and private addresses may be mirror hosts.
    pub allow_local_network: bool,
    /// The way to the mirrors' hosts.
    pub network: Network,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long a connection may stay silent.
    pub stall_timeout: Duration,
    /// What one run may take, where its mirror does not say otherwise.
    pub limits: Limits,
    /// What all `git` children may take.
    pub children: Children,
    /// How far sides are spared.
    pub hosts: HostRules,
    /// Which engine moves what.
    pub git: GitSettings,
    /// What the Ruby classes mean here.
    pub jobs: BTreeMap<String, Direction>,
    /// The Sidekiq whose formats we write; `None` if that is to be found out.
    pub profile: Option<Profile>,
    /// Whether due mirrors are scheduled by this process.
    pub scheduler: bool,
    /// Whether the schedule has an entry in Ruby's cron tab.
    pub cron_tab: bool,
    /// Whether due retries and scheduled jobs are put back into their queues by this process.
    pub poller: bool,
    /// How long jobs of foreign classes are left to a process that is not there (yet).
    pub foreign_grace: Duration,
    /// What stands before every key of Sidekiq's; empty if nothing does.
    pub namespace: String,
    /// What is done for GitLab's Rails side.
    pub gitlab: GitLabSettings,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// Where mirrors live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// In Redis, administered with `sidemirror mirror`.
    Redis,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// The classes known without configuration: the ones of the name this program goes by, and GitLab's.
const BUILT_IN_JOBS: [(&str, Direction); 4] = [
    ("UpdateMirror", Direction::Pull),
    ("RemoteMirror", Direction::Push),
    ("RepositoryUpdateMirrorWorker", Direction::Pull),
    ("RepositoryUpdateRemoteMirrorWorker", Direction::Push),
];

/// The Sidekiqs whose formats are known.
const PROFILES: [(&str, Option<Profile>); 5] = [
    ("auto", None),
    ("6.4", Some(Profile::V6_4)),
    ("6.5", Some(Profile::V6_5)),
    ("7", Some(Profile::V7)),
    ("8", Some(Profile::V8)),
];

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

impl Mirroring {
    pub(super) fn from_section(mut section: Section, listen: Option<String>) -> Result<Self, ConfigError> {
        let run_deadline = section.duration("run_deadline", SECOND..=7 * 24 * HOUR)?.unwrap_or(3 * HOUR);
        let stall_timeout = section.duration("stall_timeout", SECOND..=HOUR)?.unwrap_or(60 * SECOND);
        let (limits, children) = limits::from_section(section.section("limits")?, run_deadline, stall_timeout)?;
        let mirroring = Self {
            store: store(&mut section)?,
            repositories: absolute(&mut section, "repositories", "/var/lib/sidemirror/repositories")?,
            secret_key_file: absolute(&mut section, "secret_key_file", "/etc/sidemirror/secret.key")?,
            previous_secret_key_files: section.files("previous_secret_key_files")?,
            listen: address(&mut section, listen)?,
            capacity: Capacity {
                max: section.number("max_capacity", 1..=100_000)?.unwrap_or(100),
                threshold: section.number("capacity_threshold", 0..=100_000)?.unwrap_or(50),
            },
            max_delay: section.duration("max_delay", 30 * 60 * SECOND..=30 * 24 * HOUR)?.unwrap_or(5 * HOUR),
            allow_local_network: section.flag("allow_local_network")?.unwrap_or(false),
            network: Network::from_section(section.section("network")?)?,
            connect_timeout: section.duration("connect_timeout", SECOND..=5 * 60 * SECOND)?.unwrap_or(10 * SECOND),
            stall_timeout,
            limits,
            children,
            hosts: hosts::from_section(section.section("hosts")?)?,
            git: GitSettings::from_section(section.section("git")?)?,
            jobs: jobs(section.section("jobs")?)?,
            profile: section.choice("sidekiq", &PROFILES)?.flatten(),
            scheduler: section.flag("scheduler")?.unwrap_or(true),
            cron_tab: section.flag("cron_tab")?.unwrap_or(false),
            poller: section.flag("poller")?.unwrap_or(true),
            foreign_grace: section.duration("foreign_grace", Duration::ZERO..=HOUR)?.unwrap_or(2 * 60 * SECOND),
            namespace: gitlab::namespace(&mut section)?,
            gitlab: gitlab::from_section(section.section("gitlab")?)?,
            log_format: section
                .choice("log_format", &[("human", LogFormat::Human), ("json", LogFormat::Json)])?
                .unwrap_or(LogFormat::Human),
        };
        section.finish()?;
        Ok(mirroring)
    }
}

fn store(section: &mut Section) -> Result<StoreKind, ConfigError> {
    match section.text("store")?.as_deref() {
        None | Some("redis") => Ok(StoreKind::Redis),
        Some("gitlab") => Err(section.error("store", "the gitlab store is not part of this version", "redis")),
        Some(other) => Err(section.wrong("store", &other.into(), "redis")),
    }
}

fn absolute(section: &mut Section, key: &str, default: &str) -> Result<PathBuf, ConfigError> {
    let path = PathBuf::from(section.text(key)?.unwrap_or_else(|| default.to_owned()));
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(section.error(key, format!("got {:?}", path.display().to_string()), "a path that begins with /"))
    }
}

fn address(section: &mut Section, flag: Option<String>) -> Result<Option<SocketAddr>, ConfigError> {
    const ACCEPTED: &str = "ADDRESS:PORT, such as 127.0.0.1:9394, or \"\" for nowhere";
    let in_file = section.text("listen")?;
    let (text, from_flag) = match (flag, in_file) {
        (Some(flag), _) => (flag, true),
        (None, Some(text)) => (text, false),
        (None, None) => ("127.0.0.1:9394".to_owned(), false),
    };
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let problem = format!("got {text:?}");
        if from_flag {
            ConfigError::flag("--listen", problem, ACCEPTED)
        } else {
            section.error("listen", problem, ACCEPTED)
        }
    })
}

fn jobs(mut section: Section) -> Result<BTreeMap<String, Direction>, ConfigError> {
    let mut jobs: BTreeMap<String, Direction> =
        BUILT_IN_JOBS.iter().map(|(class, kind)| ((*class).to_owned(), *kind)).collect();
    for (class, value) in section.take_all() {
        let kind = match value.as_str() {
            Some("pull") => Direction::Pull,
            Some("push") => Direction::Push,
            _ => return Err(section.wrong(&class, &value, "pull or push")),
        };
        jobs.insert(class, kind);
    }
    Ok(jobs)
}
