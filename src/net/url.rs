//! Where a mirror's other side is.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::Credentials;
use super::mask::MASK;

/// The address of a repository at the other side: scheme, host, port and path. A login that was written into it is kept
/// beside it and is never shown.
#[derive(Clone)]
pub struct RemoteUrl {
    url: Url,
    credentials: Option<Credentials>,
}

/// Why a text is not the address of a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Neither `http://` nor `https://`.
    #[error("The URL is invalid: only http:// and https:// addresses are accepted.")]
    Scheme,
    /// No host, a bad port, a bad name.
    #[error("The URL is invalid: {0}.")]
    Malformed(String),
    /// Line breaks and the like.
    #[error("The URL is invalid: it holds a control character.")]
    ControlCharacter,
    /// A part that git has no use for.
    #[error(
        "The URL is invalid: a query (?) or fragment (#) is not accepted; write %3F or %23 if it is part of the path."
    )]
    QueryOrFragment,
    /// Percent-encoding that does not end in readable text.
    #[error("The URL is invalid: the user name or password is not valid percent-encoded text.")]
    Credentials,
}

impl RemoteUrl {
    /// Reads an address such as `https://user:password@host:8443/group/project.git`.
    ///
    /// The login reaches up to the last `@`, its user name up to the first `:`, so that `/`, `+`, `=` and `@` may stand
    /// in a password unencoded; it is percent-decoded once.
    ///
    /// # Errors
    /// [`UrlError`], which never repeats the text.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return Err(UrlError::ControlCharacter);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        if !["http", "https", "ssh", "git"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(UrlError::Scheme);
        }
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((userinfo, place)) => (decode(userinfo)?, place),
            None => (None, rest),
        };
        if place.contains(['?', '#']) {
            return Err(UrlError::QueryOrFragment);
        }
        let url = Url::parse(&format!("{scheme}://{place}")).map_err(|error| UrlError::Malformed(error.to_string()))?;
        if url.host().is_none() || place.starts_with(['/', '\\']) {
            return Err(UrlError::Malformed("empty host".to_owned()));
        }
        Ok(Self { url, credentials })
    }

    /// The login that stood in the address.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// The address as GitLab shows it: `https://*****:*****@host/path` where a login was given.
    pub fn masked(&self) -> String {
        match &self.credentials {
            Some(_) => self.to_string().replacen("://", &format!("://{MASK}:{MASK}@"), 1),
            None => self.to_string(),
        }
    }

    /// In small letters.
    pub fn scheme(&self) -> &str {
        self.url.scheme()
    }

    /// The port, written or not.
    pub fn port(&self) -> u16 {
        let usual = match self.url.scheme() {
            "ssh" => Some(22),
            "git" => Some(9418),
            _ => self.url.port_or_known_default(),
        };
        self.url.port().or(usual).unwrap_or_default()
    }

    /// The path, decoded once as git does.
    ///
    /// # Errors
    /// [`UrlError::ControlCharacter`], and [`UrlError::Malformed`] for what is no text.
    pub fn decoded_path(&self) -> Result<String, UrlError> {
        let path = percent_decode_str(self.url.path()).decode_utf8();
        let path = path.map_err(|_| UrlError::Malformed("the path is not valid percent-encoded text".to_owned()))?;
        if path.chars().any(char::is_control) { Err(UrlError::ControlCharacter) } else { Ok(path.into_owned()) }
    }

    /// The host alone, IPv6 in brackets.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// `host:port`, the port always named.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host(), self.port())
    }

    /// The host's address, where it is written as one. Every spelling that the network would take (`127.1`,
    /// `0x7f.0.0.1`) has become an address here.
    pub(super) fn literal_address(&self) -> Option<std::net::IpAddr> {
        match self.url.host()? {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }

    /// The address with `suffix` (such as `/info/refs`) behind it.
    pub(super) fn beneath(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.url.as_str().trim_end_matches('/'))
    }
}

fn decode(userinfo: &str) -> Result<Option<Credentials>, UrlError> {
    if userinfo.is_empty() {
        return Ok(None);
    }
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let plain = |part: &str| {
        let text = percent_decode_str(part).decode_utf8().map_err(|_| UrlError::Credentials)?;
        if text.chars().any(char::is_control) {
            return Err(UrlError::ControlCharacter);
        }
        Ok(Zeroizing::new(text.into_owned()))
    };
    Ok(Some(Credentials::new(plain(user)?.as_str(), plain(password)?.as_str())))
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn login(text: &str) -> (String, String) {
        let url = RemoteUrl::parse(text).unwrap();
        let credentials = url.credentials().unwrap();
        (credentials.user().to_owned(), credentials.password().expose_secret().to_owned())
    }

    #[test]
    fn the_login_reaches_to_the_last_at_sign_and_is_decoded_once() {
        for (text, user, password) in [
            ("https://u:p@host/x.git", "u", "p"),
            ("https://u:a@b/c+d=e@host/x.git", "u", "a@b/c+d=e"),
            ("https://u:a%40b%2540@host/x.git", "u", "a@b%40"),
            ("https://u:a:b:c@host/x.git", "u", "a:b:c"),
            ("https://token@host/x.git", "token", ""),
            ("https://:token@host/x.git", "", "token"),
        ] {
            assert_eq!(login(text), (user.to_owned(), password.to_owned()), "{text}");
        }
    }

    #[test]
    fn no_form_shows_the_login() {
        let url = RemoteUrl::parse("https://someuser:hunter2@host:8443/x.git").unwrap();
        assert_eq!(url.to_string(), "https://host:8443/x.git");
        assert_eq!(url.masked(), "https://*****:*****@host:8443/x.git");
        assert_eq!(format!("{url:?}"), url.masked());
        assert_eq!(RemoteUrl::parse("https://host/x.git").unwrap().masked(), "https://host/x.git");
    }

    #[test]
    fn other_schemes_controls_and_queries_are_refused() {
        for (text, error) in [
            ("ftp://host/x.git", UrlError::Scheme),
            ("git@host:x.git", UrlError::Scheme),
            ("file:///etc", UrlError::Scheme),
            ("https://host/x\r\n.git", UrlError::ControlCharacter),
            ("https://u:p%0d@host/x.git", UrlError::ControlCharacter),
            ("https://u:%ff@host/x.git", UrlError::Credentials),
            ("https://host/x.git?a=b", UrlError::QueryOrFragment),
            ("https://host/x.git#a", UrlError::QueryOrFragment),
        ] {
            assert_eq!(RemoteUrl::parse(text).err(), Some(error), "{text}");
        }
        for text in ["https://", "https:///x", "https://u:p@", "https://host:99999/x", "https://[::1/x"] {
            assert!(matches!(RemoteUrl::parse(text), Err(UrlError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn every_spelling_of_an_address_is_one() {
        for text in ["http://127.1/x", "http://0x7f.0.0.1/x", "http://2130706433/x", "http://017700000001/x"] {
            let address = RemoteUrl::parse(text).unwrap().literal_address();
            assert_eq!(address, Some(std::net::IpAddr::from([127, 0, 0, 1])), "{text}");
        }
    }
}
