//! The file: read, refused if it is a template, parsed, and its environment's section merged in.

use std::path::Path;

use serde_json::{Map, Value};

use super::error::ConfigError;

/// A configuration is a page or two; what is larger is something else.
const LARGEST: u64 = 1 << 20;

/// Reads a file as a map with plain keys: Ruby's `:symbol:` keys lose their colon.
pub(super) fn read(path: &Path) -> Result<Map<String, Value>, ConfigError> {
    let unreadable = |error: std::io::Error| ConfigError::file(path, format!("cannot be read: {error}"));
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > LARGEST {
        return Err(ConfigError::file(path, format!("is {size} bytes long; a configuration has at most {LARGEST}")));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    if let Some(line) = text.lines().position(|line| line.contains("<%") && !line.trim_start().starts_with('#')) {
        let problem =
            format!("line {} is an ERB template (<% … %>), which is not evaluated; write the value itself", line + 1);
        return Err(ConfigError::file(path, problem));
    }
    let content: Option<Value> = serde_saphyr::from_str(&text).map_err(|error| {
        let told = error.to_string();
        // The first line says what and where; the others show the file, which the reader has.
        let what = told.lines().next().unwrap_or_default();
        ConfigError::file(path, format!("is not valid YAML: {}", what.strip_prefix("error: ").unwrap_or(what)))
    })?;
    match content.map(plain_keys) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(ConfigError::file(path, "does not hold a map of keys and values")),
    }
}

fn plain_keys(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let plain = |key: String| key.strip_prefix(':').map_or_else(|| key.clone(), ToOwned::to_owned);
            Value::Object(map.into_iter().map(|(key, value)| (plain(key), plain_keys(value))).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(plain_keys).collect()),
        other => other,
    }
}

/// Environments whose sections are recognised although another one is in use.
const ENVIRONMENTS: [&str; 4] = ["development", "test", "staging", "production"];

/// Puts the section of the environment in use over the top level and drops the other environments' ones. Inside
/// `mirror` single keys are overridden, everything else is replaced whole, as Sidekiq does.
pub(super) fn merge_environment(
    path: &Path,
    mut content: Map<String, Value>,
    environment: &str,
) -> Result<Map<String, Value>, ConfigError> {
    let section = content.shift_remove(environment);
    for other in ENVIRONMENTS {
        content.shift_remove(other);
    }
    let section = match section {
        None | Some(Value::Null) => return Ok(content),
        Some(Value::Object(section)) => section,
        Some(_) => {
            return Err(ConfigError::key(
                path,
                environment,
                "is not a map",
                "a section with keys for this environment",
            ));
        }
    };
    for (key, value) in section {
        match (content.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) if key == "mirror" => below.extend(above),
            (_, value) => {
                content.insert(key, value);
            }
        }
    }
    Ok(content)
}
