//! Which engine a worker is told to use.

use std::fmt;

/// An engine of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Libgit2,
    Program,
}

impl Engine {
    pub(crate) const ALL: [Self; 2] = [Self::Libgit2, Self::Program];

    /// The section that makes a worker use it for everything.
    pub(crate) const fn setting(self) -> &'static str {
        match self {
            Self::Libgit2 => "{engine: libgit2}",
            Self::Program => "{engine: git}",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Libgit2 => "libgit2",
            Self::Program => "git",
        })
    }
}
