//! The connections to Redis, as the configuration describes them.

use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

use super::named_file::{first_line, read};
use crate::config::{Config, ConfigError, SentinelAccess};
use crate::connections::{
    BadTls, Redis, RedisError, RedisSettings, RedisUrl, Redises, RedisesSettings, Sentinels, Tls,
};

/// A worker waits so long for a Redis that is loading its data: shorter than the service manager waits for us.
const LOADING: Duration = Duration::from_secs(45);
/// The time between two looks at it.
const PAUSE: Duration = Duration::from_millis(500);

/// Connects to Sidekiq's Redis, for a subcommand.
pub(super) async fn connect_first(config: &Config) -> anyhow::Result<Redis> {
    Ok(Redis::connect(&settings(config)?.queues).await?)
}

/// Connects to all of them, for a worker. One that is loading its data is waited for; one that cannot be reached is
/// an error, as it is for Ruby's Sidekiq.
pub(super) async fn connect(config: &Config) -> anyhow::Result<Redises> {
    let settings = settings(config)?;
    let give_up = Instant::now() + LOADING;
    let mut told = false;
    loop {
        match Redises::connect(&settings).await {
            Err(error) if error.is_loading() && Instant::now() < give_up => tell_once(&mut told, &error),
            result => return Ok(result?),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Connects to all of them as they are, for an examination.
pub(super) async fn connect_at_once(config: &Config) -> anyhow::Result<Redises> {
    Ok(Redises::connect(&settings(config)?).await?)
}

fn tell_once(told: &mut bool, error: &RedisError) {
    if !std::mem::replace(told, true) {
        tracing::warn!("{error}; waiting up to {LOADING:?} for it");
    }
}

/// Reads the files that the configuration names.
fn settings(config: &Config) -> Result<RedisesSettings, ConfigError> {
    let access = &config.redis;
    let password = first_line(config, "mirror.redis.password_file", access.password_file.as_deref())?;
    let tls = tls(config)?;
    let sentinels = access.sentinels.as_ref();
    let sentinel_password = sentinels.and_then(|sentinels| sentinels.password_file.as_deref());
    let sentinel_password = first_line(config, "mirror.redis.sentinel_password_file", sentinel_password)?;

    let settings = |url: &RedisUrl, master: Option<&str>| RedisSettings {
        url: url.clone().with_login(access.username.as_deref(), password.as_ref()),
        tls: tls.clone(),
        sentinels: sentinels
            .zip(url.host())
            .map(|(sentinels, host)| to_ask(sentinels, master.unwrap_or(host), sentinel_password.as_ref())),
        connect_timeout: access.connect_timeout,
        response_timeout: access.response_timeout,
    };
    let master = sentinels.and_then(|sentinels| sentinels.master.as_deref());
    Ok(RedisesSettings {
        queues: settings(&access.url, master),
        queues_metadata: access.queues_metadata_url.as_ref().map(|url| settings(url, None)),
        shared_state: access.shared_state_url.as_ref().map(|url| settings(url, None)),
    })
}

fn to_ask(access: &SentinelAccess, master: &str, password: Option<&SecretString>) -> Sentinels {
    Sentinels {
        addresses: access.addresses.clone(),
        master: master.to_owned(),
        username: access.username.clone(),
        password: password.cloned(),
        tls: access.tls,
    }
}

fn tls(config: &Config) -> Result<Tls, ConfigError> {
    let access = &config.redis;
    let ca = read(config, "mirror.redis.ca_file", access.ca_file.as_deref())?;
    let certificate = read(config, "mirror.redis.certificate_file", access.certificate_file.as_deref())?;
    let key = read(config, "mirror.redis.key_file", access.key_file.as_deref())?;
    Tls::new(ca.as_deref(), certificate.as_deref().zip(key.as_deref())).map_err(|error| {
        let (key, path) = match error {
            BadTls::Ca => ("ca_file", &access.ca_file),
            BadTls::Certificate => ("certificate_file", &access.certificate_file),
            BadTls::Key | BadTls::Mismatch => ("key_file", &access.key_file),
        };
        let path = path.as_deref().unwrap_or(Path::new("")).display();
        config.error(&format!("mirror.redis.{key}"), format!("{path} {error}"), "a file in PEM")
    })
}
