//! The headers that a mirror brings along, and its login.

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use crate::net::{Access, NetError};

/// More of them than this no host asks for.
const MOST_HEADERS: usize = 16;
/// What servers usually take of one header.
const LONGEST_VALUE: usize = 8 * 1024;

/// Headers that say how a message is to be read or where it goes: whoever sets them could smuggle a second request
/// through, or break ours.
const OURS: [&str; 18] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "git-protocol",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Puts everything that only the mirror's own far side may see into `headers`.
pub(super) fn add_own(access: &Access, headers: &mut HeaderMap) -> Result<(), NetError> {
    check_own(access)?;
    for (name, text) in &access.http.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable(name, NO_NAME))?;
        headers.append(name.clone(), secret(name.as_str(), text.expose_secret())?);
    }
    let login = match (&access.http.bearer, &access.credentials) {
        (Some(token), _) => Zeroizing::new(format!("Bearer {}", token.expose_secret())),
        (None, Some(credentials)) => credentials.basic(),
        (None, None) => return Ok(()),
    };
    headers.insert(AUTHORIZATION, secret("Authorization", &login)?);
    Ok(())
}

/// Whether a header of this name is set by us, so that no mirror can bring it along.
pub fn is_own_header(name: &HeaderName) -> bool {
    OURS.contains(&name.as_str())
}

const NO_NAME: &str = "that is no name of a header";

/// Whether the headers that a mirror brings along may be sent.
fn check_own(access: &Access) -> Result<(), NetError> {
    if access.http.headers.len() > MOST_HEADERS {
        return Err(unusable("list", &format!("at most {MOST_HEADERS} are accepted")));
    }
    let logs_in = access.http.bearer.is_some() || access.credentials.is_some();
    for (name, value) in &access.http.headers {
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable(name, NO_NAME))?;
        if is_own_header(&known) {
            return Err(unusable(name, "it is sidemirror's own to set"));
        }
        if known == AUTHORIZATION && logs_in {
            return Err(unusable(name, "the mirror has a login, too; give it one of the two"));
        }
        secret(name, value.expose_secret())?;
    }
    Ok(())
}

/// A value that no log shows.
fn secret(name: &str, text: &str) -> Result<HeaderValue, NetError> {
    if text.len() > LONGEST_VALUE {
        return Err(unusable(name, &format!("its value is longer than {LONGEST_VALUE} bytes")));
    }
    let mut value = HeaderValue::from_str(text).map_err(|_| unusable(name, "its value holds a control character"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unusable(name: &str, problem: &str) -> NetError {
    NetError::Unusable { what: format!("header {}", super::printable(name)), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use crate::net::{Credentials, HttpAccess};

    use super::*;

    fn with(name: &str, value: &str, credentials: Option<Credentials>) -> Result<HeaderMap, String> {
        let http = HttpAccess { headers: vec![(name.to_owned(), value.into())], ..HttpAccess::default() };
        let mut headers = HeaderMap::new();
        let added = add_own(&Access { credentials, http, ..Access::default() }, &mut headers);
        added.map(|()| headers).map_err(|error| error.to_string())
    }

    #[test]
    fn a_header_that_frames_the_message_is_refused_whatever_its_spelling() {
        for name in ["Host", "CONTENT-LENGTH", "transfer-encoding", "Proxy-Authorization", "TE", "Connection"] {
            let refused = with(name, "x", None).unwrap_err();
            assert_eq!(refused, format!("The mirror's header {name} cannot be used: it is sidemirror's own to set."));
        }
        for name in ["", "X Y", "X:Y", "X\r\nHost", "Ä"] {
            assert!(with(name, "x", None).unwrap_err().ends_with("that is no name of a header."), "{name:?}");
        }
    }

    #[test]
    fn a_value_cannot_end_its_line_and_is_not_repeated() {
        for value in ["canary\r\nHost: other", "canary\nx", "canary\0"] {
            let refused = with("X-Token", value, None).unwrap_err();
            assert!(refused.contains("control character") && !refused.contains("canary"), "{refused}");
        }
    }

    #[test]
    fn a_login_is_given_once() {
        let both = with("Authorization", "Token x", Some(Credentials::new("u", "p"))).unwrap_err();
        assert!(both.contains("give it one of the two"), "{both}");
        assert_eq!(with("Authorization", "Token x", None).unwrap()[AUTHORIZATION], "Token x");
    }

    #[test]
    fn no_value_shows_when_headers_are_printed() {
        let headers = with("X-Token", "canary", Some(Credentials::new("u", "canary"))).unwrap();
        assert_eq!(headers.len(), 2);
        assert!(!format!("{headers:?}").contains("canary"), "{headers:?}");
    }
}
