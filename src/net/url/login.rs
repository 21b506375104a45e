//! Where the login of an address ends, and what it is.
//!
//! An `@` may stand raw in a password and, more rarely, in a path. The login reaches up to the last `@` that a host
//! and a path follow, as in GitLab, so that any token can be pasted as it is. Two kinds of address have no login in
//! spite of an `@` in their path: what stands before their first `/` is a host, and either that host has a dot in its
//! name or is an address (`https://git.example.org/a@b.git`), or no path follows the last `@`. In every other path
//! an `@` has to be written as `%40`.

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use super::{UrlError, place};
use crate::net::Credentials;

/// Divides what stands behind `://` into a login and the rest.
pub(super) fn split(text: &str) -> (Option<&str>, &str) {
    let authority = text.split('/').next().unwrap_or_default();
    let has_path = |place: &str| place.split_once('/').is_some_and(|(host, path)| !host.is_empty() && !path.is_empty());
    let ends = || text.match_indices('@').map(|(at, _)| at);
    let Some(last) = ends().next_back() else { return (None, text) };
    if !authority.contains('@')
        && place::is_one(authority)
        && (place::is_plain(authority) || !has_path(&text[last + 1..]))
    {
        return (None, text);
    }
    let end = ends().rfind(|at| has_path(&text[at + 1..]));
    let end = end.or_else(|| authority.rfind('@')).unwrap_or(last);
    (Some(&text[..end]), &text[end + 1..])
}

/// The user name reaches up to the first `:`. Both parts are percent-decoded once; a `%` that begins no escape stays.
pub(super) fn decode(userinfo: &str) -> Result<Option<Credentials>, UrlError> {
    if userinfo.is_empty() {
        return Ok(None);
    }
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    Ok(Some(Credentials::new(plain(user)?.as_str(), plain(password)?.as_str())))
}

fn plain(part: &str) -> Result<Zeroizing<String>, UrlError> {
    let text = percent_decode_str(part).decode_utf8().map_err(|_| UrlError::Credentials)?;
    let text = Zeroizing::new(text.into_owned());
    if text.chars().any(char::is_control) { Err(UrlError::ControlCharacter) } else { Ok(text) }
}
