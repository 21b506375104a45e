//! The `mirror.redis` section: how Redis is reached. Sidekiq's own file has nothing of the kind.

use std::path::PathBuf;
use std::time::Duration;

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
    /// Who logs in where a URL names nobody.
    pub username: Option<String>,
    /// The password where a URL holds none.
    pub password_file: Option<PathBuf>,
    /// The CAs that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, and its key.
    pub certificate_file: Option<PathBuf>,
    /// See `certificate_file`.
    pub key_file: Option<PathBuf>,
    /// Who knows where the master is, if anybody.
    pub sentinels: Option<SentinelAccess>,
    /// How long one attempt to connect may take.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub response_timeout: Duration,
}

/// How the Sentinels are reached.
#[derive(Debug, Clone)]
pub struct SentinelAccess {
    /// Host and port of each.
    pub addresses: Vec<(String, u16)>,
    /// What they call the master of `url`; the host in the URL if `None`, as it always is for the other URLs.
    pub master: Option<String>,
    /// Who logs in to them.
    pub username: Option<String>,
    /// The password for them.
    pub password_file: Option<PathBuf>,
    /// Whether they speak TLS.
    pub tls: bool,
}

const DEFAULT_URL: &str = "redis://localhost:6379/0";
const SENTINEL_PORT: u16 = 26379;
const SECOND: Duration = Duration::from_secs(1);

impl RedisAccess {
    pub(super) fn from_section(mut section: Section, env: Environment<'_>) -> Result<Self, ConfigError> {
        let (url, given) = match url(&mut section, "url")? {
            Some(url) => (url, true),
            None => url_in_environment(env)?,
        };
        let tenth = Duration::from_millis(100);
        let access = Self {
            queues_metadata_url: self::url(&mut section, "queues_metadata_url")?,
            shared_state_url: self::url(&mut section, "shared_state_url")?,
            username: section.text("username")?,
            password_file: section.file("password_file")?,
            ca_file: section.file("ca_file")?,
            certificate_file: section.file("certificate_file")?,
            key_file: section.file("key_file")?,
            sentinels: sentinels(&mut section, &url, given)?,
            connect_timeout: section.duration("connect_timeout", tenth..=60 * SECOND)?.unwrap_or(5 * SECOND),
            response_timeout: section.duration("response_timeout", tenth..=20 * SECOND)?.unwrap_or(5 * SECOND),
            url,
        };
        access.check(&section)?;
        section.finish()?;
        Ok(access)
    }

    /// Refuses what contradicts itself.
    fn check(&self, section: &Section) -> Result<(), ConfigError> {
        let login =
            |key: &str, what: &str| Err(section.error(key, format!("the URL holds a {what}, too"), "one of the two"));
        if self.username.is_some() && self.url.username().is_some() {
            return login("username", "user");
        }
        if self.password_file.is_some() && self.url.has_password() {
            return login("password_file", "password");
        }
        if self.username.is_some() && self.password_file.is_none() {
            return Err(section.error("username", "there is no password for it", "password_file beside it"));
        }
        let pair = [("certificate_file", "key_file"), ("key_file", "certificate_file")];
        for ((key, other), missing) in pair.iter().zip([self.key_file.is_none(), self.certificate_file.is_none()]) {
            if missing && (self.certificate_file.is_some() || self.key_file.is_some()) {
                return Err(section.error(key, format!("there is no {other} for it"), format!("{other} beside it")));
            }
        }
        let mut urls = [Some(&self.url), self.queues_metadata_url.as_ref(), self.shared_state_url.as_ref()].into_iter();
        let tls = urls.any(|url| url.is_some_and(RedisUrl::is_tls)) || self.sentinels.as_ref().is_some_and(|s| s.tls);
        for (key, given) in [("ca_file", &self.ca_file), ("certificate_file", &self.certificate_file)] {
            if given.is_some() && !tls {
                return Err(section.error(key, "no URL of Redis asks for TLS", "rediss:// in the URL"));
            }
        }
        Ok(())
    }
}

