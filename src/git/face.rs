//! What a repository can do for a run, whoever reads and writes it.

use super::GitError;
use crate::mirror::refs::{ObjectId, RefChange, RefName, RefOutcome, Refs};

/// Whether long work may go on.
pub(super) type Look<'a> = &'a dyn Fn() -> Result<(), GitError>;

/// The refs and histories of one repository. libgit2 and the `git` program each have their way with them, and the
/// outcome is the same, to the word.
pub(super) trait Face {
    /// The branch that `HEAD` points at, whether it exists or not; `None` if `HEAD` is detached.
    fn head(&self) -> Result<Option<RefName>, GitError>;

    /// Points `HEAD` at a branch whose name git accepts.
    fn set_head(&self, branch: &RefName) -> Result<(), GitError>;

    /// Every ref whose name begins with one of `prefixes`, without symbolic refs and names that are not UTF-8.
    fn read_refs(&self, prefixes: &[&str]) -> Result<Refs, GitError>;

    /// Whether there is no ref at all, of whatever name.
    fn has_no_refs(&self) -> Result<bool, GitError>;

    /// Makes each change whose ref still is where the change says, deletions first. Asks `look` again and again, and ends
    /// where that does.
    fn apply(&self, changes: &[RefChange], look: Look<'_>) -> Result<Vec<RefOutcome>, GitError>;

    /// Whether `ancestor` is `descendant` or can be reached from it, as commits; `false` where one of them is none, or
    /// not here.
    fn is_ancestor(&self, ancestor: ObjectId, descendant: ObjectId) -> Result<bool, GitError>;
}

/// Deletions before all else, so that `x` can make room for `x/y`: the places of both in `changes`.
pub(super) fn deletions_first(changes: &[RefChange]) -> (Vec<usize>, Vec<usize>) {
    (0..changes.len()).partition(|&at| changes[at].new.is_none())
}

/// `changes`, each with what became of it.
pub(super) fn outcomes(changes: &[RefChange], results: Vec<Result<(), String>>) -> Vec<RefOutcome> {
    changes.iter().cloned().zip(results).map(|(change, result)| RefOutcome { change, result }).collect()
}

/// The names that would have to be folders for `name` to be a ref, below the namespace.
pub(super) fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at]).filter(|parent| parent.matches('/').count() >= 2)
}

/// File systems take names of 255 bytes, and git puts `.lock` behind each.
const LONGEST_PART: usize = 250;

/// Whether git accepts `name` for a ref.
pub(super) fn check_name(name: &RefName) -> Result<(), String> {
    let valid = name.as_str().starts_with("refs/") && git2::Reference::is_valid_name(name.as_str());
    match () {
        () if !valid => Err("git does not accept this name".to_owned()),
        () if name.as_str().split('/').any(|part| part.len() > LONGEST_PART) => {
            Err(format!("a part of its name is longer than {LONGEST_PART} bytes"))
        }
        () => Ok(()),
    }
}

/// Whether git lets a ref of this name point at the object `id`, which is a `kind`.
pub(super) fn check_kind(name: &RefName, id: ObjectId, kind: Option<&str>) -> Result<(), String> {
    match kind {
        None => Err(format!("object {id} is missing")),
        Some(kind) if name.as_branch().is_some() && kind != "commit" => {
            Err(format!("a branch must point at a commit, and {id} is a {kind}"))
        }
        Some(_) => Ok(()),
    }
}

/// GitLab's words for `x` beside `x/y`.
pub(super) fn conflict_text(name: &RefName) -> String {
    let (kind, of) = if name.as_tag().is_some() { ("Tag", "tag") } else { ("Branch", "branch") };
    format!("{kind} name conflicts with existing {of} hierarchy")
}

/// Why a change is not made whose ref is not where it should be.
pub(super) fn meanwhile(deed: &str) -> String {
    format!("it was {deed} by someone else meanwhile")
}

/// Why a change is not made whose ref another git process holds.
pub(super) fn locked_text() -> String {
    "it is locked by another git process".to_owned()
}
