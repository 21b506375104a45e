//! How big the last download into a repository was.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{GitError, Repository};

/// A small record in our folder of the repository. There is none as long as downloads are small, which is the rule.
pub(super) struct LastDownload {
    path: PathBuf,
}

#[derive(Default, Serialize, Deserialize)]
struct Record {
    objects: u64,
}

impl LastDownload {
    pub(super) fn new(repository: &Repository) -> Result<Self, GitError> {
        Ok(Self { path: repository.own_folder()?.join("last-download.json") })
    }

    /// Objects that came last; 0 if they were few, or nobody knows.
    pub(super) fn objects(&self) -> u64 {
        let text = fs::read(&self.path).unwrap_or_default();
        serde_json::from_slice::<Record>(&text).unwrap_or_default().objects
    }

    /// Remembers `objects` if they are more than `most`, and otherwise that they were few.
    pub(super) fn remember(&self, objects: u64, most: u64) -> Result<(), GitError> {
        let write = || -> std::io::Result<()> {
            if objects <= most {
                return match fs::remove_file(&self.path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                };
            }
            let folder = self.path.parent().ok_or(std::io::ErrorKind::NotFound)?;
            let mut file = NamedTempFile::with_prefix_in("record-", folder)?;
            file.write_all(&serde_json::to_vec(&Record { objects })?)?;
            file.persist(&self.path)?;
            Ok(())
        };
        write().map_err(GitError::io("write down how big the download was"))
    }
}
