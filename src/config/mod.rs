//! Settings: one YAML file with the keys of `sidekiq.yml` and a `mirror:` section, the environment, and the
//! command line. Parsed and checked whole before anything is opened; a mistake is one error that names the file,
//! the key and what is accepted.

mod capsules;
mod error;
mod file;
mod git;
mod gitlab;
mod hosts;
mod http;
mod limits;
mod mirroring;
mod network;
mod queues;
mod redis;
mod section;
mod values;

use std::path::PathBuf;
use std::time::Duration;

pub use error::ConfigError;
pub use git::{GitSettings, ProgramPlace};
pub use http::HttpNetwork;
pub use limits::Children;
pub use mirroring::{LogFormat, Mirroring, StoreKind};
pub use network::Network;
pub use redis::{RedisAccess, SentinelAccess};
use section::Section;

use crate::sidekiq::{DeadSettings, Keys, PollerSettings, Settings};

/// Where the configuration is looked for when no `-C` is given.
pub const DEFAULT_PATH: &str = "/etc/sidemirror/sidemirror.yml";

/// Everything that can be set, with defaults filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from, for messages.
    pub path: PathBuf,
    /// The name of the environment whose section was merged in.
    pub environment: String,
    /// Sidekiq's own keys, and those of ours that concern its protocol.
    pub sidekiq: Settings,
    /// Whether debug lines are logged.
    pub verbose: bool,
    /// How Redis is reached.
    pub redis: RedisAccess,
    /// The `mirror:` section.
    pub mirror: Mirroring,
}

/// What the command line says; each overrides the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `-C`
    pub path: Option<PathBuf>,
    /// `-c`
    pub concurrency: Option<usize>,
    /// `-q`, each `name` or `name,weight`
    pub queues: Vec<String>,
    /// `-e`
    pub environment: Option<String>,
    /// `-g`
    pub tag: Option<String>,
    /// `-t`, seconds
    pub timeout: Option<u64>,
    /// `-v`
    pub verbose: bool,
    /// `--listen`
    pub listen: Option<String>,
}

/// The environment variables, given as a look-up so that tests need not change the process's own.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Config {
    /// Reads the file and puts the environment and the command line over it. Without a file only the defaults
    /// hold, unless one was named.
    ///
    /// # Errors
    /// The first mistake found.
    pub fn load(overrides: &Overrides, env: Environment<'_>) -> Result<Self, ConfigError> {
        let environment = overrides
            .environment
            .clone()
            .or_else(|| ["APP_ENV", "RAILS_ENV", "RACK_ENV"].into_iter().find_map(env))
            .unwrap_or_else(|| "development".to_owned());
        let path = overrides.path.clone().unwrap_or_else(|| DEFAULT_PATH.into());
        let content =
            if overrides.path.is_some() || path.exists() { file::read(&path)? } else { serde_json::Map::new() };
        let root = Section::root(&path, file::merge_environment(&path, content, &environment)?);
        Self::from_section(root, path.clone(), environment, overrides, env)
    }

    fn from_section(
        mut root: Section,
        path: PathBuf,
        environment: String,
        overrides: &Overrides,
        env: Environment<'_>,
    ) -> Result<Self, ConfigError> {
        root.ignore(&IGNORED);
        let mut mirror = root.section("mirror")?;
        let redis = RedisAccess::from_section(mirror.section("redis")?, env)?;
        let mirror = Mirroring::from_section(mirror, overrides.listen.clone())?;
        let config = Self {
            sidekiq: sidekiq(&mut root, &mirror, overrides, env)?,
            verbose: root.flag("verbose")?.unwrap_or(false) || overrides.verbose,
            redis,
            mirror,
            path,
            environment,
        };
        root.finish()?;
        Ok(config)
    }

    /// An error about one of this configuration's keys that only showed when it was put to use.
    pub fn error(&self, key: &str, problem: impl Into<String>, accepted: impl Into<String>) -> ConfigError {
        ConfigError::key(&self.path, key, problem, accepted)
    }
}

