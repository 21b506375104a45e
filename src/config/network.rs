//! The `network` section: which places mirrors may reach, and who knows their addresses.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::error::ConfigError;
use super::http::HttpNetwork;
use super::section::Section;
use crate::net::Rule;

/// Where name servers listen.
const DNS_PORT: u16 = 53;

/// What concerns all mirrors' way to their far sides.
#[derive(Debug, Clone)]
pub struct Network {
    /// What may be reached in spite of its kind or port.
    pub allow: Vec<Rule>,
    /// What is never reached.
    pub deny: Vec<Rule>,
    /// Whether nothing is reached but what `allow` names.
    pub only_allowed: bool,
    /// Asked in the place of the system's resolver, if there are any.
    pub nameservers: Vec<SocketAddr>,
    /// Folders of this machine whose repositories mirrors may use.
    pub file_roots: Vec<PathBuf>,
    /// What concerns HTTP alone.
    pub http: HttpNetwork,
}

impl Network {
    pub(super) fn from_section(mut section: Section) -> Result<Self, ConfigError> {
        let network = Self {
            allow: rules(&mut section, "allow")?,
            deny: rules(&mut section, "deny")?,
            only_allowed: section.flag("only_allowed")?.unwrap_or(false),
            nameservers: nameservers(&mut section)?,
            file_roots: file_roots(&mut section)?,
            http: HttpNetwork::from_section(&mut section)?,
        };
        section.finish()?;
        Ok(network)
    }
}

fn rules(section: &mut Section, key: &str) -> Result<Vec<Rule>, ConfigError> {
    let accepted = "addresses, ranges (10.0.0.0/8), hosts or *.domain, each with or without :PORT";
    let names = section.names(key)?;
    let read = |text: String| text.parse().map_err(|_| section.error(key, format!("got {text:?}"), accepted));
    names.into_iter().map(read).collect()
}

fn nameservers(section: &mut Section) -> Result<Vec<SocketAddr>, ConfigError> {
    const KEY: &str = "nameservers";
    let names = section.names(KEY)?;
    let read = |text: String| {
        let alone = text.parse().map(|address: IpAddr| SocketAddr::new(address, DNS_PORT));
        let accepted = "addresses of name servers, each with or without :PORT";
        alone.or_else(|_| text.parse()).map_err(|_| section.error(KEY, format!("got {text:?}"), accepted))
    };
    names.into_iter().map(read).collect()
}

fn file_roots(section: &mut Section) -> Result<Vec<PathBuf>, ConfigError> {
    const KEY: &str = "file_roots";
    let names = section.names(KEY)?;
    let read = |text: String| {
        let path = PathBuf::from(&text);
        // All of a machine is nobody's repositories.
        let fits = path.is_absolute() && path.parent().is_some();
        if fits {
            Ok(path)
        } else {
            Err(section.error(KEY, format!("got {text:?}"), "absolute paths of folders below /"))
        }
    };
    names.into_iter().map(read).collect()
}
