//! The public half of a key, as it is shown.

use serde::Serialize;

use super::super::output;
use crate::mirror::key::MirrorKey;
use crate::net::host_keys::Fingerprint;
use crate::net::ssh::SshKey;

/// A line for `authorized_keys`, and its fingerprints.
#[derive(Debug, Serialize)]
pub(super) struct View {
    public_key: String,
    #[serde(flatten)]
    fingerprint: Fingerprint,
}

impl View {
    pub(super) fn of(mirror: MirrorKey, key: &SshKey) -> anyhow::Result<Self> {
        let public_key = key.public_line(&format!("sidemirror-{}-{}", mirror.direction, mirror.id))?;
        Ok(Self { public_key, fingerprint: key.fingerprint() })
    }

    /// What is not the line itself is a comment where the line is put.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return output::json(self);
        }
        let Fingerprint { bits, kind, sha256, md5 } = &self.fingerprint;
        let kind = kind.to_uppercase();
        output::line(&format!("# {bits} {sha256} ({kind})\n# {bits} MD5:{md5} ({kind})\n{}", self.public_key))
    }
}
