//! Host keys as they are shown, in the words of GitLab's API.

use serde::Serialize;

use super::super::output;
use crate::net::host_keys::{Fingerprint, KnownHosts};

/// A key and the line that it stands on.
#[derive(Debug, Serialize)]
struct Listed {
    /// Of its line in `known_hosts`, from 0.
    index: usize,
    #[serde(flatten)]
    fingerprint: Fingerprint,
}

/// A `known_hosts` text and what is in it.
#[derive(Debug, Serialize)]
pub(super) struct View {
    known_hosts: String,
    fingerprints: Vec<Listed>,
}

impl View {
    pub(super) fn of(known_hosts: &str) -> Self {
        let lines = known_hosts.lines().enumerate();
        let listed = lines.flat_map(|(index, line)| {
            let found = KnownHosts::parse(line).fingerprints();
            found.into_iter().map(move |fingerprint| Listed { index, fingerprint })
        });
        Self { fingerprints: listed.collect(), known_hosts: known_hosts.to_owned() }
    }

    /// Lines of `known_hosts`, each below what `ssh-keygen -l` says about it.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return output::json(self);
        }
        for (index, line) in self.known_hosts.lines().enumerate() {
            for listed in self.fingerprints.iter().filter(|listed| listed.index == index) {
                let Fingerprint { bits, kind, sha256, md5 } = &listed.fingerprint;
                let kind = kind.to_uppercase();
                output::line(&format!("# {bits} {sha256} ({kind})\n# {bits} MD5:{md5} ({kind})"))?;
            }
            output::line(&line.chars().filter(|letter| !letter.is_control()).collect::<String>())?;
        }
        Ok(())
    }
}
