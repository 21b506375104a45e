//! How mirrors are named: by direction and number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number of a mirror, unique within its direction: for a pull mirror the forge's project id, for a push
/// mirror the id of its remote mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MirrorId(pub u64);

impl fmt::Display for MirrorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MirrorId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Which way refs flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The forge's repository follows one elsewhere.
    Pull,
    /// The forge's repository is sent elsewhere.
    Push,
}

impl Direction {
    /// Both, in the order in which lists show them.
    pub const ALL: [Self; 2] = [Self::Pull, Self::Push];

    /// `pull` or `push`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names one mirror among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MirrorKey {
    /// Which way it goes.
    pub direction: Direction,
    /// Its number in that direction.
    pub id: MirrorId,
}

impl MirrorKey {
    /// The pull mirror of this number.
    pub const fn pull(id: MirrorId) -> Self {
        Self { direction: Direction::Pull, id }
    }

    /// The push mirror of this number.
    pub const fn push(id: MirrorId) -> Self {
        Self { direction: Direction::Push, id }
    }
}

impl fmt::Display for MirrorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.direction, self.id)
    }
}
