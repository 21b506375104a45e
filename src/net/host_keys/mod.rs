//! The host keys that are trusted, as lines of OpenSSH's `known_hosts`.

mod certificate;
mod fingerprint;
mod names;
mod trusted;

use russh::keys::ssh_key::known_hosts::{Entry, Marker};

pub use fingerprint::Fingerprint;
use names::Names;
pub use trusted::{Trusted, Verdict};

/// A longer line holds no key.
const LONGEST_LINE: usize = 16 * 1024;

/// A parsed `known_hosts` text.
#[derive(Debug, Clone, Default)]
pub struct KnownHosts(Vec<Entry>);

/// A line that is not one of `known_hosts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {0} is not a line of a known_hosts file (host names, key type, key)")]
pub struct BadLine(pub usize);

impl KnownHosts {
    /// Takes what it understands; other lines trust nothing.
    pub fn parse(text: &str) -> Self {
        Self(lines(text).filter_map(|(_, line)| entry(line)).collect())
    }

    /// Takes all of it or nothing: for what somebody wants to store.
    ///
    /// # Errors
    /// [`BadLine`], counted from 1.
    pub fn parse_strictly(text: &str) -> Result<Self, BadLine> {
        lines(text).map(|(number, line)| entry(line).ok_or(BadLine(number))).collect::<Result<_, _>>().map(Self)
    }

    /// What is stored for one host. A line without a port stands for every port of its host that has no lines of its
    /// own.
    pub fn of(&self, host: &str, port: u16) -> Trusted {
        let names = Names::of(host, port);
        let exact: Vec<&Entry> = self.0.iter().filter(|entry| names.exactly(entry.host_patterns())).collect();
        let found = if exact.is_empty() {
            self.0.iter().filter(|entry| names.without_port(entry.host_patterns())).collect()
        } else {
            exact
        };
        let mut trusted = Trusted::nothing(names.host());
        for entry in found {
            let key = entry.public_key().clone();
            match entry.marker() {
                None => trusted.add_key(key),
                Some(Marker::CertAuthority) => trusted.add_authority(key),
                Some(Marker::Revoked) => {}
            }
        }
        // Whichever name it is revoked under.
        for entry in self.0.iter().filter(|entry| entry.marker() == Some(&Marker::Revoked)) {
            if names.exactly(entry.host_patterns()) || names.without_port(entry.host_patterns()) {
                trusted.revoke(entry.public_key().clone());
            }
        }
        trusted
    }

    /// Every line's key, in their order.
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        self.0.iter().map(|entry| Fingerprint::of(entry.public_key())).collect()
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The lines that mean something, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// The library wants single blanks between the fields.
fn entry(line: &str) -> Option<Entry> {
    if line.len() > LONGEST_LINE {
        return None;
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ").parse().ok()
}

/// A line of `known_hosts` for a key that a server has.
pub fn line(host: &str, port: u16, key: &russh::keys::PublicKey) -> Option<String> {
    let key = russh::keys::PublicKey::new(key.key_data().clone(), "").to_openssh().ok()?;
    Some(format!("{} {}", Names::of(host, port).written(), key.trim()))
}
