//! Moving refs: one compare-and-swap each, so that a loser costs only itself.

use git2::{ErrorCode, ObjectType, Oid};

use super::repository::oid;
use super::{GitError, Repository};
use crate::mirror::refs::{RefChange, RefName, RefOutcome};

/// For reflogs, in repositories that keep them.
const REFLOG_MESSAGE: &str = "mirror";

impl Repository {
    /// Makes each change whose ref still is where the change says, deletions first so that `x` can make room for
    /// `x/y`. The outcomes come in the order of `changes`.
    ///
    /// # Errors
    /// [`GitError`] when the repository could not be read or written at all.
    pub fn apply(&self, changes: &[RefChange]) -> Result<Vec<RefOutcome>, GitError> {
        if changes.len() > 1 && changes.iter().all(|change| change.old.is_none()) && self.has_no_refs()? {
            return self.pack_first_refs(changes);
        }
        Ok(self.swap_each(changes))
    }

    pub(super) fn swap_each(&self, changes: &[RefChange]) -> Vec<RefOutcome> {
        let mut results = vec![Ok(()); changes.len()];
        let (deletions, others): (Vec<_>, Vec<_>) = (0..changes.len()).partition(|&at| changes[at].new.is_none());
        for at in deletions.into_iter().chain(others) {
            results[at] = self.swap(&changes[at]);
        }
        changes.iter().cloned().zip(results).map(|(change, result)| RefOutcome { change, result }).collect()
    }

    fn swap(&self, change: &RefChange) -> Result<(), String> {
        if let Some(new) = change.new {
            self.may_point(&change.name, plain(oid(new))?)?;
        }
        match (change.old, change.new) {
            (None, Some(new)) => self.create(change, plain(oid(new))?),
            (Some(old), Some(new)) => self.update(change, plain(oid(old))?, plain(oid(new))?),
            (Some(old), None) => self.delete(change, plain(oid(old))?),
            (None, None) => Ok(()),
        }
    }

    /// Whether git would let this ref have this value.
    pub(super) fn may_point(&self, name: &RefName, new: Oid) -> Result<(), String> {
        if !name.as_str().starts_with("refs/") || !git2::Reference::is_valid_name(name.as_str()) {
            return Err("git does not accept this name".to_owned());
        }
        let odb = self.handle.odb().map_err(words)?;
        let (_, kind) = odb.read_header(new).map_err(|_| format!("object {new} is missing"))?;
        if name.as_branch().is_some() && kind != ObjectType::Commit {
            return Err(format!("a branch must point at a commit, and {new} is a {kind}"));
        }
        Ok(())
    }

    fn create(&self, change: &RefChange, new: Oid) -> Result<(), String> {
        match self.handle.reference(change.name.as_str(), new, false, REFLOG_MESSAGE) {
            Ok(_) => Ok(()),
            Err(error) if error.code() == ErrorCode::Exists => Err("it was created by someone else meanwhile".into()),
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
            return Err("it was changed by someone else meanwhile".to_owned());
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

/// The names that would have to be folders for `name` to be a ref, below the namespace.
pub(super) fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at]).filter(|parent| parent.matches('/').count() >= 2)
}

/// GitLab's words.
pub(super) fn conflict_text(name: &RefName) -> String {
    let (kind, of) = if name.as_tag().is_some() { ("Tag", "tag") } else { ("Branch", "branch") };
    format!("{kind} name conflicts with existing {of} hierarchy")
}

fn moved(error: git2::Error) -> String {
    match error.code() {
        ErrorCode::Modified => "it was changed by someone else meanwhile".to_owned(),
        ErrorCode::NotFound => "it was deleted by someone else meanwhile".to_owned(),
        ErrorCode::Locked => "it is locked by another git process".to_owned(),
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
