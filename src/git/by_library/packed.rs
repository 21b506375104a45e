//! The first refs of a repository, in one file: 26 ms for 50,000, where one file each takes half a minute.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use git2::{ObjectType, Oid};

use super::{ByLibrary, oid};
use crate::git::GitError;
use crate::git::face::{Face as _, Look, conflict_text, outcomes, parents};
use crate::mirror::refs::{RefChange, RefOutcome};

/// What `git pack-refs` writes: sorted, and every annotated tag followed by what it points at.
const HEADER: &str = "# pack-refs with: peeled fully-peeled sorted \n";

impl ByLibrary {
    /// Creates all refs of `changes` in a repository that has none.
    pub(super) fn pack_first_refs(&self, changes: &[RefChange], look: Look<'_>) -> Result<Vec<RefOutcome>, GitError> {
        let path = self.handle.path().join("packed-refs");
        // Somebody else at the packed refs: then one by one, which needs no such lock.
        let Some(held) = PackedRefsLock::take(self.handle.path())? else { return self.swap_each(changes, look) };
        if !self.has_no_refs()? {
            drop(held);
            return self.swap_each(changes, look);
        }
        let (outcomes, accepted) = self.sort_out(changes);
        held.replace(&path, &self.text(&accepted)?)?;
        Ok(outcomes)
    }

    /// Who may come in; of two that exclude each other, the one that is first by name.
    fn sort_out(&self, changes: &[RefChange]) -> (Vec<RefOutcome>, BTreeMap<String, Oid>) {
        let mut by_name: Vec<usize> = (0..changes.len()).collect();
        by_name.sort_by_key(|&at| &changes[at].name);
        let mut results = vec![Ok(()); changes.len()];
        let mut accepted = BTreeMap::new();
        for at in by_name {
            let RefChange { name, new, .. } = &changes[at];
            let Some(new) = new else { continue };
            results[at] = self.may_point(name, *new).and_then(|()| {
                let new = oid(*new).map_err(|error| error.to_string())?;
                if parents(name.as_str()).any(|parent| accepted.contains_key(parent)) {
                    return Err(conflict_text(name));
                }
                accepted.insert(name.as_str().to_owned(), new);
                Ok(())
            });
        }
        (outcomes(changes, results), accepted)
    }

    fn text(&self, refs: &BTreeMap<String, Oid>) -> Result<String, GitError> {
        let mut text = HEADER.to_owned();
        let odb = self.handle.odb().map_err(GitError::library("read the objects"))?;
        let mut tags: HashSet<Oid> = HashSet::new();
        for (name, id) in refs {
            let _ = writeln!(text, "{id} {name}");
            let is_tag = |kind| kind == ObjectType::Tag;
            if tags.contains(id) || odb.read_header(*id).is_ok_and(|(_, kind)| is_tag(kind)) {
                tags.insert(*id);
                let peeled = self.handle.find_object(*id, None).and_then(|tag| tag.peel(ObjectType::Any));
                let _ = writeln!(text, "^{}", peeled.map_err(GitError::library("peel a tag"))?.id());
            }
        }
        Ok(text)
    }
}

/// `packed-refs.lock`, as git takes it: whoever creates it owns `packed-refs`.
struct PackedRefsLock<'a> {
    folder: &'a Path,
    file: File,
    /// Whether the lock file has become `packed-refs`; the next lock of that name is somebody else's.
    spent: bool,
}

impl<'a> PackedRefsLock<'a> {
    /// `None` if another process has it.
    fn take(folder: &'a Path) -> Result<Option<Self>, GitError> {
        match OpenOptions::new().write(true).create_new(true).open(folder.join("packed-refs.lock")) {
            Ok(file) => Ok(Some(Self { folder, file, spent: false })),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(GitError::io("lock packed-refs")(error)),
        }
    }

    /// Puts `text` in the place of `packed-refs`, so that it is either there whole or not at all.
    fn replace(mut self, path: &Path, text: &str) -> Result<(), GitError> {
        let write = |this: &mut Self| -> io::Result<()> {
            this.file.write_all(text.as_bytes())?;
            this.file.sync_all()?;
            fs::rename(this.folder.join("packed-refs.lock"), path)?;
            this.spent = true;
            File::open(this.folder)?.sync_all()
        };
        write(&mut self).map_err(GitError::io("write packed-refs"))
    }
}

impl Drop for PackedRefsLock<'_> {
    fn drop(&mut self) {
        if !self.spent {
            let _ = fs::remove_file(self.folder.join("packed-refs.lock"));
        }
    }
}
