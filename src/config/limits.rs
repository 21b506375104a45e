//! `mirror.limits`: what a run may take, and what all `git` children together may.

use std::time::Duration;

use super::error::ConfigError;
use super::section::Section;
use crate::mirror::limits::{Limit, Limits};

/// What is decided about the `git` children of this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Children {
    /// How many may be at work at once.
    pub most: usize,
    /// How far they step back for others, as `nice` counts.
    pub nice: u8,
}

/// The limits that have keys of their own directly under `mirror`.
const ELSEWHERE: [Limit; 2] = [Limit::Run, Limit::Stall];

/// Reads the section.
pub(super) fn from_section(
    mut section: Section,
    run: Duration,
    stall: Duration,
) -> Result<(Limits, Children), ConfigError> {
    let mut limits = Limits::default();
    for limit in Limit::ALL.into_iter().filter(|limit| !ELSEWHERE.contains(limit)) {
        let Some(value) = section.take(limit.key()) else {
            limits.set(limit, limit.default());
            continue;
        };
        // YAML reads a number without a unit as a number.
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let read = if value.is_number() && limit.has_unit() { Err(limit.accepted()) } else { limit.parse(&text) };
        limits.set(limit, read.map_err(|accepted| section.wrong(limit.key(), &value, accepted))?);
    }
    limits.set(Limit::Run, milliseconds(run));
    limits.set(Limit::Stall, milliseconds(stall));
    let children = Children {
        most: section.number("children", 1..=1000)?.unwrap_or(8),
        nice: section.number("child_nice", 0..=19)?.unwrap_or(10),
    };
    section.finish()?;
    Ok((limits, children))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
