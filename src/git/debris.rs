//! What runs that died left in a repository.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{GitError, Repository};

/// A lock file younger than this may belong to a git process at work: git holds one for moments, and the longest
/// packing of refs takes seconds.
const SURELY_LEFT_BEHIND: Duration = Duration::from_mins(1);

/// Git's files that nobody else may make while they are there. `packed-refs.new` is what is written under the lock.
const LOCKS: [&str; 6] =
    ["packed-refs.lock", "packed-refs.new", "HEAD.lock", "config.lock", "shallow.lock", "reftable/tables.list.lock"];

/// Removes what dead runs left, to be called by the holder of the repository's lock. `since` is when the first of them
/// began, in seconds of Unix time.
///
/// Quarantines and half-written records belong to nobody but a run, and all go. Git's own lock files ([`LOCKS`],
/// `refs/**.lock`) can be anybody's: only those go that appeared after the dead run began and are a minute old, so that
/// what the forge left before us stays for its own people to look at.
///
/// Answers whether nothing remains that could still turn out to be left behind.
pub(super) fn clear(repository: &Repository, since: u64) -> Result<bool, GitError> {
    let since = SystemTime::UNIX_EPOCH + Duration::from_secs(since);
    let sweep = || -> io::Result<bool> {
        for entry in fs::read_dir(repository.own_folder().map_err(io::Error::other)?)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_string_lossy().starts_with("quarantine-") {
                fs::remove_dir_all(entry.path())?;
            } else if name.to_string_lossy().starts_with("record-") {
                fs::remove_file(entry.path())?;
            }
        }
        let mut clean = true;
        for name in LOCKS {
            let path = repository.path().join(name);
            if let Ok(found) = fs::symlink_metadata(&path) {
                clean &= settle(&path, &found, since)?;
            }
        }
        Ok(clean & clear_beneath(&repository.path().join("refs"), since)?)
    };
    sweep().map_err(GitError::io("clear away what an earlier run left"))
}

fn clear_beneath(folder: &Path, since: SystemTime) -> io::Result<bool> {
    let mut clean = true;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            clean &= clear_beneath(&entry.path(), since)?;
        } else if entry.path().extension() == Some(OsStr::new("lock")) {
            clean &= settle(&entry.path(), &entry.metadata()?, since)?;
        }
    }
    Ok(clean)
}

/// Removes one lock file if it is surely left behind by a dead run; answers whether it needs no second look.
fn settle(path: &Path, found: &Metadata, since: SystemTime) -> io::Result<bool> {
    let made = found.modified()?;
    if made < since {
        return Ok(true);
    }
    if SystemTime::now().duration_since(made).is_ok_and(|age| age >= SURELY_LEFT_BEHIND) {
        fs::remove_file(path)?;
        return Ok(true);
    }
    Ok(false)
}
