//! Which engine a worker is told to use.

use std::fmt;

/// An engine of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Libgit2,
}

impl Engine {
    pub(crate) const ALL: [Self; 1] = [Self::Libgit2];

    /// The keys that make a worker use it for everything.
    pub(crate) fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Libgit2 => &[],
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Libgit2 => "libgit2",
        })
    }
}
