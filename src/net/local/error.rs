//! Everything that can go wrong with a folder of this machine, in words for the mirror's owner. `docs/messages.md` lists
//! them. None says whether something is there where a mirror must not look.

use crate::net::RemoteText;

/// Why a `file://` address could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocalError {
    /// There are no roots.
    #[error(
        "No file:// address is allowed here: the configuration names no folders for them (mirror.network.file_roots)."
    )]
    NotAllowed,
    /// Outside of the roots, or nowhere.
    #[error("The folder {path} is not there, or lies in none of those that mirror.network.file_roots names.")]
    Elsewhere {
        /// As the address has it.
        path: String,
    },
    /// In `mirror.repositories`.
    #[error(
        "The folder {path} belongs to sidemirror's own repositories (mirror.repositories), which no mirror may read or \
         write by a file:// address."
    )]
    Own {
        /// As the address has it.
        path: String,
    },
    /// What lies in it, such as hooks, would be run as us.
    #[error(
        "The folder {path} belongs to user {owner}, and sidemirror runs as user {user}: git serves only repositories of \
         its own user. Serve it over ssh:// or git://, or change its owner."
    )]
    OtherUser {
        /// As the address has it.
        path: String,
        /// Its owner's number.
        owner: u32,
        /// Our number.
        user: u32,
    },
    /// Not what a git server would serve.
    #[error("The folder {path} is no bare repository; name one, or the .git folder of one that is not bare.")]
    NotBare {
        /// As the address has it.
        path: String,
    },
    /// Nobody to serve it.
    #[error("A file:// address needs a git program, and there is none that can be used (mirror.git.program).")]
    NoProgram,
    /// The system did not do what it should.
    #[error("The folder {path} could not be served: {reason}.")]
    Failed {
        /// As the address has it.
        path: String,
        /// The system's words.
        reason: String,
    },
    /// The program ended with an error.
    #[error("In the folder {path}, {program} ended with {ending}.{remote}")]
    Program {
        /// As the address has it.
        path: String,
        /// The program.
        program: &'static str,
        /// A status or a signal.
        ending: String,
        /// Its last words.
        remote: RemoteText,
    },
}
