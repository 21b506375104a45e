//! What is wrong with the configuration, where, and what would be right.

use std::path::Path;

/// A mistake in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}{}", expectation(.accepted.as_ref()))]
pub struct ConfigError {
    place: String,
    problem: String,
    accepted: Option<String>,
}

fn expectation(accepted: Option<&String>) -> String {
    accepted.map(|accepted| format!("; expected {accepted}")).unwrap_or_default()
}

impl ConfigError {
    /// About a key of the file, written with dots: `mirror.max_capacity`.
    pub fn key(path: &Path, key: &str, problem: impl Into<String>, accepted: impl Into<String>) -> Self {
        let place = format!("{}: {key}", path.display());
        Self { place, problem: problem.into(), accepted: Some(accepted.into()) }
    }

    /// About the file as a whole.
    pub fn file(path: &Path, problem: impl Into<String>) -> Self {
        Self { place: path.display().to_string(), problem: problem.into(), accepted: None }
    }

    /// About a flag of the command line.
    pub fn flag(flag: &str, problem: impl Into<String>, accepted: impl Into<String>) -> Self {
        Self { place: format!("command line: {flag}"), problem: problem.into(), accepted: Some(accepted.into()) }
    }

    /// About an environment variable.
    pub fn variable(name: &str, problem: impl Into<String>, accepted: impl Into<String>) -> Self {
        Self { place: format!("environment: {name}"), problem: problem.into(), accepted: Some(accepted.into()) }
    }
}
