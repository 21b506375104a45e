//! The folder under which every repository lies.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use git2::{ErrorCode, RepositoryInitMode, RepositoryInitOptions};

use super::repository::Repository;
use super::{GitError, GitProgram, format, global};

/// Refs of our own, which the forge's clients need not see.
const HIDDEN: [&str; 2] = ["refs/sidemirror", "refs/remotes/upstream"];

/// Opens and makes bare repositories under one root, and nowhere else.
#[derive(Debug, Clone)]
pub struct Repositories {
    root: PathBuf,
    program: Option<GitProgram>,
}

impl Repositories {
    /// Takes `root`, which must exist.
    ///
    /// # Errors
    /// [`GitError`] if it cannot be found, or libgit2 cannot be set up.
    pub fn new(root: &Path) -> Result<Self, GitError> {
        global::prepare()?;
        let root = root.canonicalize().map_err(GitError::io("find the repositories folder"))?;
        Ok(Self { root, program: None })
    }

    /// With the `git` program for the repositories that libgit2 cannot open, and for what it does better.
    #[must_use]
    pub fn with_program(self, program: Option<GitProgram>) -> Self {
        Self { program, ..self }
    }

    /// Opens the repository `name` (`group/project.git`, as it is stored; GitLab leaves `.git` away).
    ///
    /// # Errors
    /// [`GitError::BadPath`], [`GitError::NotARepository`], [`GitError::NotOurs`]. A repository that only the program
    /// could serve opens without it, too; what is done with it then fails with [`GitError::NoProgram`].
    pub fn open(&self, name: &str) -> Result<Repository, GitError> {
        let path = self.locate(name)?;
        let handle = match git2::Repository::open_bare(&path) {
            Ok(handle) => Some(handle),
            Err(error) if error.code() == ErrorCode::NotFound => {
                return Err(GitError::NotARepository { name: name.to_owned() });
            }
            Err(error) if error.code() == ErrorCode::Owner => return Err(GitError::NotOurs { name: name.to_owned() }),
            Err(error) if !format::is_beyond_libgit2(&path)? => {
                return Err(GitError::library("open the repository")(error));
            }
            Err(_) if !is_ours(&path)? => return Err(GitError::NotOurs { name: name.to_owned() }),
            Err(_) => None,
        };
        Repository::new(name.to_owned(), path, handle, self.program.clone())
    }

    /// Opens the repository `name`, or makes it: bare and empty, with our own refs hidden from its clients.
    ///
    /// # Errors
    /// As for [`Repositories::open`].
    pub fn open_or_create(&self, name: &str) -> Result<Repository, GitError> {
        match self.open(name) {
            Err(GitError::NotARepository { .. }) => self.create(name),
            opened => opened,
        }
    }

    /// The same for one that only shall look at a far side, in the place of `like`: with its object ids, if it is there.
    ///
    /// # Errors
    /// As for [`Repositories::open`].
    pub fn stand_in(&self, name: &str, like: Option<&Repository>) -> Result<Repository, GitError> {
        let repository = self.open_or_create(name)?;
        if like.is_some_and(Repository::is_sha256) && !repository.is_sha256() {
            repository.become_format(true)?;
        }
        Ok(repository)
    }

    /// Makes a repository beside its place and moves it there when it is as it should be: one that is there is whole.
    fn create(&self, name: &str) -> Result<Repository, GitError> {
        let path = self.locate(name)?;
        let group = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(group).map_err(GitError::io("make the repository's folder"))?;
        // As for every folder, the umask says who else may look into it.
        let folder = fs::Permissions::from_mode(0o777);
        let fresh = tempfile::Builder::new().prefix(".new-").permissions(folder).tempdir_in(group);
        let fresh = fresh.map_err(GitError::io("make the repository's folder"))?;
        init(fresh.path())?;
        match fs::rename(fresh.path(), &path) {
            // It has become the repository.
            Ok(()) => drop(fresh.keep()),
            // Another run was faster.
            Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {}
            Err(error) => return Err(GitError::io("make the repository's folder")(error)),
        }
        self.open(name)
    }

