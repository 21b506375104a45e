//! How far sides are spared. Plain values.

use std::time::Duration;

/// What holds for every far side (`host:port`) alike, over all nodes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostRules {
    /// Runs at one host at once; `None` for any number.
    pub concurrency: Option<u32>,
    /// Runs begun at one host in a second; `None` for any number.
    pub rate: Option<u32>,
    /// After so many failures of a host in a row its runs are put off for a while.
    pub failures: u32,
    /// How long that while is at first; it doubles up to [`HostRules::LONGEST_PAUSE`] while the host stays dead.
    pub pause: Duration,
}

impl HostRules {
    /// The longest pause.
    pub const LONGEST_PAUSE: Duration = Duration::from_mins(10);

    /// A host that asks to be left alone is left alone for so long at most, and is then asked again.
    pub const LONGEST_DELAY: Duration = Duration::from_mins(15);

    /// For so long runs are put off for a host that is given up or asks to be left alone; after that they fail.
    pub const PATIENCE: Duration = Duration::from_hours(1);
}

impl Default for HostRules {
    fn default() -> Self {
        Self { concurrency: Some(50), rate: None, failures: 5, pause: Duration::from_secs(30) }
    }
}
