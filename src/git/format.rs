//! Which of git's formats a repository has, read and changed in its configuration.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::GitError;

const OBJECT_FORMAT: &str = "extensions.objectformat";

/// Whether the repository at `path` says that its object ids are SHA-256.
pub(super) fn is_sha256(path: &Path) -> Result<bool, GitError> {
    let config = git2::Config::open(&path.join("config")).map_err(GitError::library("read the configuration"))?;
    Ok(config.get_string(OBJECT_FORMAT).is_ok_and(|format| format.eq_ignore_ascii_case("sha256")))
}

/// Whether the repository at `path` uses extensions of git's format, of which libgit2 knows but a few.
pub(super) fn is_beyond_libgit2(path: &Path) -> Result<bool, GitError> {
    let problem = || GitError::library("read the configuration");
    let config = git2::Config::open(&path.join("config")).map_err(problem())?;
    let mut extensions = config.entries(Some("^extensions\\.")).map_err(problem())?;
    Ok(extensions.next().is_some())
}

/// Whether an object of any kind lies in the repository at `path`.
pub(super) fn has_objects(path: &Path) -> Result<bool, GitError> {
    let look = || -> io::Result<bool> {
        for folder in fs::read_dir(path.join("objects"))? {
            let folder = folder?;
            if folder.file_type()?.is_dir()
                && folder.file_name() != "info"
                && fs::read_dir(folder.path())?.next().is_some()
            {
                return Ok(true);
            }
        }
        Ok(false)
    };
    look().map_err(GitError::io("look for objects"))
}

/// Makes the repository at `path`, which must be empty, one with SHA-256 ids or one without. Both settings come at once,
/// since one of them alone means something else.
pub(super) fn become_format(path: &Path, sha256: bool) -> Result<(), GitError> {
    let (config, lock) = (path.join("config"), path.join("config.lock"));
    let write = || -> io::Result<()> {
        // As git does it: whoever makes this file may change the configuration.
        io::copy(&mut File::open(&config)?, &mut File::create_new(&lock)?)?;
        Ok(())
    };
    write().map_err(GitError::io("change the configuration"))?;
    let changed = settle(&lock, sha256).and_then(|()| {
        let sync = || File::open(&lock)?.sync_all();
        sync().and_then(|()| fs::rename(&lock, &config)).map_err(GitError::io("change the configuration"))
    });
    if changed.is_err() {
        let _ = fs::remove_file(&lock);
    }
    changed
}

fn settle(file: &Path, sha256: bool) -> Result<(), GitError> {
    let problem = || GitError::library("change the configuration");
    let mut config = git2::Config::open(file).map_err(problem())?;
    config.set_i32("core.repositoryformatversion", 1).map_err(problem())?;
    if sha256 {
        return config.set_str(OBJECT_FORMAT, "sha256").map_err(problem());
    }
    config.remove(OBJECT_FORMAT).map_err(problem())
}
