//! All that a mirror keeps secret, and changes of it.

use std::fmt;

use secrecy::SecretString;

use super::Login;

/// The secrets of one mirror, opened. They exist as long as somebody needs them and are wiped after that.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// User and password.
    pub login: Option<Login>,
    /// Sent over HTTP in the place of the login.
    pub bearer: Option<SecretString>,
    /// Sent with every request over HTTP: lowercase names and their values.
    pub headers: Vec<(String, SecretString)>,
    /// The private key for SSH.
    pub ssh_key: Option<SecretString>,
    /// What opens that key.
    pub ssh_passphrase: Option<SecretString>,
    /// The private key of the mirror's own certificate.
    pub client_key: Option<SecretString>,
    /// User and password for the mirror's own proxy.
    pub proxy_login: Option<Login>,
}

/// What becomes of one secret.
#[derive(Debug, Clone, Default)]
pub enum Change<T> {
    /// It stays as it is, as long as the place that it was given for stays the same.
    #[default]
    Keep,
    /// There is none any more.
    Clear,
    /// It is this from now on.
    Set(T),
}

/// What a change of settings does to each of the secrets.
#[derive(Debug, Clone, Default)]
pub struct SecretsChange {
    /// Of the login.
    pub login: Change<Login>,
    /// Of the bearer token.
    pub bearer: Change<SecretString>,
    /// Whether all headers go that are not set here.
    pub clear_headers: bool,
    /// Of headers, by their lowercase names.
    pub headers: Vec<(String, Change<SecretString>)>,
    /// Of the key for SSH.
    pub ssh_key: Change<SecretString>,
    /// Of its passphrase.
    pub ssh_passphrase: Change<SecretString>,
    /// Of the certificate's key.
    pub client_key: Change<SecretString>,
    /// Of the login at the proxy.
    pub proxy_login: Change<Login>,
}

/// Which of a mirror's secrets is meant. Its text is the name under which it is kept and told of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretName {
    /// `login`
    Login,
    /// `bearer`
    Bearer,
    /// `header:<lowercase name>`
    Header(String),
    /// `ssh_key`
    SshKey,
    /// `ssh_passphrase`
    SshPassphrase,
    /// `client_key`
    ClientKey,
    /// `proxy_login`
    ProxyLogin,
}

impl SecretName {
    /// The secret that goes by this name, if there is one.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "login" => Self::Login,
            "bearer" => Self::Bearer,
            "ssh_key" => Self::SshKey,
            "ssh_passphrase" => Self::SshPassphrase,
            "client_key" => Self::ClientKey,
            "proxy_login" => Self::ProxyLogin,
            other => Self::Header(other.strip_prefix("header:")?.to_owned()),
        })
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Login => "login",
            Self::Bearer => "bearer",
            Self::Header(name) => return write!(f, "header:{name}"),
            Self::SshKey => "ssh_key",
            Self::SshPassphrase => "ssh_passphrase",
            Self::ClientKey => "client_key",
            Self::ProxyLogin => "proxy_login",
        })
    }
}

impl SecretsChange {
    /// Whether all stays as it is.
    pub fn is_empty(&self) -> bool {
        let Self { login, bearer, clear_headers, headers, ssh_key, ssh_passphrase, client_key, proxy_login } = self;
        let texts = [bearer, ssh_key, ssh_passphrase, client_key];
        texts.into_iter().chain(headers.iter().map(|(_, change)| change)).all(Change::is_keep)
            && !clear_headers
            && login.is_keep()
            && proxy_login.is_keep()
    }

    /// Whether something is set that was another or nothing before.
    pub fn sets_something(&self) -> bool {
        let Self { login, bearer, clear_headers: _, headers, ssh_key, ssh_passphrase, client_key, proxy_login } = self;
        let texts = [bearer, ssh_key, ssh_passphrase, client_key];
        texts.into_iter().chain(headers.iter().map(|(_, change)| change)).any(Change::is_set)
            || login.is_set()
            || proxy_login.is_set()
    }
}

impl<T> Change<T> {
    /// Whether it becomes another one.
    pub const fn is_set(&self) -> bool {
        matches!(self, Self::Set(_))
    }

    const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}
