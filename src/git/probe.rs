//! Whether a run has anything to do.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{Digest, GitError, Repository, Stamp};

/// What the last run saw that applied everything. It lies in the repository's own folder, so a repository that comes
/// back from a backup, or is made anew, is simply looked at again.
#[derive(Debug)]
pub struct Probe {
    path: PathBuf,
}

#[derive(Serialize, Deserialize, PartialEq, Eq)]
struct Record {
    far: Digest,
    rules: Digest,
    local: Digest,
}

impl Probe {
    /// The record called `name` (`pull`, or one name per push mirror) in `repository`.
    ///
    /// # Errors
    /// [`GitError`] if our folder cannot be made.
    pub fn new(repository: &Repository, name: &str) -> Result<Self, GitError> {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(GitError::BadName(name.to_owned()));
        }
        Ok(Self { path: repository.own_folder()?.join(format!("{name}.json")) })
    }

    /// Whether the last run applied everything, and since then neither the far side, nor the rules, nor the local
    /// refs have changed. `false` also when there is no record or it cannot be read.
    pub fn unchanged(&self, far: &Digest, rules: &Digest, local: &Stamp) -> bool {
        let Ok(text) = fs::read(&self.path) else { return false };
        let now = Record { far: far.clone(), rules: rules.clone(), local: local.look().clone() };
        serde_json::from_slice::<Record>(&text).is_ok_and(|last| last == now)
    }

    /// Writes down that a run with these found nothing left to apply. `local` must be the stamp from before that run
    /// read the refs; so a run that changed refs itself does not call this, but lets the next one find nothing to do.
    ///
    /// # Errors
    /// [`GitError`] if it cannot be written.
    pub fn remember(&self, far: &Digest, rules: &Digest, local: &Stamp) -> Result<(), GitError> {
        if !local.is_settled() {
            return self.forget();
        }
        let record = Record { far: far.clone(), rules: rules.clone(), local: local.look().clone() };
        let write = || -> std::io::Result<()> {
            let folder = self.path.parent().ok_or(std::io::ErrorKind::NotFound)?;
            let mut file = NamedTempFile::with_prefix_in("record-", folder)?;
            file.write_all(&serde_json::to_vec(&record)?)?;
            file.persist(&self.path)?;
            Ok(())
        };
        write().map_err(GitError::io("write the record of the last run"))
    }

    /// Makes the next run look at everything.
    ///
    /// # Errors
    /// [`GitError`] if the record cannot be removed.
    pub fn forget(&self) -> Result<(), GitError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(GitError::io("remove the record of the last run")(error))
            }
            _ => Ok(()),
        }
    }
}
