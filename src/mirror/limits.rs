//! What a run may take: of the network, of the disk, of memory, of time. Plain values, as the configuration and a
//! mirror's owner give them.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// The word that switches a limit off. Nothing else does: a 0 would be a limit that nothing passes.
pub const UNLIMITED: &str = "unlimited";

/// One thing that is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Bytes of all answers of one run.
    Received,
    /// Bytes of one list of refs.
    Listing,
    /// Refs in such a list.
    Refs,
    /// Objects of one pack.
    PackObjects,
    /// Bytes by which one run may make a repository grow.
    Growth,
    /// Bytes of one object, whole.
    Object,
    /// Bytes of one object that libgit2 may put together in the worker's own memory.
    InProcess,
    /// Bytes of memory of one `git` child.
    ChildMemory,
    /// Processor time of one `git` child.
    ChildCpu,
    /// How long a run may take.
    Run,
    /// How long a connection may stay silent.
    Stall,
}

/// What a limit is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes, written as `64MiB`.
    Bytes,
    /// A number.
    Count,
    /// Milliseconds, written as `3h`.
    Time,
}

impl Limit {
    /// All.
    pub const ALL: [Self; 11] = [
        Self::Received,
        Self::Listing,
        Self::Refs,
        Self::PackObjects,
        Self::Growth,
        Self::Object,
        Self::InProcess,
        Self::ChildMemory,
        Self::ChildCpu,
        Self::Run,
        Self::Stall,
    ];

    /// The key in the configuration, and the name in `--limit`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Listing => "listing",
            Self::Refs => "refs",
            Self::PackObjects => "pack_objects",
            Self::Growth => "growth",
            Self::Object => "object",
            Self::InProcess => "in_process",
            Self::ChildMemory => "child_memory",
            Self::ChildCpu => "child_cpu",
            Self::Run => "run",
            Self::Stall => "stall",
        }
    }

    /// What it is counted in.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Refs | Self::PackObjects => Unit::Count,
            Self::ChildCpu | Self::Run | Self::Stall => Unit::Time,
            _ => Unit::Bytes,
        }
    }

    /// Whether a value is written with a unit.
    pub const fn has_unit(self) -> bool {
        !matches!(self.unit(), Unit::Count)
    }

    /// Its value where nobody said another. `config/sidemirror.yml` says why each.
    pub const fn default(self) -> u64 {
        const MIB: u64 = 1 << 20;
        const GIB: u64 = 1 << 30;
        match self {
            Self::Received | Self::Growth => 32 * GIB,
            Self::Listing => 64 * MIB,
            Self::Refs => 500_000,
            Self::PackObjects => 50_000_000,
            Self::Object | Self::ChildMemory => 4 * GIB,
            Self::InProcess => 32 * MIB,
            Self::ChildCpu | Self::Run => 3 * 3_600_000,
            Self::Stall => 60_000,
        }
    }

    /// Reads a value as it is written: `2GiB`, `50000`, `1h`, `unlimited`.
    ///
    /// # Errors
    /// What is accepted.
    pub fn parse(self, text: &str) -> Result<u64, &'static str> {
        // A run without an end would keep its slot for ever.
        if text == UNLIMITED && self.unit() != Unit::Time {
            return Ok(u64::MAX);
        }
        let value = match self.unit() {
            Unit::Bytes => text.parse::<ByteSize>().ok().map(|size| size.as_u64()),
            Unit::Count => text.parse().ok(),
            Unit::Time => humantime::parse_duration(text).ok().map(milliseconds),
        };
        value.filter(|value| *value > 0).ok_or(self.accepted())
    }

    /// What may be written.
    pub const fn accepted(self) -> &'static str {
        match self.unit() {
            Unit::Bytes => "a size with its unit (512KiB, 64MiB, 2GiB) above 0, or `unlimited`",
            Unit::Count => "a whole number above 0, or `unlimited`",
            Unit::Time => "a duration with its unit (10s, 5m, 3h) above 0",
        }
    }

    /// A value as it is written.
    pub fn format(self, value: u64) -> String {
        match self.unit() {
            _ if value == u64::MAX => UNLIMITED.to_owned(),
            Unit::Bytes => size(value),
            Unit::Count => value.to_string(),
            Unit::Time => humantime::format_duration(Duration::from_millis(value)).to_string(),
        }
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::key).join(", ");
        let found = Self::ALL.into_iter().find(|limit| limit.key() == name);
        found.ok_or_else(|| format!("there is no limit {name:?}; there are {}", known()))
    }
}

/// A number of bytes, as people read it.
pub fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string().replace(' ', "")
}

/// The limits that somebody named; the others have their defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Limits(BTreeMap<Limit, u64>);

impl Limits {
    /// The value that holds: bytes, a number, or milliseconds.
    pub fn get(&self, limit: Limit) -> u64 {
        self.0.get(&limit).copied().unwrap_or(limit.default())
    }

    /// The same of a limit that is a time.
    pub fn time(&self, limit: Limit) -> Duration {
        Duration::from_millis(self.get(limit))
    }

    /// Names a value.
    pub fn set(&mut self, limit: Limit, value: u64) {
        self.0.insert(limit, value);
    }

    /// Takes a named value back.
    pub fn unset(&mut self, limit: Limit) {
        self.0.remove(&limit);
    }

    /// These, and where they say nothing, `others`.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        Self(others.0.iter().chain(&self.0).map(|(limit, value)| (*limit, *value)).collect())
    }

    /// Those that were named.
    pub fn named(&self) -> impl Iterator<Item = (Limit, u64)> {
        self.0.iter().map(|(limit, value)| (*limit, *value))
    }

    /// Whether none was named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_would_be_no_limit_is_not() {
        assert_eq!(Limit::Received.parse("2GiB"), Ok(2 << 30));
        assert_eq!(Limit::Refs.parse("50000"), Ok(50_000));
        assert_eq!(Limit::Run.parse("1h 30m"), Ok(5_400_000));
        assert_eq!(Limit::Object.parse("unlimited"), Ok(u64::MAX));
        for (limit, text) in [
            (Limit::Received, "0"),
            (Limit::Received, "none"),
            (Limit::Refs, "-1"),
            (Limit::Run, "0s"),
            (Limit::Run, "unlimited"),
            (Limit::Stall, "10"),
        ] {
            assert_eq!(limit.parse(text), Err(limit.accepted()), "{text}");
        }
    }

    #[test]
    fn what_is_shown_can_be_written() {
        for limit in Limit::ALL {
            assert_eq!(limit.parse(&limit.format(limit.default())), Ok(limit.default()), "{}", limit.key());
            assert_eq!(limit.key().parse(), Ok(limit));
        }
    }

    #[test]
    fn a_mirrors_own_limit_goes_before_the_workers() {
        let (mut workers, mut own) = (Limits::default(), Limits::default());
        workers.set(Limit::Refs, 10);
        workers.set(Limit::Object, 20);
        own.set(Limit::Refs, 5);
        let both = own.or(&workers);
        assert_eq!((both.get(Limit::Refs), both.get(Limit::Object)), (5, 20));
        assert_eq!(both.get(Limit::Listing), Limit::Listing.default());
    }
}
