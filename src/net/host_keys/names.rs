//! Whether a line of `known_hosts` is about a host.

use hmac::{Hmac, KeyInit, Mac};
use regex::RegexBuilder;
use russh::keys::ssh_key::known_hosts::HostPatterns;
use sha1::Sha1;

/// SSH's own port, which is not written.
const USUAL_PORT: u16 = 22;

/// How a host may be called in `known_hosts`.
pub(super) struct Names {
    host: String,
    /// `[host]:port`, or `host` where the port is the usual one.
    with_port: String,
}

impl Names {
    pub(super) fn of(host: &str, port: u16) -> Self {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_lowercase();
        let with_port = if port == USUAL_PORT { host.clone() } else { format!("[{host}]:{port}") };
        Self { host, with_port }
    }

    /// The host alone.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// As it is written on a line.
    pub(super) fn written(&self) -> &str {
        &self.with_port
    }

    /// Whether these patterns name host and port.
    pub(super) fn exactly(&self, patterns: &HostPatterns) -> bool {
        matches(patterns, &self.with_port)
    }

    /// Whether these patterns name the host alone.
    pub(super) fn without_port(&self, patterns: &HostPatterns) -> bool {
        matches(patterns, &self.host)
    }
}

fn matches(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::Patterns(patterns) => {
            let mut found = false;
            for pattern in patterns {
                match pattern.strip_prefix('!') {
                    // One that is excluded is so whatever else the line says.
                    Some(excluded) if fits(excluded, name) => return false,
                    Some(_) => {}
                    None => found |= fits(pattern, name),
                }
            }
            found
        }
        HostPatterns::HashedName { salt, hash } => {
            let Ok(digest) = Hmac::<Sha1>::new_from_slice(salt) else { return false };
            digest.chain_update(name.as_bytes()).verify_slice(hash).is_ok()
        }
    }
}

/// `*` stands for any letters, `?` for one; the case does not matter.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    if !pattern.contains(['*', '?']) {
        return pattern.eq_ignore_ascii_case(name);
    }
    let expression = regex::escape(pattern).replace(r"\*", ".*").replace(r"\?", ".");
    let built = RegexBuilder::new(&format!("^{expression}$")).case_insensitive(true).size_limit(1 << 20).build();
    built.is_ok_and(|expression| expression.is_match(name))
}
