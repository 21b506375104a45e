//! One bare repository.

use std::cell::Cell;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::by_library::ByLibrary;
use super::by_program::ByProgram;
use super::choice::Reason;
use super::face::{Face, Look};
use super::{GitError, GitProgram, format};
use crate::mirror::refs::{Ancestry, ObjectId, RefChange, RefName, RefOutcome, Refs};
use crate::net::Session;

/// Above so many refs at once the program is quicker, with one transaction instead of a file lock for each.
const MANY_REFS: usize = 200;

/// An open bare repository. It may wander between threads, but serves one at a time.
///
/// It has two faces. libgit2's costs nothing to use; that of the `git` program is there where that program is, and is
/// the only one of a repository that libgit2 does not know: with SHA-256 ids, with reftable, or with whatever comes.
pub struct Repository {
    name: String,
    path: PathBuf,
    library: Option<ByLibrary>,
    program: Option<ByProgram>,
    /// Whether its ids are SHA-256. A repository may become one while it is empty.
    sha256: Cell<bool>,
}

impl Repository {
    /// Takes the repository at `path`, as far as libgit2 could open it.
    pub(super) fn new(
        name: String,
        path: PathBuf,
        library: Option<git2::Repository>,
        program: Option<GitProgram>,
    ) -> Result<Self, GitError> {
        let sha256 = library.is_none() && format::is_sha256(&path)?;
        let program = program.map(|program| ByProgram::new(program, &path));
        let library = library.map(|handle| ByLibrary { handle });
        Ok(Self { name, path, library, program, sha256: Cell::new(sha256) })
    }

    /// The name it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its object ids are SHA-256.
    pub fn is_sha256(&self) -> bool {
        self.sha256.get()
    }

    /// Our own folder inside it, for the lock, records and quarantines. Git does not look there.
    pub(super) fn own_folder(&self) -> Result<PathBuf, GitError> {
        let folder = self.path().join("sidemirror");
        fs::create_dir_all(&folder).map_err(GitError::io("create our folder in the repository"))?;
        Ok(folder)
    }

    /// How its objects are named: `sha1` or `sha256`.
    pub(super) fn object_format(&self) -> &'static str {
        if self.is_sha256() { "sha256" } else { "sha1" }
    }

    /// The folder of its objects.
    pub(super) fn objects_folder(&self) -> PathBuf {
        self.library().map_or(self.path(), git2::Repository::commondir).join("objects")
    }

    /// libgit2's handle.
    ///
    /// # Errors
    /// [`GitError::NoProgram`] if libgit2 does not know repositories of this kind.
    pub(super) fn library(&self) -> Result<&git2::Repository, GitError> {
        let library = self.library.as_ref().filter(|_| !self.is_sha256());
        library.map(|library| &library.handle).ok_or(GitError::NoProgram(Reason::Format))
    }

    /// A second handle of libgit2's, with an object database of its own.
    pub(super) fn reopen(&self) -> Result<git2::Repository, GitError> {
        self.library()?;
        git2::Repository::open_bare(self.path()).map_err(GitError::library("open the repository"))
    }

    fn face(&self) -> Result<&dyn Face, GitError> {
        match (&self.library, &self.program) {
            (Some(library), _) if !self.is_sha256() => Ok(library),
            (_, Some(program)) => Ok(program),
            _ => Err(GitError::NoProgram(Reason::Format)),
        }
    }

    /// The branch that `HEAD` points at, whether it exists or not; `None` if `HEAD` is detached.
    ///
    /// # Errors
    /// [`GitError`] if it cannot be read.
    pub fn head(&self) -> Result<Option<RefName>, GitError> {
        self.face()?.head()
    }

    /// Points `HEAD` at `branch` (a full name), which need not exist yet.
    ///
    /// # Errors
    /// [`GitError`] if it cannot be written.
    pub fn set_head(&self, branch: &RefName) -> Result<(), GitError> {
        if !git2::Reference::is_valid_name(branch.as_str()) || branch.as_branch().is_none() {
            return Err(GitError::BadName(branch.as_str().to_owned()));
        }
        self.face()?.set_head(branch)
    }

    /// Every ref whose name begins with one of `prefixes`, each of which ends in `/`. Symbolic refs are left out, since
    /// they have no value of their own, and so are names that are not UTF-8.
    ///
    /// # Errors
    /// [`GitError`] if they cannot be read.
    pub fn read_refs(&self, prefixes: &[&str]) -> Result<Refs, GitError> {
        self.face()?.read_refs(prefixes)
    }

    /// Whether there is no ref at all, of whatever name.
    pub(super) fn has_no_refs(&self) -> Result<bool, GitError> {
        self.face()?.has_no_refs()
    }

    /// Makes each change whose ref still is where the change says, deletions first so that `x` can make room for
    /// `x/y`. The outcomes come in the order of `changes`.
    ///
    /// # Errors
    /// [`GitError`] when the repository could not be read or written at all.
    pub fn apply(&self, changes: &[RefChange]) -> Result<Vec<RefOutcome>, GitError> {
        self.apply_while(changes, &|| Ok(()))
    }

    /// The same for a run that has to end when `session` does: changes that a far side asks for.
    ///
    /// # Errors
    /// [`GitError`]; what was made until then stays.
    pub fn apply_within(&self, session: &Session, changes: &[RefChange]) -> Result<Vec<RefOutcome>, GitError> {
        self.apply_while(changes, &|| Ok(session.check()?))
    }

    fn apply_while(&self, changes: &[RefChange], look: Look<'_>) -> Result<Vec<RefOutcome>, GitError> {
        let face = self.face()?;
        match &self.program {
            // The first refs of a repository are written quickest as libgit2's face does it.
            Some(program) if changes.len() > MANY_REFS && !self.has_no_refs()? => {
                program.swap_all(changes, self.library().is_ok().then_some(face), look)
            }
            _ => face.apply(changes, look),
        }
    }

    /// Whether nothing was ever kept in it: no ref and no object.
    pub(super) fn is_fresh(&self) -> Result<bool, GitError> {
        Ok(self.has_no_refs()? && !format::has_objects(&self.path)?)
    }

    /// Makes an empty repository one with SHA-256 ids, which from then on only the program serves, or one without.
    pub(super) fn become_format(&self, sha256: bool) -> Result<(), GitError> {
        format::become_format(&self.path, sha256)?;
        self.sha256.set(sha256);
        Ok(())
    }
}

impl Ancestry for Repository {
    type Error = GitError;

    fn is_ancestor(&self, ancestor: ObjectId, descendant: ObjectId) -> Result<bool, GitError> {
        self.face()?.is_ancestor(ancestor, descendant)
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").field("name", &self.name).finish_non_exhaustive()
    }
}
