//! How much a push would send, counted no further than matters.

use std::collections::HashSet;

use git2::{ObjectType, Oid, Repository, Tree};

use super::by_library::oid;
use crate::mirror::refs::{RefChange, Refs};
use crate::net::Session;

/// libgit2 builds a pack in one go that nothing can break off, and never reuses a delta: so much takes it well under a
/// second.
const MOST_OBJECTS: u64 = 1000;
const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// Whether `changes` need few objects that `far` does not have, none of them large. `false` also when that cannot be
/// found out, or the run has to end.
pub(super) fn is_light(
    repository: &Repository,
    session: &Session,
    far: &Refs,
    changes: &[RefChange],
    most: u64,
) -> bool {
    let mut scales = Scales { repository, most: most.min(MOST_OBJECTS), objects: 0, bytes: 0, seen: HashSet::new() };
    matches!(scales.weigh(session, far, changes), Ok(true))
}

struct Scales<'a> {
    repository: &'a Repository,
    most: u64,
    objects: u64,
    bytes: u64,
    seen: HashSet<Oid>,
}

impl Scales<'_> {
    fn weigh(&mut self, session: &Session, far: &Refs, changes: &[RefChange]) -> Result<bool, git2::Error> {
        let mut walk = self.repository.revwalk()?;
        for id in far.values().filter_map(|id| oid(*id).ok()) {
            // What the far side has and we have not, spares nothing.
            if let Ok(commit) = self.repository.find_object(id, None).and_then(|object| object.peel_to_commit()) {
                walk.hide(commit.id())?;
            }
        }
        for id in changes.iter().filter_map(|change| oid(change.new?).ok()) {
            let object = self.repository.find_object(id, None)?;
            if object.kind() == Some(ObjectType::Tag) {
                self.objects += 1;
            }
            match object.peel_to_commit() {
                Ok(commit) => walk.push(commit.id())?,
                // A tag of a tree or a blob: rare, and not worth a count.
                Err(_) => return Ok(false),
            }
        }
        for id in walk {
            if session.check().is_err() || !self.has_room() {
                return Ok(false);
            }
            let commit = self.repository.find_commit(id?)?;
            let before = commit.parents().next().map(|parent| parent.tree()).transpose()?;
            self.objects += 1;
            self.tree(&commit.tree()?, before.as_ref())?;
        }
        Ok(self.has_room())
    }

    /// Counts what is in `tree` and was not in `before`.
    fn tree(&mut self, tree: &Tree<'_>, before: Option<&Tree<'_>>) -> Result<(), git2::Error> {
        if before.is_some_and(|before| before.id() == tree.id()) || !self.seen.insert(tree.id()) {
            return Ok(());
        }
        self.objects += 1;
        for entry in tree {
            let was = before.and_then(|before| before.get_name_bytes(entry.name_bytes()));
            if !self.has_room() || was.as_ref().is_some_and(|was| was.id() == entry.id()) {
                continue;
            }
            match entry.kind() {
                Some(ObjectType::Tree) => {
                    let was = was.and_then(|was| self.repository.find_tree(was.id()).ok());
                    self.tree(&self.repository.find_tree(entry.id())?, was.as_ref())?;
                }
                Some(ObjectType::Blob) if self.seen.insert(entry.id()) => {
                    self.objects += 1;
                    self.bytes += self.repository.odb()?.read_header(entry.id())?.0 as u64;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.objects <= self.most && self.bytes <= MOST_BYTES
    }
}
