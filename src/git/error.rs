//! What can go wrong with a repository, in words for the mirror's owner. `docs/messages.md` lists them.

use std::io;
use std::time::Duration;

use humantime::format_duration;

use super::Excess;
use super::choice::Reason;
use crate::mirror::refs::{BadObjectId, RefName};
use crate::net::NetError;

/// Why a git verb failed. No text holds a secret or a path of the machine.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The other machine, or the way to it.
    #[error(transparent)]
    Net(#[from] NetError),
    /// Another run has the repository.
    #[error("The repository is in use by {holder}; gave up after {}.", format_duration(*waited))]
    Locked {
        /// Who says to have it.
        holder: String,
        /// How long we waited.
        waited: Duration,
    },
    /// The name cannot be that of a repository under the root.
    #[error("The repository name {name:?} is not allowed: {reason}.")]
    BadPath {
        /// As it was given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nothing there, or something else.
    #[error("There is no git repository {name:?}.")]
    NotARepository {
        /// As it was given.
        name: String,
    },
    /// Owned by another user, so that git's own safety rule forbids to use it.
    #[error("The repository {name:?} belongs to another system user than the one sidemirror runs as.")]
    NotOurs {
        /// As it was given.
        name: String,
    },
    /// Something in the local repository that should be there is not.
    #[error("The repository is damaged: {0}.")]
    Corrupt(String),
    /// What was received cannot be kept.
    #[error("The remote sent unusable objects: {0}.")]
    BadObjects(String),
    /// What was received is not what git speaks.
    #[error("The remote's answer was not understood: {0}.")]
    Protocol(String),
    /// The push as a whole was turned down.
    #[error("The push failed: {reason}.{}", quoted(remote_text))]
    PushFailed {
        /// What went wrong.
        reason: String,
        /// What the far side's hooks said.
        remote_text: String,
    },
    /// More than a run may bring in.
    #[error("{0}.")]
    Limit(Excess),
    /// Only the `git` program could do it, and there is none.
    #[error("The git program is needed ({}), and this machine has none that can be used.", needed(*.0))]
    NoProgram(Reason),
    /// Histories of two formats do not mix.
    #[error(
        "The remote has {theirs} object ids and the repository has {ours} ones; git cannot mirror one to the other."
    )]
    OtherFormat {
        /// The repository's.
        ours: &'static str,
        /// The far side's.
        theirs: &'static str,
    },
    /// A command of the program's in the local repository.
    #[error("Git could not do {command}: {complaint}.")]
    Program {
        /// Its name.
        command: String,
        /// What it said.
        complaint: String,
    },
    /// A name that git does not accept.
    #[error("Git does not accept the name {0:?}.")]
    BadName(String),
    /// A ref of our own that could not be written.
    #[error("Could not write {name}: {reason}.")]
    NotWritten {
        /// The ref.
        name: RefName,
        /// Why.
        reason: String,
    },
    /// The library, at the start.
    #[error("Git's library could not be set up: {0}.")]
    Setup(String),
    /// The file system.
    #[error("Could not {action}: {source}.")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The library.
    #[error("Could not {action}: {}.", source.message())]
    Library {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: git2::Error,
    },
}

impl GitError {
    /// For `map_err`: what was tried on the file system.
    pub(super) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, source }
    }

    /// For `map_err`: what was tried with the library.
    pub(super) fn library(action: &'static str) -> impl FnOnce(git2::Error) -> Self {
        move |source| Self::Library { action, source }
    }
}

/// Why the program would be needed, for the mirror's owner.
const fn needed(reason: Reason) -> &'static str {
    match reason {
        Reason::Format => "libgit2 does not know the format of this repository",
        Reason::NotUnderstood => "libgit2 does not know the object ids of the remote",
        Reason::Wanted => "the mirror or the configuration asks for it",
        _ => "libgit2 cannot do this",
    }
}

/// What the far side said, as a paragraph behind an error.
pub(crate) fn quoted(remote_text: &str) -> String {
    if remote_text.is_empty() { String::new() } else { format!("\n\nThe remote said:\n{remote_text}") }
}

impl From<Excess> for GitError {
    fn from(excess: Excess) -> Self {
        Self::Limit(excess)
    }
}

impl From<BadObjectId> for GitError {
    fn from(bad: BadObjectId) -> Self {
        Self::Protocol(bad.to_string())
    }
}
