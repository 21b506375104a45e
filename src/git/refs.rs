//! Reading refs.

use super::repository::object_id;
use super::{GitError, Repository};
use crate::mirror::refs::{RefName, Refs};

impl Repository {
    /// Every ref whose name begins with one of `prefixes`. Symbolic refs are left out, since they have no value of
    /// their own, and so are names that are not UTF-8.
    ///
    /// # Errors
    /// [`GitError`] if they cannot be read.
    pub fn read_refs(&self, prefixes: &[&str]) -> Result<Refs, GitError> {
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

    /// Whether there is no ref at all, of whatever name.
    pub(super) fn has_no_refs(&self) -> Result<bool, GitError> {
        Ok(self.handle.references().map_err(GitError::library("read the refs"))?.next().is_none())
    }
}
