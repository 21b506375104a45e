//! One bare repository.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, Oid};

use super::GitError;
use crate::mirror::refs::{Ancestry, ObjectId, RefName};

/// An open bare repository. It may wander between threads, but serves one at a time.
pub struct Repository {
    name: String,
    pub(super) handle: git2::Repository,
}

impl Repository {
    pub(super) fn new(name: String, handle: git2::Repository) -> Self {
        Self { name, handle }
    }

    /// The name it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.handle.path()
    }

    /// Our own folder inside it, for the lock, records and quarantines. Git does not look there.
    pub(super) fn own_folder(&self) -> Result<PathBuf, GitError> {
        let folder = self.path().join("sidemirror");
        fs::create_dir_all(&folder).map_err(GitError::io("create our folder in the repository"))?;
        Ok(folder)
    }

    /// How its objects are named: `sha1` or `sha256`.
    pub(super) fn object_format(&self) -> &'static str {
        "sha1"
    }

    /// A second handle, with an object database of its own.
    pub(super) fn reopen(&self) -> Result<git2::Repository, GitError> {
        git2::Repository::open_bare(self.path()).map_err(GitError::library("open the repository"))
    }

    /// The branch that `HEAD` points at, whether it exists or not; `None` if `HEAD` is detached.
    ///
    /// # Errors
    /// [`GitError`] if it cannot be read.
    pub fn head(&self) -> Result<Option<RefName>, GitError> {
        let head = self.handle.find_reference("HEAD").map_err(GitError::library("read HEAD"))?;
        Ok(head.symbolic_target().ok().flatten().map(RefName::new))
    }

    /// Points `HEAD` at `branch` (a full name), which need not exist yet.
    ///
    /// # Errors
    /// [`GitError`] if it cannot be written.
    pub fn set_head(&self, branch: &RefName) -> Result<(), GitError> {
        if !git2::Reference::is_valid_name(branch.as_str()) || branch.as_branch().is_none() {
            return Err(GitError::BadName(branch.as_str().to_owned()));
        }
        self.handle.set_head(branch.as_str()).map_err(GitError::library("set HEAD"))
    }

    /// The commit that `id` is, or that it names as an annotated tag; `None` if it leads to no commit, or to one that
    /// is not here.
    fn commit_behind(&self, id: ObjectId) -> Result<Option<Oid>, GitError> {
        let peeled = self.handle.find_object(oid(id)?, None).and_then(|object| object.peel_to_commit());
        match peeled {
            Ok(commit) => Ok(Some(commit.id())),
            Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec | ErrorCode::Peel) => {
                Ok(None)
            }
            Err(error) => Err(GitError::library("read a commit")(error)),
        }
    }
}

impl Ancestry for Repository {
    type Error = GitError;

    fn is_ancestor(&self, ancestor: ObjectId, descendant: ObjectId) -> Result<bool, GitError> {
        let (Some(ancestor), Some(descendant)) = (self.commit_behind(ancestor)?, self.commit_behind(descendant)?)
        else {
            return Ok(false);
        };
        if ancestor == descendant {
            return Ok(true);
        }
        self.handle.graph_descendant_of(descendant, ancestor).map_err(GitError::library("compare histories"))
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Ours to libgit2's; SHA-256 repositories are not libgit2's to serve.
pub(super) fn oid(id: ObjectId) -> Result<Oid, GitError> {
    Oid::from_bytes(id.as_bytes()).map_err(GitError::library("read an object id"))
}

/// Libgit2's to ours.
pub(super) fn object_id(oid: Oid) -> Result<ObjectId, GitError> {
    Ok(ObjectId::from_bytes(oid.as_bytes())?)
}
