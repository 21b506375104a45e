//! Whose fault an error is: the far side's as a whole, or that of one repository, login or mirror.

use super::NetError;

impl NetError {
    /// Whether the host as such did not do its part, so that runs for other repositories on it would fare alike.
    pub const fn is_hosts_fault(&self) -> bool {
        match self {
            Self::Unresolved { .. }
            | Self::Refused { .. }
            | Self::ConnectTimeout { .. }
            | Self::Unreachable { .. }
            | Self::Tls { .. }
            | Self::Stalled { .. }
            | Self::Broken { .. } => true,
            Self::Status { status, .. } => *status >= 500 || *status == 429,
            _ => false,
        }
    }
}
