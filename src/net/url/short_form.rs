//! The short form of an SSH address, as `scp` and every forge's clone button write it.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::{Scheme, UrlError};

/// What would mean something else in a URL than in the short form, where nothing is an escape.
const MEANS_MORE_IN_A_URL: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#').add(b'\\');

/// Divides `user@host:path` into the user, and host and path as they stand in a URL.
///
/// A path without a leading `/` begins at the root all the same, as on every forge; `~/path` is the way to a home.
pub(super) fn split(text: &str) -> Result<(Option<&str>, String), UrlError> {
    if text.starts_with('-') {
        return Err(UrlError::Option);
    }
    let (user, place) = match text.split_once('@') {
        // Behind a colon it may be part of the path; `ShortForm` is for those who meant a password.
        Some((user, place)) if !user.contains(['/', '[']) && place.contains(':') => (Some(user), place),
        _ => (None, text),
    };
    let after_address = if place.starts_with('[') { place.find(']').map_or(0, |end| end + 1) } else { 0 };
    let colon = after_address + place[after_address..].find(':').ok_or(UrlError::Scheme)?;
    let (host, path) = (&place[..colon], &place[colon + 1..]);
    // `ext::command` and its like run programs.
    if path.starts_with(':') || host.is_empty() || host.contains('/') || is_scheme(host) {
        return Err(UrlError::Scheme);
    }
    // `C:\repository` is a file.
    if user.is_none() && host.len() == 1 {
        return Err(UrlError::Scheme);
    }
    let first = path.split(['/', ':']).next().unwrap_or_default();
    let could_be_a_port = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    if user.is_some_and(|user| user.contains(':')) || could_be_a_port || path.is_empty() {
        return Err(UrlError::ShortForm);
    }
    if path.starts_with('-') {
        return Err(UrlError::Option);
    }
    if path.contains(char::is_whitespace) {
        return Err(UrlError::Space);
    }
    let path = utf8_percent_encode(path.strip_prefix('/').unwrap_or(path), MEANS_MORE_IN_A_URL);
    Ok((user, format!("{host}/{path}")))
}

/// Whether slashes were forgotten rather than a machine of this name meant.
fn is_scheme(host: &str) -> bool {
    Scheme::named(host).is_some() || ["file", "ftp", "ftps", "rsync"].iter().any(|name| host.eq_ignore_ascii_case(name))
}
