//! The `mirror.redis` section: how Redis is reached. Sidekiq's own file has nothing of the kind.

use super::Environment;
use super::error::ConfigError;
use super::section::Section;
use crate::connections::RedisUrl;

/// How Redis is reached. Files are named here and read when the connection is made.
#[derive(Debug, Clone)]
pub struct RedisAccess {
    /// Where Sidekiq's Redis is.
    pub url: RedisUrl,
    /// Where GitLab keeps what it knows about jobs, if that is somewhere else.
    pub queues_metadata_url: Option<RedisUrl>,
    /// Where GitLab keeps what its processes share, if that is somewhere else.
    pub shared_state_url: Option<RedisUrl>,
}

const DEFAULT_URL: &str = "redis://localhost:6379/0";

impl RedisAccess {
    pub(super) fn from_section(mut section: Section, env: Environment<'_>) -> Result<Self, ConfigError> {
        let access = Self {
            url: match url(&mut section, "url")? {
                Some(url) => url,
                None => url_in_environment(env)?,
            },
            queues_metadata_url: url(&mut section, "queues_metadata_url")?,
            shared_state_url: url(&mut section, "shared_state_url")?,
        };
        section.finish()?;
        Ok(access)
    }
}

/// The value may hold a password, so it is never repeated.
fn url(section: &mut Section, key: &str) -> Result<Option<RedisUrl>, ConfigError> {
    let Some(text) = section.text(key)? else { return Ok(None) };
    text.parse().map(Some).map_err(|error| section.error(key, format!("{error}"), RedisUrl::ACCEPTED))
}

/// As in Sidekiq: `REDIS_PROVIDER` names the variable that holds the URL; else `REDIS_URL`.
fn url_in_environment(env: Environment<'_>) -> Result<RedisUrl, ConfigError> {
    let parsed = |name: &str, text: String| {
        text.parse().map_err(|error| ConfigError::variable(name, format!("{error}"), RedisUrl::ACCEPTED))
    };
    let from_redis_url = || env("REDIS_URL").map(|text| parsed("REDIS_URL", text));
    let Some(provider) = env("REDIS_PROVIDER") else {
        return from_redis_url().unwrap_or_else(|| parsed("REDIS_URL", DEFAULT_URL.to_owned()));
    };
    if provider.contains(':') {
        // It may be a URL with a password in it, so it is not repeated.
        let accepted = "the name of the variable that holds the URL; put the URL itself into REDIS_URL";
        return Err(ConfigError::variable("REDIS_PROVIDER", "it holds a URL", accepted));
    }
    let unset = || {
        let problem = format!("{provider} is not set");
        ConfigError::variable("REDIS_PROVIDER", problem, "the name of a variable that is set")
    };
    match env(&provider) {
        Some(text) => parsed(&provider, text),
        None => from_redis_url().unwrap_or_else(|| Err(unset())),
    }
}
