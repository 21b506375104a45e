//! The door to the network, as the configuration describes it.

use std::sync::Arc;

use super::named_file::{first_line, read};
use super::run::engines;
use crate::config::{Config, ConfigError};
use crate::net::{
    Credentials, Door, DoorSettings, HttpSettings, LocalServer, LocalSettings, NetError, check_authorities,
};

/// Opens the door. To be called inside the runtime.
///
/// # Errors
/// A mistake in the configuration, or a [`NetError`].
pub(super) fn open(config: &Config) -> anyhow::Result<Door> {
    let mirror = &config.mirror;
    Ok(Door::new(DoorSettings {
        allow_local_network: mirror.allow_local_network,
        allow: mirror.network.allow.clone(),
        deny: mirror.network.deny.clone(),
        only_allowed: mirror.network.only_allowed,
        nameservers: mirror.network.nameservers.clone(),
        connect_timeout: mirror.connect_timeout,
        stall_timeout: mirror.stall_timeout,
        http: http(config)?,
        local: local(config)?,
        ..DoorSettings::default()
    })?)
}

/// The program is only looked for where it is to serve folders.
fn local(config: &Config) -> Result<LocalSettings, ConfigError> {
    let roots = config.mirror.network.file_roots.clone();
    let program = if roots.is_empty() { None } else { engines::program(config)? };
    let server = program.map(|program| Arc::new(program) as Arc<dyn LocalServer>);
    Ok(LocalSettings { roots, own: Some(config.mirror.repositories.clone()), server })
}

fn http(config: &Config) -> Result<HttpSettings, ConfigError> {
    let http = &config.mirror.network.http;
    let password = first_line(config, "mirror.network.proxy_password_file", http.proxy_password_file.as_deref())?;
    Ok(HttpSettings {
        proxy: http.proxy.clone(),
        proxy_credentials: http
            .proxy_username
            .clone()
            .zip(password)
            .map(|(user, password)| Credentials::new(user, password)),
        proxy_resolves: http.proxy_resolves,
        ca: authorities(config)?,
        redirects: http.redirects,
    })
}

fn authorities(config: &Config) -> Result<Option<String>, ConfigError> {
    const KEY: &str = "mirror.network.ca_file";
    let path = config.mirror.network.http.ca_file.as_deref();
    let Some(bytes) = read(config, KEY, path)? else { return Ok(None) };
    let pem = String::from_utf8_lossy(&bytes).into_owned();
    match check_authorities(&pem) {
        Ok(()) => Ok(Some(pem)),
        Err(error) => {
            let problem = match error {
                NetError::Unusable { problem, .. } => problem,
                other => other.to_string(),
            };
            let shown = path.map(|path| path.display().to_string()).unwrap_or_default();
            Err(config.error(KEY, format!("{shown}: {problem}"), "certificates of authorities in PEM"))
        }
    }
}
