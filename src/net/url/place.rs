//! Host and port of an address.

use url::Host;

use super::UrlError;

/// Reads `host` or `host:port`. The host comes back as the network knows it: lower case, punycode, and every spelling
/// of an address (`127.1`, `0x7f.1`, full-width digits) as that address. All schemes go through here, since the `url`
/// crate does this only for the web's own.
pub(super) fn parse(text: &str) -> Result<(String, Option<u16>), UrlError> {
    let malformed = |reason: &str| UrlError::Malformed(reason.to_owned());
    let (host, port) = divide(text);
    let port = match port {
        None | Some("") => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|port| *port > 0).ok_or_else(|| malformed("invalid port number"))?)
        }
        Some(_) => return Err(malformed("invalid port number")),
    };
    Ok((host_name(host)?, port))
}

/// A host as the network knows it, IPv6 in brackets.
pub(in crate::net) fn host_name(text: &str) -> Result<String, UrlError> {
    let malformed = |reason: &str| UrlError::Malformed(reason.to_owned());
    if text.is_empty() {
        return Err(malformed("empty host"));
    }
    let host = Host::parse(text).map_err(|error| malformed(&error.to_string()))?.to_string();
    if host.starts_with('-') {
        return Err(UrlError::Option);
    }
    // The dot at the end says that nothing is to be appended to the name. Rules are about names without it.
    let name = host.strip_suffix('.').unwrap_or(&host);
    if name.len() > 253 || name.split('.').any(|label| label.is_empty() || label.len() > 63) {
        return Err(malformed("invalid host name"));
    }
    Ok(name.to_owned())
}

/// Whether this is a host with or without a port.
pub(super) fn is_one(text: &str) -> bool {
    parse(text).is_ok()
}

/// Whether nobody would take this for the beginning of a login: the host has a dot, or is an address.
pub(super) fn is_plain(text: &str) -> bool {
    let (host, _) = divide(text);
    host.contains(['.', '[']) || host == "localhost"
}

fn divide(text: &str) -> (&str, Option<&str>) {
    let after_address = text.rfind(']').map_or(0, |end| end + 1);
    match text[after_address..].find(':') {
        Some(colon) => (&text[..after_address + colon], Some(&text[after_address + colon + 1..])),
        None => (text, None),
    }
}
