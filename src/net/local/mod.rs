//! `file://`: repositories in folders of this machine. They are served as at the far side of a connection, by git's own
//! programs over a pair of sockets, so that all that holds for a far side holds for them.

mod conversation;
mod error;
mod place;

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub(super) use conversation::open;
pub use error::LocalError;

use super::Service;

/// Which folders of this machine mirrors may use.
#[derive(Debug, Clone, Default)]
pub struct LocalSettings {
    /// Those in these folders. Without any, none.
    pub roots: Vec<PathBuf>,
    /// But never those in this one: it holds the repositories of all mirrors, whoever may see them.
    pub own: Option<PathBuf>,
    /// Who serves them.
    pub server: Option<Arc<dyn LocalServer>>,
}

/// Who serves repositories of this machine.
pub trait LocalServer: fmt::Debug + Send + Sync {
    /// Serves the repository in `folder` over `line` until the program has ended, or `hang_up` says that it must. For a
    /// thread that has nothing else to do.
    ///
    /// # Errors
    /// The program could not be started, or not be looked after.
    fn serve(
        &self,
        service: Service,
        folder: &OwnedFd,
        line: UnixStream,
        hang_up: &CancellationToken,
    ) -> io::Result<LocalEnd>;
}

/// How a program ended that served a repository.
#[derive(Debug)]
pub struct LocalEnd {
    /// Its exit code or signal.
    pub status: ExitStatus,
    /// What it said on the side.
    pub words: Vec<u8>,
}