    /// Whether a repository may have this name, wherever the root is.
    ///
    /// # Errors
    /// [`GitError::BadPath`] says why not.
    pub fn check_name(name: &str) -> Result<(), GitError> {
        let bad = |reason| Err(GitError::BadPath { name: name.to_owned(), reason });
        if name.is_empty() || name.contains('\0') {
            return bad("it is empty or holds a null byte");
        }
        if Path::new(name).components().any(|part| !matches!(part, Component::Normal(_))) {
            return bad("it must be relative to the repositories folder and must not contain . or .. as a part");
        }
        Ok(())
    }

    /// Where `name` lies: under the root, also after every symbolic link on the way.
    fn locate(&self, name: &str) -> Result<PathBuf, GitError> {
        Self::check_name(name)?;
        let bad = |reason| GitError::BadPath { name: name.to_owned(), reason };
        let exact = self.root.join(name);
        let with_suffix = self.root.join(format!("{}.git", name.trim_end_matches('/')));
        let path = if !exact.exists() && with_suffix.exists() { with_suffix } else { exact };
        if self.lies_inside(&path)? { Ok(path) } else { Err(bad("it leads out of the repositories folder")) }
    }

    /// Looks at the deepest part of `path` that exists, since the rest has no links to follow.
    fn lies_inside(&self, path: &Path) -> Result<bool, GitError> {
        for part in path.ancestors() {
            if fs::symlink_metadata(part).is_ok() {
                let real = match part.canonicalize() {
                    Ok(real) => real,
                    Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
                    Err(error) => return Err(GitError::io("find the repository")(error)),
                };
                return Ok(real.starts_with(&self.root));
            }
        }
        Ok(false)
    }
}

/// Git's own safety rule, for repositories that libgit2 gave up before it came to that.
fn is_ours(path: &Path) -> Result<bool, GitError> {
    let owner = fs::metadata(path).map_err(GitError::io("find the repository"))?.uid();
    Ok(owner == rustix::process::geteuid().as_raw())
}

/// Makes an empty bare repository that hides our own refs from its clients.
fn init(path: &Path) -> Result<(), GitError> {
    let mut options = RepositoryInitOptions::new();
    options.bare(true).no_reinit(true).external_template(false).mode(RepositoryInitMode::SHARED_UMASK);
    let handle = git2::Repository::init_opts(path, &options).map_err(GitError::library("create the repository"))?;
    let mut config = handle.config().map_err(GitError::library("configure the repository"))?;
    for hidden in HIDDEN {
        config
            .set_multivar("transfer.hideRefs", &format!("^{hidden}$"), hidden)
            .map_err(GitError::library("configure the repository"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_repository_is_bare_and_hides_our_refs() {
        let root = tempfile::tempdir().unwrap();
        let repositories = Repositories::new(root.path()).unwrap();
        assert!(matches!(repositories.open("g/p.git"), Err(GitError::NotARepository { .. })));
        drop(repositories.open_or_create("g/p.git").unwrap());
        let config = fs::read_to_string(root.path().join("g/p.git/config")).unwrap();
        assert!(config.contains("bare = true"), "{config}");
        assert_eq!(config.matches("hideRefs = ").count(), 2, "{config}");
        assert_eq!(repositories.open_or_create("g/p.git").unwrap().name(), "g/p.git");
    }

    #[test]
    fn a_name_without_git_finds_the_folder_with_it() {
        let root = tempfile::tempdir().unwrap();
        let repositories = Repositories::new(root.path()).unwrap();
        drop(repositories.open_or_create("g/p.git").unwrap());
        assert!(repositories.open("g/p").unwrap().path().ends_with("g/p.git"));
    }

    #[test]
    fn no_name_leads_out_of_the_root() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(outside.path(), root.path().join("link")).unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", root.path().join("dangling")).unwrap();
        let repositories = Repositories::new(root.path()).unwrap();
        for name in ["", "/etc", "..", "a/../../b", "./a", "link/p.git", "dangling", "dangling/p.git", "a\0b"] {
            let refused = repositories.open_or_create(name).err();
            assert!(matches!(refused, Some(GitError::BadPath { .. })), "{name:?}: {refused:?}");
        }
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
