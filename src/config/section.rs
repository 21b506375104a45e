//! One map of the file, read key by key. What nobody asked for is an error in the end.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use super::error::ConfigError;
use super::values;

/// A map whose keys are taken out one after the other.
#[derive(Debug)]
pub(super) struct Section {
    path: PathBuf,
    /// The keys above this section with a trailing dot, or nothing.
    prefix: String,
    rest: Map<String, Value>,
    known: Vec<String>,
}

impl Section {
    pub(super) fn root(path: &Path, content: Map<String, Value>) -> Self {
        Self { path: path.to_owned(), prefix: String::new(), rest: content, known: Vec::new() }
    }

    /// The map below a key; empty if it is absent.
    pub(super) fn section(&mut self, key: &str) -> Result<Self, ConfigError> {
        let rest = match self.take(key) {
            None => Map::new(),
            Some(Value::Object(map)) => map,
            Some(other) => return Err(self.wrong(key, &other, "a section of keys and values")),
        };
        Ok(Self { path: self.path.clone(), prefix: format!("{}{key}.", self.prefix), rest, known: Vec::new() })
    }

    /// The value of a key, if there is one. An empty value counts as none.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.known.push(key.to_owned());
        self.rest.shift_remove(key).filter(|value| !value.is_null())
    }

    /// Takes keys that mean nothing here out, so that they do no harm.
    pub(super) fn ignore(&mut self, keys: &[&str]) {
        for key in keys {
            if self.rest.shift_remove(*key).is_some() {
                tracing::debug!(key, "this key of Sidekiq's means nothing here");
            }
        }
    }

    /// The keys that are left, for a section whose keys are names.
    pub(super) fn keys(&self) -> Vec<String> {
        self.rest.keys().cloned().collect()
    }

    /// Takes out everything, for a map whose keys are names and not settings.
    pub(super) fn take_all(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.rest)
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, ConfigError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, &other, "a text")),
        }
    }

    /// The path of a file, from the root.
    pub(super) fn file(&mut self, key: &str) -> Result<Option<PathBuf>, ConfigError> {
        match self.text(key)? {
            None => Ok(None),
            Some(path) if path.starts_with('/') => Ok(Some(path.into())),
            Some(path) => Err(self.error(key, format!("got {path:?}"), "a path that begins with /")),
        }
    }

    /// A list of such paths.
    pub(super) fn files(&mut self, key: &str) -> Result<Vec<PathBuf>, ConfigError> {
        let paths = self.names(key)?;
        match paths.iter().find(|path| !path.starts_with('/')) {
            None => Ok(paths.into_iter().map(PathBuf::from).collect()),
            Some(path) => Err(self.error(key, format!("got {path:?}"), "paths that begin with /")),
        }
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>, ConfigError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.wrong(key, &other, "true or false")),
        }
    }

    pub(super) fn number<N>(&mut self, key: &str, range: RangeInclusive<N>) -> Result<Option<N>, ConfigError>
    where
        N: TryFrom<u64> + PartialOrd + Display + Copy,
    {
        let Some(value) = self.take(key) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| N::try_from(number).ok());
        match number.and_then(|number| values::in_range(number, &range)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(key, &value, &format!("a whole number from {} to {}", range.start(), range.end()))),
        }
    }

    /// A number of seconds, with or without a fraction, as Sidekiq writes its times.
    pub(super) fn seconds(&mut self, key: &str) -> Result<Option<Duration>, ConfigError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let seconds = value.as_f64().filter(|seconds| *seconds > 0.0);
        match seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            Some(duration) => Ok(Some(duration)),
            None => Err(self.wrong(key, &value, "a number of seconds above 0")),
        }
    }

    /// A duration with its unit, such as `10s` or `1h 30m`.
    pub(super) fn duration(
        &mut self,
        key: &str,
        range: RangeInclusive<Duration>,
    ) -> Result<Option<Duration>, ConfigError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let duration = value.as_str().and_then(|text| humantime::parse_duration(text).ok());
        if let Some(duration) = duration.filter(|duration| range.contains(duration)) {
            return Ok(Some(duration));
        }
        let [shortest, longest] = [range.start(), range.end()].map(|d| humantime::format_duration(*d));
        let accepted = format!("a duration with its unit (10s, 5m, 3h) from {shortest} to {longest}");
        Err(self.wrong(key, &value, &accepted))
    }

    /// A list of texts; one text alone counts as a list of one.
    pub(super) fn names(&mut self, key: &str) -> Result<Vec<String>, ConfigError> {
        let Some(value) = self.take(key) else { return Ok(Vec::new()) };
        let list = match &value {
            Value::String(name) => Some(vec![name.clone()]),
            Value::Array(list) => list.iter().map(|item| item.as_str().map(ToOwned::to_owned)).collect(),
            _ => None,
        };
        list.ok_or_else(|| self.wrong(key, &value, "a list of texts"))
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        // YAML reads an unquoted 6.4 or 7 as a number.
        let word = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == word) {
            return Ok(Some(*choice));
        }
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        Err(self.wrong(key, &value, &values::one_of(&names)))
    }

    /// An error about one of this section's keys.
    pub(super) fn error(&self, key: &str, problem: impl Into<String>, accepted: impl Into<String>) -> ConfigError {
        ConfigError::key(&self.path, &format!("{}{key}", self.prefix), problem, accepted)
    }

    /// An error about a value that is not what its key takes.
    pub(super) fn wrong(&self, key: &str, value: &Value, accepted: &str) -> ConfigError {
        self.error(key, format!("got {}", values::excerpt(value)), accepted)
    }

    /// Refuses what is left.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        match self.rest.keys().next() {
            None => Ok(()),
            Some(key) => {
                let mut known = self.known.clone();
                known.sort();
                Err(self.error(key, "there is no such key", format!("one of {}", known.join(", "))))
            }
        }
    }
}
