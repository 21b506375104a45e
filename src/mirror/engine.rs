//! The names of the engines that move objects, as records, logs and metrics have them.

use serde::{Deserialize, Serialize};

/// What moves objects between repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineName {
    /// The library, in this process.
    Libgit2,
    /// The `git` program.
    Git,
}

impl EngineName {
    /// `libgit2` or `git`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Libgit2 => "libgit2",
            Self::Git => "git",
        }
    }
}
