//! A mirror as it is configured: which repository, which far side, by which rules.

use serde::{Deserialize, Serialize};

use super::branches::BranchFilter;
use super::key::{Direction, MirrorId, MirrorKey};
use super::limits::Limits;
use super::reach::{EngineChoice, Reach};
use super::state::RunState;

/// What a push does about a ref that somebody else moved on the far side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDivergence {
    /// Send nothing at all and fail, naming the diverged refs.
    #[default]
    Fail,
    /// Leave the diverged refs alone, send the others, and fail, naming the diverged refs. Deletes nothing.
    Keep,
    /// Overwrite.
    Overwrite,
}

impl OnDivergence {
    /// `fail`, `keep` or `overwrite`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Keep => "keep",
            Self::Overwrite => "overwrite",
        }
    }
}

/// The rules that only one direction has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rules {
    /// Of a pull mirror.
    Pull {
        /// Whether a local branch that is no ancestor of its upstream counterpart is overwritten.
        overwrite_diverged: bool,
    },
    /// Of a push mirror.
    Push {
        /// What to do about diverged refs.
        on_divergence: OnDivergence,
    },
}

/// A mirror as its owner set it up. Never holds a secret: `url` has no user information, and what logs in is
/// asked of the store only when a run needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Whether it runs at all.
    pub enabled: bool,
    /// The forge's repository, as a path below the repositories folder.
    pub repository: String,
    /// The far side, without user information.
    pub url: String,
    /// Which branches take part; tags always do.
    #[serde(default)]
    pub branches: BranchFilter,
    /// How the far side is reached.
    #[serde(default)]
    pub reach: Reach,
    /// Which engine moves its objects.
    #[serde(default)]
    pub engine: EngineChoice,
    /// Its own limits; the others are the worker's.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// What only its direction knows.
    pub rules: Rules,
}

impl Settings {
    /// A mirror of `repository` as it is when nothing else is said.
    pub fn new(direction: Direction, repository: String, url: String) -> Self {
        Self {
            enabled: true,
            repository,
            url,
            branches: BranchFilter::All,
            reach: Reach::default(),
            engine: EngineChoice::default(),
            limits: Limits::default(),
            rules: match direction {
                Direction::Pull => Rules::Pull { overwrite_diverged: false },
                Direction::Push => Rules::Push { on_divergence: OnDivergence::default() },
            },
        }
    }

    /// Scheme, host and port of the far side: what a login is given for. An `@` behind them, which no stored address
    /// has, could make something else the host: such an address is an origin of its own.
    pub fn origin(&self) -> &str {
        let host = self.url.find("://").map_or(0, |scheme| scheme + 3);
        match self.url[host..].find('/').map(|path| self.url.split_at(host + path)) {
            Some((origin, path)) if !path.contains('@') => origin,
            _ => &self.url,
        }
    }

    /// The direction these rules belong to.
    pub const fn direction(&self) -> Direction {
        match self.rules {
            Rules::Pull { .. } => Direction::Pull,
            Rules::Push { .. } => Direction::Push,
        }
    }
}

/// A mirror: its settings and how its runs went.
#[derive(Debug, Clone, PartialEq)]
pub struct Mirror {
    /// Its number.
    pub id: MirrorId,
    /// What its owner set up.
    pub settings: Settings,
    /// How its runs went.
    pub state: RunState,
}

impl Mirror {
    /// Its name among all mirrors.
    pub const fn key(&self) -> MirrorKey {
        MirrorKey { direction: self.settings.direction(), id: self.id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_all_before_the_path() {
        for (url, origin) in [
            ("https://git.example.com/a/b.git", "https://git.example.com"),
            ("http://[::1]:8080/a.git", "http://[::1]:8080"),
            ("https://git.example.com", "https://git.example.com"),
            ("ssh://git@git.example.com/a.git", "ssh://git@git.example.com"),
            ("ssh://git@git.example.com/x@evil.com/r", "ssh://git@git.example.com/x@evil.com/r"),
        ] {
            let settings = Settings::new(Direction::Pull, String::new(), url.to_owned());
            assert_eq!(settings.origin(), origin);
        }
    }
}
