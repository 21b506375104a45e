//! Where received objects wait until they have been looked at.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use git2::{Odb, RepositoryInitOptions};
use tempfile::TempDir;

use crate::git::{GitError, Repository};

/// A temporary object database that sees the repository's objects and takes in the new ones. Dropped, it is gone.
pub(super) struct Quarantine {
    folder: TempDir,
    bare: git2::Repository,
}

impl Quarantine {
    pub(super) fn open(repository: &Repository) -> Result<Self, GitError> {
        let folder = tempfile::Builder::new().prefix("quarantine-").tempdir_in(repository.own_folder()?);
        let folder = folder.map_err(GitError::io("make a quarantine for new objects"))?;
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false);
        let bare = git2::Repository::init_opts(folder.path(), &options)
            .map_err(GitError::library("make a quarantine for new objects"))?;
        Ok(Self { folder, bare })
    }

    /// The object database, with `repository`'s objects behind it.
    pub(super) fn odb(&self, repository: &Repository) -> Result<Odb<'_>, GitError> {
        let problem = || GitError::library("make a quarantine for new objects");
        let odb = self.bare.odb().map_err(problem())?;
        let objects = repository.handle.commondir().join("objects");
        let objects = objects.to_str().ok_or_else(|| GitError::Corrupt("its path is not UTF-8".to_owned()))?;
        odb.add_disk_alternate(objects).map_err(problem())?;
        Ok(odb)
    }

    /// Bytes of what was received, as it lies on disk.
    pub(super) fn size(&self) -> Result<u64, GitError> {
        let look = || -> io::Result<u64> {
            let mut bytes = 0;
            for entry in fs::read_dir(self.folder.path().join("objects/pack"))? {
                bytes += entry?.metadata()?.len();
            }
            Ok(bytes)
        };
        look().map_err(GitError::io("look at the received objects"))
    }

    /// Moves what was received into `repository`. Packs go before their indexes: an index without its pack would be a
    /// promise that nobody keeps.
    pub(super) fn keep(self, repository: &Repository) -> Result<(), GitError> {
        let from = self.folder.path().join("objects/pack");
        let to = repository.handle.commondir().join("objects/pack");
        move_packs(&from, &to).map_err(GitError::io("keep the received objects"))
    }
}

fn move_packs(from: &Path, to: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(from)? {
        files.push(entry?.path());
    }
    files.retain(|file| file.extension().is_some_and(|kind| kind == "pack" || kind == "idx"));
    files.sort_by_key(|file| file.extension().is_some_and(|kind| kind == "idx"));
    if files.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for file in &files {
        File::open(file)?.sync_all()?;
    }
    for file in files {
        let name = file.file_name().ok_or(io::ErrorKind::NotFound)?;
        fs::rename(&file, to.join(name))?;
    }
    File::open(to)?.sync_all()
}
