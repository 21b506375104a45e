//! The engines, and the kinds of repositories, that every case is tried with.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sidemirror::git::{Engine, GitProgram, Libgit2};

/// The oldest git that has to do, and that servers and tests use.
pub(crate) const GIT: &str = "/usr/bin/git";

/// An engine under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Libgit2,
    Git,
}

impl Kind {
    pub(crate) fn engine(self) -> Arc<dyn Engine> {
        match self {
            Self::Libgit2 => Arc::new(Libgit2),
            Self::Git => Arc::new(program(GIT)),
        }
    }
}

/// The `git` program at `path`, started by the program under test.
pub(crate) fn program(path: impl AsRef<Path>) -> GitProgram {
    let found = GitProgram::find(path.as_ref()).unwrap();
    found
        .unwrap_or_else(|| panic!("{}", path.as_ref().display()))
        .started_by(Path::new(env!("CARGO_BIN_EXE_sidemirror")))
}

/// How a local repository is stored, which decides who serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// As ever: libgit2 serves it.
    Sha1,
    /// With SHA-256 ids: the program does.
    Sha256,
    /// With its refs in tables: the program does.
    Reftable,
}

impl Format {
    /// What `git init` is told.
    pub(crate) fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Sha1 => &[],
            Self::Sha256 => &["--object-format=sha256"],
            Self::Reftable => &["--ref-format=reftable"],
        }
    }

    /// A git that knows it.
    pub(crate) fn git(self) -> PathBuf {
        match self {
            Self::Sha1 | Self::Sha256 => GIT.into(),
            Self::Reftable => {
                let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
                let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
                let newer = cache.unwrap().join("sidemirror-tools/git/core/git");
                assert!(newer.exists(), "no git that knows reftable in {}: scripts/test provides it", newer.display());
                newer
            }
        }
    }
}

/// Makes of each function a test with each engine: `libgit2::…` and `git::…`.
macro_rules! with_both_engines {
    ($($test:ident),+ $(,)?) => {
        mod libgit2 {
            $(#[test]
            fn $test() {
                super::$test($crate::both::Kind::Libgit2);
            })+
        }
        mod git {
            $(#[test]
            fn $test() {
                super::$test($crate::both::Kind::Git);
            })+
        }
    };
}
pub(crate) use with_both_engines;

/// Makes of each function a test with each kind of local repository: `sha1::…`, `sha256::…` and `reftable::…`.
macro_rules! with_every_format {
    ($($test:ident),+ $(,)?) => {
        mod sha1 {
            $(#[test]
            fn $test() {
                super::$test($crate::both::Format::Sha1);
            })+
        }
        mod sha256 {
            $(#[test]
            fn $test() {
                super::$test($crate::both::Format::Sha256);
            })+
        }
        mod reftable {
            $(#[test]
            fn $test() {
                super::$test($crate::both::Format::Reftable);
            })+
        }
    };
}
pub(crate) use with_every_format;
