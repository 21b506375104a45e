//! Where a mirror's other side is.

mod error;
mod login;
mod place;
mod scheme;
mod short_form;
#[cfg(test)]
mod tests;

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

pub use error::UrlError;
pub(super) use place::host_name;
pub use scheme::Scheme;

use super::Credentials;
use super::mask::MASK;

/// The user that every forge's SSH server knows, and no secret.
const FORGES_USER: &str = "git";

/// The host of `file://` addresses.
const THIS_MACHINE: &str = "localhost";

/// The address of a repository at the other side: scheme, host, port and path. A login that was written into it is kept
/// beside it and is never shown, but for the `git@` of SSH addresses.
#[derive(Clone)]
pub struct RemoteUrl {
    scheme: Scheme,
    /// As the network knows it; IPv6 in brackets.
    host: String,
    port: u16,
    /// Percent-encoded, with a leading `/` and without `@`.
    path: String,
    /// Whether an SSH address names the user `git`.
    as_git: bool,
    credentials: Option<Credentials>,
}

impl RemoteUrl {
    /// Reads an address such as `https://user:password@host:8443/group/project.git`, or the short form of an SSH
    /// address, `git@host:group/project.git`.
    ///
    /// The login reaches up to the last `@` that a host and a path follow, its user name up to the first `:`, so that
    /// `/`, `+`, `=` and `@` may stand in a password unencoded; it is percent-decoded once. An `@` in the path belongs
    /// to the path where a host with a dot stands before the first `/`, and otherwise has to be written as `%40`.
    ///
    /// # Errors
    /// [`UrlError`], which never repeats the text.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return Err(UrlError::ControlCharacter);
        }
        match text.split_once("://") {
            // In the short form, it may be anywhere in the path.
            Some((scheme, rest)) if !scheme.contains([':', '@', '/', '[']) => {
                let scheme = Scheme::named(scheme).ok_or(UrlError::Scheme)?;
                if scheme == Scheme::File {
                    return Self::of_folder(rest);
                }
                let (userinfo, place) = login::split(rest);
                Self::assemble(scheme, userinfo, place)
            }
            _ => {
                let (user, place) = short_form::split(text)?;
                Self::assemble(Scheme::Ssh, user, &place)
            }
        }
    }

    /// Reads an address that is stored: one as its `Display` writes it, so that it says the same to whoever only looks
    /// for where its host ends.
    ///
    /// # Errors
    /// [`UrlError`], which never repeats the text.
    pub fn parse_stored(text: &str) -> Result<Self, UrlError> {
        let url = Self::parse(text)?;
        if url.to_string() == text { Ok(url) } else { Err(UrlError::NotAsStored) }
    }

    fn assemble(scheme: Scheme, userinfo: Option<&str>, place: &str) -> Result<Self, UrlError> {
        let credentials = userinfo.map(login::decode).transpose()?.flatten();
        let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        if authority.contains(['?', '#']) {
            return Err(UrlError::QueryOrFragment);
        }
        let (host, port) = place::parse(authority)?;
        let path = checked_path(scheme, path)?;
        let (as_git, credentials) = match scheme {
            Scheme::Git if userinfo.is_some() => return Err(UrlError::Loginless(scheme)),
            Scheme::Ssh => ssh_login(credentials)?,
            _ => (false, credentials),
        };
        Ok(Self { scheme, host, port: port.unwrap_or(scheme.default_port()), path, as_git, credentials })
    }

    /// `file:///path`, or with `localhost` before the path.
    fn of_folder(rest: &str) -> Result<Self, UrlError> {
        let malformed = |reason: &str| UrlError::Malformed(reason.to_owned());
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if host.contains('@') {
            return Err(UrlError::Loginless(Scheme::File));
        }
        if !host.is_empty() && !host.eq_ignore_ascii_case(THIS_MACHINE) {
            return Err(malformed("a file:// address names no host but localhost"));
        }
        if percent_decode_str(path).decode_utf8_lossy().split('/').any(|part| part == "..") {
            return Err(malformed("the path of a file:// address must not climb (..)"));
        }
        let path = checked_path(Scheme::File, path)?;
        let host = THIS_MACHINE.to_owned();
        Ok(Self { scheme: Scheme::File, host, port: 0, path, as_git: false, credentials: None })
    }

    /// How the repository is reached.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The login that stood in the address; `None` for the bare `git@` of an SSH address.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// The user that stood in the address.
    pub fn user(&self) -> Option<&str> {
        self.credentials.as_ref().map(Credentials::user).or(self.as_git.then_some(FORGES_USER))
    }

    /// The address as GitLab shows it: `https://*****:*****@host/path` where a login was given.
    pub fn masked(&self) -> String {
        match &self.credentials {
            Some(_) => self.written(&format!("{MASK}:{MASK}@")),
            None => self.to_string(),
        }
    }

    /// The host alone, IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, named or not.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, the port always named where there are ports.
    pub fn authority(&self) -> String {
        match self.scheme {
            Scheme::File => self.host.clone(),
            _ => format!("{}:{}", self.host, self.port),
        }
    }

    /// The path as git's services take it: percent-decoded, with its leading `/` unless it begins at a home (`~user/`).
    pub fn path(&self) -> String {
        let path = percent_decode_str(&self.path).decode_utf8_lossy();
        match path.strip_prefix('/') {
            Some(home) if home.starts_with('~') && matches!(self.scheme, Scheme::Ssh | Scheme::Git) => home.to_owned(),
            _ => path.into_owned(),
        }
    }

    /// The address with `suffix` (such as `/info/refs`) behind it.
    pub(super) fn beneath(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.to_string().trim_end_matches('/'))
    }

    fn written(&self, login: &str) -> String {
        let port = if self.port == self.scheme.default_port() { String::new() } else { format!(":{}", self.port) };
        let host = if self.scheme == Scheme::File { "" } else { &self.host };
        format!("{}://{login}{host}{port}{}", self.scheme, self.path)
    }
}

