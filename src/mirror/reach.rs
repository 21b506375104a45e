//! How a mirror's far side is reached, where that differs from what holds for all. Holds no secret.

use serde::{Deserialize, Serialize};

use super::engine::EngineName;

/// What logs in over SSH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// The password of the login.
    #[default]
    Password,
    /// The mirror's own key.
    SshPublicKey,
}

/// Which engine moves a mirror's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// Decided anew in each run.
    #[default]
    Auto,
    /// libgit2, in this process.
    Libgit2,
    /// The `git` program.
    Git,
}

impl EngineChoice {
    /// The engine that is named, if one is.
    pub const fn named(self) -> Option<EngineName> {
        match self {
            Self::Auto => None,
            Self::Libgit2 => Some(EngineName::Libgit2),
            Self::Git => Some(EngineName::Git),
        }
    }
}

/// What is done when the server says that the repository is elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redirects {
    /// The run fails and names the other address.
    Refuse,
    /// Followed as long as scheme, host and port stay the same.
    SameOrigin,
    /// Followed, without the login where the origin changes.
    Follow,
}

/// The options of one mirror; what is not there is decided by the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Reach {
    /// What logs in over SSH.
    pub auth_method: AuthMethod,
    /// The host keys that are trusted over SSH, as lines of a `known_hosts` file.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub known_hosts: String,
    /// The proxy over HTTP: a URL without login, or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Certificates (PEM) that are trusted beside the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// SHA-256 of the one server certificate that is accepted, as lowercase hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_fingerprint: Option<String>,
    /// Our certificate (PEM) for servers that ask for one; its key is a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<String>,
    /// What is done about redirects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirects: Option<Redirects>,
}
