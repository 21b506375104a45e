//! Whether everything behind some objects is there: libgit2's own checks let a commit without its tree pass.

use std::collections::{HashMap, HashSet};

use git2::{ErrorClass, ErrorCode, ObjectType, Odb, Oid, Repository};

use super::form;
use crate::net::{NetError, Session};

/// Why a history cannot be kept.
pub(super) enum Flaw {
    /// In words for the user.
    Objects(String),
    /// The run has to end.
    Ended(NetError),
}

/// Whether what came, together with what was there, makes a whole. What the repository itself holds is taken to be whole,
/// because nothing comes in but through this check or git's own.
pub(super) struct Connectivity<'a> {
    /// Sees old and new objects.
    all: &'a Repository,
    odb: &'a Odb<'a>,
    session: &'a Session,
    known: HashMap<Oid, ObjectType>,
}

impl<'a> Connectivity<'a> {
    pub(super) fn new(all: &'a Repository, odb: &'a Odb<'a>, session: &'a Session) -> Self {
        Self { all, odb, session, known: HashMap::new() }
    }

    /// Checks each object that `came`, and that what it names is there, whether anything leads to it or not: once it is
    /// kept, it is taken to be whole, and a later run may be told of a tip that does lead to it.
    pub(super) fn arrivals(&mut self, came: &Odb<'_>) -> Result<(), Flaw> {
        let mut ids = Vec::new();
        let mut note = |id: &Oid| {
            ids.push(*id);
            true
        };
        came.foreach(&mut note).map_err(flaw)?;
        for id in ids {
            self.session.check().map_err(Flaw::Ended)?;
            match self.kind_of(id)? {
                ObjectType::Commit => self.commit(id)?,
                ObjectType::Tree => self.tree(id)?,
                ObjectType::Tag => self.tag(id)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks that `tips`, and every commit behind them that cannot be reached from `reached`, are there with their trees.
    pub(super) fn check(mut self, tips: &[Oid], reached: &HashSet<Oid>) -> Result<(), Flaw> {
        let mut walk = self.all.revwalk().map_err(flaw)?;
        let mut commits = false;
        for &tip in tips.iter().filter(|tip| !reached.contains(tip)) {
            let (id, kind) = self.peel(tip)?;
            if kind == ObjectType::Commit {
                commits = true;
                walk.push(id).map_err(flaw)?;
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
            self.link(tree, ObjectType::Tree)?;
        }
        Ok(())
    }

    /// What an annotated tag is about, in the end.
    fn peel(&mut self, tip: Oid) -> Result<(Oid, ObjectType), Flaw> {
        let mut id = tip;
        loop {
            let kind = self.kind_of(id)?;
            if kind != ObjectType::Tag {
                return Ok((id, kind));
            }
            id = self.all.find_tag(id).map_err(flaw)?.target_id();
        }
    }

    fn commit(&mut self, id: Oid) -> Result<(), Flaw> {
        let commit = self.all.find_commit(id).map_err(flaw)?;
        refused(form::flaw_of_commit(id, self.odb.read(id).map_err(flaw)?.data()))?;
        self.link(commit.tree_id(), ObjectType::Tree)?;
        commit.parent_ids().try_for_each(|parent| self.link(parent, ObjectType::Commit))
    }

    fn tag(&mut self, id: Oid) -> Result<(), Flaw> {
        let tag = self.all.find_tag(id).map_err(flaw)?;
        self.link(tag.target_id(), tag.target_type().unwrap_or(ObjectType::Any))
    }

    fn tree(&mut self, id: Oid) -> Result<(), Flaw> {
        let tree = self.all.find_tree(id).map_err(flaw)?;
        refused(form::flaw_of_tree(&tree))?;
        tree.iter().try_for_each(|entry| match entry.kind() {
            // A submodule's commit lies in another repository.
            Some(ObjectType::Commit) => Ok(()),
            Some(ObjectType::Tree) => self.link(entry.id(), ObjectType::Tree),
            _ => self.link(entry.id(), ObjectType::Blob),
        })
    }

    fn link(&mut self, id: Oid, wanted: ObjectType) -> Result<(), Flaw> {
        let found = self.kind_of(id)?;
        let wrong = || Flaw::Objects(format!("object {id} is a {found} where a {wanted} is needed"));
        if found == wanted { Ok(()) } else { Err(wrong()) }
    }

    fn kind_of(&mut self, id: Oid) -> Result<ObjectType, Flaw> {
        if let Some(kind) = self.known.get(&id) {
            return Ok(*kind);
        }
        let (_, kind) = self.odb.read_header(id).map_err(|_| missing(id))?;
        self.known.insert(id, kind);
        Ok(kind)
    }
}

fn refused(flaw: Option<String>) -> Result<(), Flaw> {
    flaw.map_or(Ok(()), |flaw| Err(Flaw::Objects(flaw)))
}

fn missing(id: Oid) -> Flaw {
    Flaw::Objects(format!("incomplete history: object {id} is missing"))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn flaw(error: git2::Error) -> Flaw {
    match (error.code(), error.class()) {
        (ErrorCode::NotFound, ErrorClass::Odb) => Flaw::Objects(format!("incomplete history: {}", error.message())),
        _ => Flaw::Objects(error.message().to_owned()),
    }
}