fn sentinels(section: &mut Section, url: &RedisUrl, url_given: bool) -> Result<Option<SentinelAccess>, ConfigError> {
    const ACCEPTED: &str = "a list of HOST or HOST:PORT";
    let names = section.names("sentinels")?;
    let access = SentinelAccess {
        addresses: Vec::new(),
        master: section.text("sentinel_master")?,
        username: section.text("sentinel_username")?,
        password_file: section.file("sentinel_password_file")?,
        tls: section.flag("sentinel_tls")?.unwrap_or(url.is_tls()),
    };
    if names.is_empty() {
        let given = [
            ("sentinel_master", access.master.is_some()),
            ("sentinel_username", access.username.is_some()),
            ("sentinel_password_file", access.password_file.is_some()),
        ];
        return match given.iter().find(|(_, given)| *given) {
            None => Ok(None),
            Some((key, _)) => Err(section.error(key, "there are no sentinels", "sentinels beside it")),
        };
    }
    if access.username.is_some() && access.password_file.is_none() {
        let problem = "there is no password for it";
        return Err(section.error("sentinel_username", problem, "sentinel_password_file beside it"));
    }
    if url.host().is_none() {
        return Err(section.error("sentinels", "the URL of Redis is a socket's", "redis://MASTER/database"));
    }
    if access.master.is_none() && !url_given {
        let accepted = "sentinel_master beside it, or the master's name in place of a host in the URL";
        return Err(section.error("sentinels", "nothing says what they call the master", accepted));
    }
    let addresses = names.iter().map(|name| host_and_port(name).ok_or(name)).collect::<Result<_, _>>();
    match addresses {
        Ok(addresses) => Ok(Some(SentinelAccess { addresses, ..access })),
        Err(name) => Err(section.wrong("sentinels", &name.as_str().into(), ACCEPTED)),
    }
}

/// `host`, `host:port`, `[::1]` or `[::1]:port`.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => text.find(':').map_or((text, ""), |colon| text.split_at(colon)),
    };
    let port = if port.is_empty() { SENTINEL_PORT } else { port.strip_prefix(':')?.parse().ok()? };
    let plain = !host.is_empty() && !host.contains(['/', '@', ' ']);
    plain.then(|| (host.to_owned(), port))
}

/// The value may hold a password, so it is never repeated.
fn url(section: &mut Section, key: &str) -> Result<Option<RedisUrl>, ConfigError> {
    let Some(text) = section.text(key)? else { return Ok(None) };
    text.parse().map(Some).map_err(|error| section.error(key, format!("{error}"), RedisUrl::ACCEPTED))
}

/// As in Sidekiq: `REDIS_PROVIDER` names the variable that holds the URL; else `REDIS_URL`. Also tells whether there
/// was one.
fn url_in_environment(env: Environment<'_>) -> Result<(RedisUrl, bool), ConfigError> {
    let parsed = |name: &str, text: &str| {
        text.parse().map_err(|error| ConfigError::variable(name, format!("{error}"), RedisUrl::ACCEPTED))
    };
    let redis_url = env("REDIS_URL");
    let Some(provider) = env("REDIS_PROVIDER") else {
        let url = parsed("REDIS_URL", redis_url.as_deref().unwrap_or(DEFAULT_URL))?;
        return Ok((url, redis_url.is_some()));
    };
    if provider.contains(':') {
        // It may be a URL with a password in it, so it is not repeated.
        let accepted = "the name of the variable that holds the URL; put the URL itself into REDIS_URL";
        return Err(ConfigError::variable("REDIS_PROVIDER", "it holds a URL", accepted));
    }
    match (env(&provider), redis_url) {
        (Some(text), _) => Ok((parsed(&provider, &text)?, true)),
        (None, Some(text)) => Ok((parsed("REDIS_URL", &text)?, true)),
        (None, None) => {
            let problem = format!("{provider} is not set");
            Err(ConfigError::variable("REDIS_PROVIDER", problem, "the name of a variable that is set"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentinels_are_hosts_with_or_without_a_port() {
        let read = |text| host_and_port(text).map(|(host, port)| format!("{host} {port}"));
        for (text, expected) in [
            ("a", Some("a 26379")),
            ("a:1", Some("a 1")),
            ("[::1]", Some("::1 26379")),
            ("[::1]:1", Some("::1 1")),
            ("redis://a:1", None),
            ("a:", None),
            ("", None),
        ] {
            // A colon without a port is a mistake, not the default.
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
    }
}