/// The path as the `url` crate writes it: percent-encoded, without `.` and `..`; `@` as well, so that nobody takes what
/// stands before it for a login.
fn checked_path(scheme: Scheme, path: &str) -> Result<String, UrlError> {
    if path.contains(['?', '#']) {
        return Err(UrlError::QueryOrFragment);
    }
    if path.chars().any(char::is_whitespace) {
        return Err(UrlError::Space);
    }
    if path.contains('\\') {
        return Err(UrlError::Malformed("it holds a backslash".to_owned()));
    }
    let url = Url::parse(&format!("http://host{path}")).map_err(|error| UrlError::Malformed(error.to_string()))?;
    match percent_decode_str(url.path()).decode_utf8() {
        Ok(decoded) if decoded.chars().any(char::is_control) => return Err(UrlError::ControlCharacter),
        // Whether the far side can read the name is its own matter where it gets it encoded.
        Err(_) if !scheme.is_http() => return Err(UrlError::Malformed("the path is not UTF-8".to_owned())),
        _ => {}
    }
    Ok(url.path().replace('@', "%40"))
}

/// Whether an SSH address is for `git`, and the login beyond that.
fn ssh_login(credentials: Option<Credentials>) -> Result<(bool, Option<Credentials>), UrlError> {
    use secrecy::ExposeSecret;

    let Some(credentials) = credentials else { return Ok((false, None)) };
    let user = credentials.user();
    if user.starts_with('-') {
        return Err(UrlError::Option);
    }
    if !user.starts_with(|first: char| first.is_alphanumeric() || first == '_') || user.contains(char::is_whitespace) {
        return Err(UrlError::User);
    }
    let as_git = user == FORGES_USER;
    let is_bare = credentials.password().expose_secret().is_empty();
    Ok((as_git, Some(credentials).filter(|_| !(as_git && is_bare))))
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written(if self.as_git { "git@" } else { "" }))
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}
