//! Moving refs: one compare-and-swap each, so that a loser costs only itself.

use git2::{ErrorCode, Oid};

use super::{ByLibrary, oid};
use crate::git::GitError;
use crate::git::face::{
    Look, check_kind, check_name, conflict_text, deletions_first, locked_text, meanwhile, outcomes, parents,
};
use crate::mirror::refs::{ObjectId, RefChange, RefName, RefOutcome};

/// For reflogs, in repositories that keep them.
const REFLOG_MESSAGE: &str = "mirror";

impl ByLibrary {
    /// One by one, each by compare-and-swap.
    pub(super) fn swap_each(&self, changes: &[RefChange], look: Look<'_>) -> Result<Vec<RefOutcome>, GitError> {
        let mut results = vec![Ok(()); changes.len()];
        let (deletions, others) = deletions_first(changes);
        for at in deletions.into_iter().chain(others) {
            look()?;
            results[at] = self.swap(&changes[at]);
        }
        Ok(outcomes(changes, results))
    }

    fn swap(&self, change: &RefChange) -> Result<(), String> {
        if let Some(new) = change.new {
            self.may_point(&change.name, new)?;
        }
        match (change.old, change.new) {
            (None, Some(new)) => self.create(change, plain(oid(new))?),
            (Some(old), Some(new)) => self.update(change, plain(oid(old))?, plain(oid(new))?),
            (Some(old), None) => self.delete(change, plain(oid(old))?),
            (None, None) => Ok(()),
        }
    }

    /// Whether git would let this ref have this value.
    pub(super) fn may_point(&self, name: &RefName, new: ObjectId) -> Result<(), String> {
        check_name(name)?;
        let odb = self.handle.odb().map_err(words)?;
        let found = odb.read_header(plain(oid(new))?).ok();
        check_kind(name, new, found.map(|(_, kind)| kind.str()))
    }

    fn create(&self, change: &RefChange, new: Oid) -> Result<(), String> {
        match self.handle.reference(change.name.as_str(), new, false, REFLOG_MESSAGE) {
            Ok(_) => Ok(()),
            Err(error) if error.code() == ErrorCode::Exists => Err(meanwhile("created")),
            Err(error) => Err(self.hierarchy_conflict(&change.name).unwrap_or_else(|| words(error))),
        }
    }

    fn update(&self, change: &RefChange, old: Oid, new: Oid) -> Result<(), String> {
        match self.handle.reference_matching(change.name.as_str(), new, true, old, REFLOG_MESSAGE) {
            Ok(_) => Ok(()),
            Err(error) => Err(moved(error)),
        }
    }

    fn delete(&self, change: &RefChange, old: Oid) -> Result<(), String> {
        let mut reference = self.handle.find_reference(change.name.as_str()).map_err(moved)?;
        if reference.target() != Some(old) {
            return Err(meanwhile("changed"));
        }
        reference.delete().map_err(moved)
    }

    /// `x` and `x/y` cannot both be; libgit2 has no error of its own for that.
    fn hierarchy_conflict(&self, name: &RefName) -> Option<String> {
        let above = parents(name.as_str()).any(|parent| self.handle.find_reference(parent).is_ok());
        let beneath = || {
            let found = self.handle.references_glob(&format!("{name}/*")).ok();
            found.is_some_and(|mut found| found.next().is_some())
        };
        (above || beneath()).then(|| conflict_text(name))
    }
}

fn moved(error: git2::Error) -> String {
    match error.code() {
        ErrorCode::Modified => meanwhile("changed"),
        ErrorCode::NotFound => meanwhile("deleted"),
        ErrorCode::Locked => locked_text(),
        _ => words(error),
    }
}

fn plain<T>(result: Result<T, GitError>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn words(error: git2::Error) -> String {
    error.message().to_owned()
}