/// Keys of Sidekiq, or of its common plugins, that mean nothing here and do no harm.
const IGNORED: [&str; 12] = [
    "require",
    "pidfile",
    "logfile",
    "strict",
    "health_check",
    "skip_default_job_logging",
    "max_iteration_runtime",
    "cron_poll_interval",
    "semi_reliable_fetch",
    "cleanup_interval",
    "lease_interval",
    "reliable_fetch",
];

/// Sidekiq's own keys, with its defaults.
fn sidekiq(
    root: &mut Section,
    mirror: &Mirroring,
    overrides: &Overrides,
    env: Environment<'_>,
) -> Result<Settings, ConfigError> {
    let queues = queues::queues(root, &overrides.queues)?;
    let mut default = Settings::new(concurrency(root, overrides, env)?, queues, mirror.profile.unwrap_or_default());
    if let Some(first) = default.capsules.pop() {
        default.capsules = capsules::capsules(root, first)?;
    }
    let average_interval = root.seconds("average_scheduled_poll_interval")?;
    let max_jobs = root.number("dead_max_jobs", 1..=100_000_000)?;
    let tag = root.text("tag")?;
    Ok(Settings {
        timeout: timeout(root, overrides)?.unwrap_or(default.timeout),
        max_retries: root.number("max_retries", 0..=1000)?.unwrap_or(default.max_retries),
        max_interruptions: max_interruptions(root, default.max_interruptions)?,
        labels: root.names("labels")?,
        tag: overrides.tag.clone().or(tag).unwrap_or_default(),
        poller: PollerSettings {
            enabled: mirror.poller,
            average_interval: average_interval.unwrap_or(default.poller.average_interval),
            own_interval: root.seconds("poll_interval_average")?,
        },
        dead: DeadSettings {
            max_jobs: max_jobs.unwrap_or(default.dead.max_jobs),
            timeout: root.seconds("dead_timeout_in_seconds")?.unwrap_or(default.dead.timeout),
        },
        foreign_grace: mirror.foreign_grace,
        keys: Keys::new(&mirror.namespace),
        gitlab: mirror.gitlab.clone(),
        ..default
    })
}

/// As in GitLab's reliable fetcher: a negative number means that no job is ever set aside.
fn max_interruptions(root: &mut Section, default: Option<u32>) -> Result<Option<u32>, ConfigError> {
    const KEY: &str = "max_retries_after_interruption";
    let Some(value) = root.take(KEY) else { return Ok(default) };
    match value.as_i64() {
        Some(number) if number <= 1000 => Ok(u32::try_from(number).ok()),
        _ => Err(root.wrong(KEY, &value, "a whole number up to 1000; a negative one means never")),
    }
}

/// As in Sidekiq: the command line, then the file, then `RAILS_MAX_THREADS`.
fn concurrency(root: &mut Section, overrides: &Overrides, env: Environment<'_>) -> Result<usize, ConfigError> {
    const RANGE: std::ops::RangeInclusive<usize> = 1..=1000;
    const ACCEPTED: &str = "a whole number from 1 to 1000";
    let in_file = root.number("concurrency", RANGE)?;
    if let Some(given) = overrides.concurrency {
        return values::in_range(given, &RANGE)
            .ok_or_else(|| ConfigError::flag("-c", format!("got {given}"), ACCEPTED));
    }
    if let Some(given) = in_file {
        return Ok(given);
    }
    match env("RAILS_MAX_THREADS") {
        None => Ok(25),
        Some(text) => text
            .parse()
            .ok()
            .and_then(|given| values::in_range(given, &RANGE))
            .ok_or_else(|| ConfigError::variable("RAILS_MAX_THREADS", format!("got {text:?}"), ACCEPTED)),
    }
}

fn timeout(root: &mut Section, overrides: &Overrides) -> Result<Option<Duration>, ConfigError> {
    const RANGE: std::ops::RangeInclusive<u64> = 1..=3600;
    let in_file = root.number("timeout", RANGE)?;
    let seconds = match overrides.timeout {
        None => in_file,
        Some(given) => Some(values::in_range(given, &RANGE).ok_or_else(|| {
            ConfigError::flag("-t", format!("got {given}"), "a whole number of seconds from 1 to 3600")
        })?),
    };
    Ok(seconds.map(Duration::from_secs))
}
