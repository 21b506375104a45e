//! How one far side is reached, beside its address: as whom, through what, trusting whom.

use std::fmt;

use secrecy::SecretString;

use super::Credentials;

/// What a run brings along for its far side. Its secrets are masked in every text that the session gives out.
#[derive(Clone, Default)]
pub struct Access {
    /// User and password. Over SSH the user is `git` where none is given.
    pub credentials: Option<Credentials>,
    /// What only HTTP knows.
    pub http: HttpAccess,
    /// What only SSH knows.
    pub ssh: SshAccess,
}

/// What only HTTP knows.
#[derive(Clone, Default)]
pub struct HttpAccess {
    /// Sent as `Authorization: Bearer …`, in the place of user and password.
    pub bearer: Option<SecretString>,
    /// Sent with every request to this far side, and to no other.
    pub headers: Vec<(String, SecretString)>,
    /// The proxy for this far side: a URL, `none` for a direct connection; without one, the settings decide.
    pub proxy: Option<String>,
    /// The login at that proxy.
    pub proxy_credentials: Option<Credentials>,
    /// Certificates (PEM) that are trusted beside the others.
    pub ca: Option<String>,
    /// The SHA-256 of the one certificate that is accepted, whoever signed it, as lowercase hex.
    pub certificate_fingerprint: Option<String>,
    /// Our own certificate (PEM) and its key, for servers that ask for one.
    pub client_certificate: Option<(String, SecretString)>,
    /// What is done about redirects; without it, the settings decide.
    pub redirects: Option<Redirects>,
}

/// What only SSH knows.
#[derive(Clone, Default)]
pub struct SshAccess {
    /// The host keys that are trusted, as lines of a `known_hosts` file.
    pub known_hosts: String,
    /// Our private key (PEM or OpenSSH's own format).
    pub private_key: Option<SecretString>,
    /// What opens that key.
    pub passphrase: Option<SecretString>,
}

/// What is done when a server says that a repository is elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redirects {
    /// The run fails and names the other address.
    #[default]
    Refuse,
    /// Followed as long as scheme, host and port stay the same.
    SameOrigin,
    /// Followed, without the login where the origin changes, and never from https to http.
    Follow,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Access(*****)")
    }
}
