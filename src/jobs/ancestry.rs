//! Ancestry within the limits of a run: history may be long, and a question about it asks nobody for permission.

use super::error::RunError;
use crate::git::{GitError, Repository};
use crate::mirror::refs::{Ancestry, ObjectId};
use crate::net::Session;

/// A repository that is only asked while the run is neither cancelled nor out of time.
pub(super) struct WhileAllowed<'a>(pub(super) &'a Repository, pub(super) &'a Session);

impl Ancestry for WhileAllowed<'_> {
    type Error = RunError;

    fn is_ancestor(&self, ancestor: ObjectId, descendant: ObjectId) -> Result<bool, RunError> {
        self.1.check().map_err(GitError::from)?;
        Ok(self.0.is_ancestor(ancestor, descendant)?)
    }
}
