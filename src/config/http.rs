//! What `mirror.network` says about HTTP: proxies, authorities, redirects.

use std::path::PathBuf;

use super::error::ConfigError;
use super::section::Section;
use crate::net::{ProxyChoice, Redirects, check_proxy, unusable_variable};

/// How mirrors are reached over HTTP, where they do not say it themselves. Files are named here and read at the start.
#[derive(Debug, Clone)]
pub struct HttpNetwork {
    /// The proxy.
    pub proxy: ProxyChoice,
    /// Who logs in at `proxy`.
    pub proxy_username: Option<String>,
    /// With which password.
    pub proxy_password_file: Option<PathBuf>,
    /// Whether a proxy may be asked for hosts whose names have no address here.
    pub proxy_resolves: bool,
    /// Authorities that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// What is done when a server says that a repository is elsewhere.
    pub redirects: Redirects,
}

const REDIRECTS: [(&str, Redirects); 3] =
    [("refuse", Redirects::Refuse), ("same_origin", Redirects::SameOrigin), ("follow", Redirects::Follow)];

impl HttpNetwork {
    /// Takes its keys out of the section.
    pub(super) fn from_section(section: &mut Section) -> Result<Self, ConfigError> {
        let network = Self {
            proxy: proxy(section)?,
            proxy_username: section.text("proxy_username")?,
            proxy_password_file: section.file("proxy_password_file")?,
            proxy_resolves: section.flag("proxy_resolves")?.unwrap_or(false),
            ca_file: section.file("ca_file")?,
            redirects: section.choice("redirects", &REDIRECTS)?.unwrap_or_default(),
        };
        let has_proxy = matches!(network.proxy, ProxyChoice::Url(_));
        match (&network.proxy_username, &network.proxy_password_file) {
            (Some(_), None) => {
                Err(section.error("proxy_username", "there is no password for it", "proxy_password_file beside it"))
            }
            (None, Some(_)) => {
                Err(section.error("proxy_password_file", "there is no user for it", "proxy_username beside it"))
            }
            (Some(_), Some(_)) if !has_proxy => {
                Err(section.error("proxy_username", "no proxy is named", "the proxy's URL as `proxy`"))
            }
            _ => Ok(network),
        }
    }
}

/// The value may hold a password, so it is never repeated.
fn proxy(section: &mut Section) -> Result<ProxyChoice, ConfigError> {
    match section.text("proxy")?.as_deref() {
        None | Some("env") => match unusable_variable(|name| std::env::var(name).ok()) {
            None => Ok(ProxyChoice::Environment),
            Some(variable) => {
                let problem = format!("{variable} in the environment is not the address of a proxy that can be used");
                Err(section.error("proxy", &problem, "http://HOST:PORT there, or another proxy or none here"))
            }
        },
        Some("none") => Ok(ProxyChoice::None),
        Some(text) if check_proxy(text).is_ok() => Ok(ProxyChoice::Url(text.to_owned())),
        Some(_) => {
            let accepted = "env, none or http://HOST:PORT, the login in proxy_username and proxy_password_file";
            Err(section.error("proxy", "this is not the address of a proxy", accepted))
        }
    }
}
