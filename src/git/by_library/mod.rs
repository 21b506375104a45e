//! A repository through libgit2, in this process.

mod apply;
mod packed;

use git2::{ErrorCode, Oid, Repository};

use super::GitError;
use super::face::{Face, Look};
use crate::mirror::refs::{ObjectId, RefChange, RefName, RefOutcome, Refs};

/// A repository that libgit2 has opened.
pub(super) struct ByLibrary {
    pub(super) handle: Repository,
}

impl ByLibrary {
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

impl Face for ByLibrary {
    fn head(&self) -> Result<Option<RefName>, GitError> {
        let head = self.handle.find_reference("HEAD").map_err(GitError::library("read HEAD"))?;
        Ok(head.symbolic_target().ok().flatten().map(RefName::new))
    }

    fn set_head(&self, branch: &RefName) -> Result<(), GitError> {
        self.handle.set_head(branch.as_str()).map_err(GitError::library("set HEAD"))
    }

    fn read_refs(&self, prefixes: &[&str]) -> Result<Refs, GitError> {
        let mut found = Refs::new();
        for reference in self.handle.references().map_err(GitError::library("read the refs"))? {
            let reference = reference.map_err(GitError::library("read the refs"))?;
            let (Ok(name), Some(target)) = (reference.name(), reference.target()) else { continue };
            if prefixes.iter().any(|prefix| name.starts_with(prefix)) {
                found.insert(RefName::new(name), object_id(target)?);
            }
        }
        Ok(found)
    }

    fn has_no_refs(&self) -> Result<bool, GitError> {
        Ok(self.handle.references().map_err(GitError::library("read the refs"))?.next().is_none())
    }

    fn apply(&self, changes: &[RefChange], look: Look<'_>) -> Result<Vec<RefOutcome>, GitError> {
        if changes.len() > 1 && changes.iter().all(|change| change.old.is_none()) && self.has_no_refs()? {
            return self.pack_first_refs(changes, look);
        }
        self.swap_each(changes, look)
    }

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

/// Ours to libgit2's; SHA-256 repositories are not libgit2's to serve.
pub(super) fn oid(id: ObjectId) -> Result<Oid, GitError> {
    Oid::from_bytes(id.as_bytes()).map_err(GitError::library("read an object id"))
}

/// Libgit2's to ours.
pub(super) fn object_id(oid: Oid) -> Result<ObjectId, GitError> {
    Ok(ObjectId::from_bytes(oid.as_bytes())?)
}
