//! `mirror.hosts`: how far sides are spared.

use std::time::Duration;

use super::error::ConfigError;
use super::section::Section;
use crate::mirror::hosts::HostRules;
use crate::mirror::limits::UNLIMITED;

/// Reads the section.
pub(super) fn from_section(mut section: Section) -> Result<HostRules, ConfigError> {
    const SECOND: Duration = Duration::from_secs(1);
    let default = HostRules::default();
    let rules = HostRules {
        concurrency: many(&mut section, "concurrency", default.concurrency)?,
        rate: many(&mut section, "rate", default.rate)?,
        failures: section.number("failures", 1..=1000)?.unwrap_or(default.failures),
        pause: section.duration("pause", SECOND..=600 * SECOND)?.unwrap_or(default.pause),
    };
    section.finish()?;
    Ok(rules)
}

/// A number, or the word that stands for any.
fn many(section: &mut Section, key: &str, default: Option<u32>) -> Result<Option<u32>, ConfigError> {
    let Some(value) = section.take(key) else { return Ok(default) };
    if value.as_str() == Some(UNLIMITED) {
        return Ok(None);
    }
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    match number.filter(|number| (1..=100_000).contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(section.wrong(key, &value, "a whole number from 1 to 100000, or `unlimited`")),
    }
}
