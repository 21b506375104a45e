//! The limits of a session, as its errors name them.

use std::fmt;

use bytesize::ByteSize;

/// What a session counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// Bytes of all answers together.
    Received,
    /// Bytes of one list of refs.
    Listing,
}

impl Budget {
    /// The key that sets it.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Listing => "listing",
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Received => "in one run",
            Self::Listing => "in one list of refs or report on them",
        })
    }
}

/// A number of bytes, as people read it.
pub(super) fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string().replace(' ', "")
}
