//! Where received objects wait until they have been looked at.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use git2::Odb;
use tempfile::TempDir;

use super::{GitError, Repository};

/// A temporary bare repository that takes in new objects and sees those of another one. Dropped, it is gone.
///
/// Made by hand, because it has to be of the other's object format, which libgit2 may not know.
pub(super) struct Quarantine {
    folder: TempDir,
}

impl Quarantine {
    pub(super) fn open(repository: &Repository) -> Result<Self, GitError> {
        let folder = tempfile::Builder::new().prefix("quarantine-").tempdir_in(repository.own_folder()?);
        let folder = folder.map_err(GitError::io("make a quarantine for new objects"))?;
        lay_out(folder.path(), repository).map_err(GitError::io("make a quarantine for new objects"))?;
        Ok(Self { folder })
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes these its refs: lines of an id and a name.
    pub(super) fn lend_refs(&self, refs: &str) -> Result<(), GitError> {
        fs::write(self.path().join("packed-refs"), refs).map_err(GitError::io("make a quarantine for new objects"))
    }

    /// For libgit2.
    pub(super) fn bare(&self) -> Result<git2::Repository, GitError> {
        git2::Repository::open_bare(self.path()).map_err(GitError::library("make a quarantine for new objects"))
    }

    /// The object database of `bare`, with `repository`'s objects behind it.
    pub(super) fn odb<'a>(bare: &'a git2::Repository, repository: &Repository) -> Result<Odb<'a>, GitError> {
        let problem = || GitError::library("make a quarantine for new objects");
        let odb = bare.odb().map_err(problem())?;
        let objects = objects_of(repository);
        let objects = objects.to_str().ok_or_else(|| GitError::Corrupt("its path is not UTF-8".to_owned()))?;
        odb.add_disk_alternate(objects).map_err(problem())?;
        Ok(odb)
    }

    /// What was received, alone, for libgit2.
    pub(super) fn arrivals(&self) -> Result<Odb<'static>, GitError> {
        let problem = || GitError::library("look into the quarantine");
        let odb = Odb::new().map_err(problem())?;
        let objects = self.path().join("objects");
        let objects = objects.to_str().ok_or_else(|| GitError::Corrupt("its path is not UTF-8".to_owned()))?;
        odb.add_disk_alternate(objects).map_err(problem())?;
        Ok(odb)
    }

    /// Bytes of what has been received so far.
    pub(super) fn size(&self) -> io::Result<u64> {
        let mut size = 0;
        for entry in fs::read_dir(self.path().join("objects/pack"))? {
            // Git renames and removes while we look.
            size += entry?.metadata().map_or(0, |file| file.len());
        }
        Ok(size)
    }

    /// Moves what was received into `repository`. Packs go before their indexes: an index without its pack would be a
    /// promise that nobody keeps.
    pub(super) fn keep(self, repository: &Repository) -> Result<(), GitError> {
        let from = self.path().join("objects/pack");
        let to = objects_of(repository).join("pack");
        move_packs(&from, &to).map_err(GitError::io("keep the received objects"))
    }
}

/// The folder of a repository's own objects.
pub(super) fn objects_of(repository: &Repository) -> PathBuf {
    repository.objects_folder()
}

/// What makes a folder a repository.
fn lay_out(folder: &Path, repository: &Repository) -> io::Result<()> {
    for name in ["objects/pack", "objects/info", "refs"] {
        fs::create_dir_all(folder.join(name))?;
    }
    fs::write(folder.join("HEAD"), "ref: refs/heads/main\n")?;
    let config = match repository.object_format() {
        "sha1" => "[core]\n\trepositoryformatversion = 0\n\tbare = true\n".to_owned(),
        other => {
            format!("[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectFormat = {other}\n")
        }
    };
    fs::write(folder.join("config"), config)
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
