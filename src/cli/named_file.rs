//! Files that the configuration names. What is wrong with one is told as a mistake at its key.

use std::path::Path;

use secrecy::SecretString;

use crate::config::{Config, ConfigError};

/// All of a file; `None` if the key names none.
pub(super) fn read(config: &Config, key: &str, path: Option<&Path>) -> Result<Option<Vec<u8>>, ConfigError> {
    let Some(path) = path else { return Ok(None) };
    std::fs::read(path).map(Some).map_err(|error| {
        let problem = format!("{} cannot be read: {error}", path.display());
        config.error(key, problem, "a readable file")
    })
}

/// The first line of a file, which is a password.
pub(super) fn first_line(config: &Config, key: &str, path: Option<&Path>) -> Result<Option<SecretString>, ConfigError> {
    let Some(text) = read(config, key, path)? else { return Ok(None) };
    let line = String::from_utf8(text).ok().and_then(|text| text.lines().next().map(ToOwned::to_owned));
    line.filter(|line| !line.is_empty()).map(|line| Some(line.into())).ok_or_else(|| {
        let problem = format!("{} holds no text in its first line", path.unwrap_or(Path::new("")).display());
        config.error(key, problem, "a file with the password in its first line")
    })
}
