//! Whether everything behind some objects is there: libgit2's own checks let a commit without its tree pass.

use std::collections::HashSet;

use git2::{ErrorClass, ErrorCode, ObjectType, Odb, OdbLookupFlags, Oid, Repository, Tree};

use crate::net::{NetError, Session};

/// Why a history cannot be kept.
pub(super) enum Flaw {
    /// In words for the user.
    Objects(String),
    /// The run has to end.
    Ended(NetError),
}

/// Walks from `tips` down to what `kept` (the repository's own objects) already has. What it has is taken to be whole,
/// because nothing comes in but through this check or git's own.
pub(super) struct Connectivity<'a> {
    /// Sees old and new objects.
    all: &'a Repository,
    odb: &'a Odb<'a>,
    kept: &'a Odb<'a>,
    session: &'a Session,
    seen: HashSet<Oid>,
}

impl<'a> Connectivity<'a> {
    pub(super) fn new(all: &'a Repository, odb: &'a Odb<'a>, kept: &'a Odb<'a>, session: &'a Session) -> Self {
        Self { all, odb, kept, session, seen: HashSet::new() }
    }

    /// Checks everything behind `tips` that cannot be reached from `reached`.
    pub(super) fn check(mut self, tips: &[Oid], reached: &HashSet<Oid>) -> Result<(), Flaw> {
        let mut walk = self.all.revwalk().map_err(flaw)?;
        let mut commits = false;
        for &tip in tips.iter().filter(|tip| !reached.contains(tip)) {
            let (id, kind) = self.peel(tip)?;
            match kind {
                ObjectType::Commit => {
                    commits = true;
                    walk.push(id).map_err(flaw)?;
                }
                ObjectType::Tree => self.tree(id)?,
                _ => {}
            }
        }
        if !commits {
            return Ok(());
        }
        for &id in reached {
            // A ref of the repository's that cannot be walked (a tag of a blob, or damage) only spares no work.
            if let Ok(commit) = self.all.find_object(id, None).and_then(|object| object.peel_to_commit()) {
                let _ = walk.hide(commit.id());
            }
        }
        for id in walk {
            self.session.check().map_err(Flaw::Ended)?;
            let id = id.map_err(flaw)?;
            let tree = self.all.find_commit(id).map_err(flaw)?.tree_id();
            self.tree(tree)?;
        }
        Ok(())
    }

    /// What an annotated tag is about, in the end.
    fn peel(&self, tip: Oid) -> Result<(Oid, ObjectType), Flaw> {
        let mut id = tip;
        loop {
            let (_, kind) = self.odb.read_header(id).map_err(|_| missing(id))?;
            if kind != ObjectType::Tag {
                return Ok((id, kind));
            }
            id = self.all.find_tag(id).map_err(flaw)?.target_id();
        }
    }

    /// Checks a tree and all beneath it.
    fn tree(&mut self, root: Oid) -> Result<(), Flaw> {
        let mut waiting = vec![root];
        while let Some(id) = waiting.pop() {
            if !self.seen.insert(id) || self.has(id) {
                continue;
            }
            self.session.check().map_err(Flaw::Ended)?;
            let tree = self.all.find_tree(id).map_err(flaw)?;
            self.entries(&tree, &mut waiting)?;
        }
        Ok(())
    }

    fn entries(&mut self, tree: &Tree<'_>, waiting: &mut Vec<Oid>) -> Result<(), Flaw> {
        for entry in tree {
            let name = entry.name_bytes();
            if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') || is_dot_git(name) {
                let shown = String::from_utf8_lossy(name);
                return Err(Flaw::Objects(format!("tree {} holds an entry named {shown:?}", tree.id())));
            }
            match entry.kind() {
                Some(ObjectType::Tree) => waiting.push(entry.id()),
                // A submodule's commit lies in another repository.
                Some(ObjectType::Commit) => {}
                _ if !self.seen.insert(entry.id()) || self.has(entry.id()) => {}
                _ => {
                    let found = self.odb.read_header(entry.id()).map_err(|_| missing(entry.id()))?;
                    if found.1 != ObjectType::Blob {
                        return Err(Flaw::Objects(format!("object {} is not a blob", entry.id())));
                    }
                }
            }
        }
        Ok(())
    }

    /// Without a second look at the folder of packs for each object that is new, which is most of them.
    fn has(&self, id: Oid) -> bool {
        self.kept.exists_ext(id, OdbLookupFlags::NO_REFRESH)
    }
}

fn is_dot_git(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b".git")
}

fn missing(id: Oid) -> Flaw {
    Flaw::Objects(format!("object {id} is missing"))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn flaw(error: git2::Error) -> Flaw {
    match (error.code(), error.class()) {
        (ErrorCode::NotFound, ErrorClass::Odb) => Flaw::Objects(format!("incomplete history: {}", error.message())),
        _ => Flaw::Objects(error.message().to_owned()),
    }
}
