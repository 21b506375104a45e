//! The `mirror.network` section: the way to the mirrors' hosts.

use super::error::ConfigError;
use super::http::HttpNetwork;
use super::section::Section;

/// The way to the mirrors' hosts.
#[derive(Debug, Clone)]
pub struct Network {
    /// What concerns HTTP alone.
    pub http: HttpNetwork,
}

impl Network {
    pub(super) fn from_section(mut section: Section) -> Result<Self, ConfigError> {
        let network = Self { http: HttpNetwork::from_section(&mut section)? };
        section.finish()?;
        Ok(network)
    }
}
