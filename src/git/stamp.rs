//! Whether a repository's refs are as they were, told without reading them.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use super::{Digest, GitError, Repository};

/// File times move in steps of the kernel's tick (at most 10 ms). A change in the same step as the one before leaves
/// the same time, so what was changed this recently is not yet to be trusted.
const CLOCK_STEP: Duration = Duration::from_millis(20);

/// The look of `packed-refs`, `HEAD` and every folder under `refs/` at one moment, and of reftable's list of tables.
/// Every change of a ref changes one of them: git and libgit2 write a ref by renaming a lock file into its folder, and
/// reftable's list in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    look: Digest,
    settled: bool,
}

impl Stamp {
    /// Looks at `repository` now. To be taken before the refs are read: what changes after that shows at the next look.
    ///
    /// # Errors
    /// [`GitError`] if it cannot be looked at.
    pub fn take(repository: &Repository) -> Result<Self, GitError> {
        let mut looking = Looking { hash: Sha256::new(), newest: SystemTime::UNIX_EPOCH };
        let now = SystemTime::now();
        let mut look = || -> io::Result<()> {
            for name in ["packed-refs", "HEAD", "reftable/tables.list"] {
                looking.note(fs::metadata(repository.path().join(name)))?;
            }
            looking.descend(&repository.path().join("refs"))
        };
        look().map_err(GitError::io("look at the refs"))?;
        let settled = now.duration_since(looking.newest).is_ok_and(|age| age > CLOCK_STEP);
        Ok(Self { look: Digest::of_bytes(&looking.hash.finalize()), settled })
    }

    pub(super) fn look(&self) -> &Digest {
        &self.look
    }

    /// Whether nothing had changed so shortly before that a change right after would not show.
    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }
}

struct Looking {
    hash: Sha256,
    newest: SystemTime,
}

impl Looking {
    fn note(&mut self, found: io::Result<Metadata>) -> io::Result<()> {
        let found = match found {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.hash.update(b"none");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for number in [found.ino(), found.size(), found.mtime().cast_unsigned(), found.mtime_nsec().cast_unsigned()] {
            self.hash.update(number.to_le_bytes());
        }
        self.newest = self.newest.max(found.modified()?);
        Ok(())
    }

    fn descend(&mut self, folder: &Path) -> io::Result<()> {
        self.note(fs::metadata(folder))?;
        let mut folders = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
        folders.sort();
        for folder in folders {
            self.hash.update(folder.as_os_str().as_encoded_bytes());
            self.descend(&folder)?;
        }
        Ok(())
    }
}
