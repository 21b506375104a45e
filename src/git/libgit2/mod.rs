//! The engine that works in this process. It is quick to start and frugal while little moves.

mod connectivity;
mod delta_costs;
mod download;
mod form;
mod guard;
mod lines;
mod listing;
mod pack_scan;
mod report_watch;
mod send;
mod stateful;
mod stopping;
mod subtransport;
mod text;

use git2::{Direction, Remote};

pub(super) use stateful::Stateful;
pub(super) use subtransport::Subtransport;

use super::{Engine, FarSide, GitError, Limits, Repository, Upstream, global};
use crate::net::{Scheme, Session};

/// libgit2 behind [`Engine`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Libgit2;

impl Engine for Libgit2 {
    fn name(&self) -> &'static str {
        "libgit2"
    }

    fn fetch(
        &self,
        repository: &Repository,
        session: &Session,
        limits: &Limits,
        story: &mut dyn FnMut(&mut dyn Upstream),
    ) -> Result<(), GitError> {
        global::prepare()?;
        // A handle of its own, because a download exchanges its object database for a while.
        let handle = repository.reopen()?;
        let mut remote = remote(&handle, session)?;
        let connection = connect(&mut remote, Direction::Fetch, session, limits)?;
        story(&mut download::Reading::new(repository, session, limits, &handle, connection)?);
        Ok(())
    }

    fn push(
        &self,
        repository: &Repository,
        session: &Session,
        limits: &Limits,
        story: &mut dyn FnMut(&mut dyn FarSide),
    ) -> Result<(), GitError> {
        global::prepare()?;
        let mut remote = remote(repository.library()?, session)?;
        let connection = connect(&mut remote, Direction::Push, session, limits)?;
        story(&mut send::Writing::new(session, connection)?);
        Ok(())
    }
}

type Connection<'repo, 'remote> = git2::RemoteConnection<'repo, 'remote, 'static>;

/// The address is for libgit2's eyes only: it chooses the transport by its scheme. Where bytes really go is the
/// session's to say.
fn remote<'repo>(handle: &'repo git2::Repository, session: &Session) -> Result<Remote<'repo>, GitError> {
    let scheme = match session.url().scheme() {
        Scheme::Http | Scheme::Https => global::REQUESTS,
        Scheme::Ssh | Scheme::Git | Scheme::File => global::CONNECTION,
    };
    let url = format!("{scheme}://far.invalid/");
    let remote = handle.remote_anonymous(&url).map_err(|error| explained(session, &error))?;
    if remote.url().ok() == Some(&url) && matches!(remote.pushurl(), Ok(None)) {
        return Ok(remote);
    }
    Err(GitError::Setup("the repository's configuration rewrites every address (url.*.insteadOf)".to_owned()))
}

fn connect<'repo, 'remote>(
    remote: &'remote mut Remote<'repo>,
    direction: Direction,
    session: &Session,
    limits: &Limits,
) -> Result<Connection<'repo, 'remote>, GitError> {
    let _scope = subtransport::Scope::enter(session, limits);
    remote.connect_auth(direction, None, None).map_err(|error| explained(session, &error))
}

/// The guard's or the session's own cause where there is one, since libgit2 keeps little of it.
fn explained(session: &Session, error: &git2::Error) -> GitError {
    match (guard::reason(), session.failure()) {
        (Some(GitError::Protocol(said)), _) => GitError::Protocol(session.mask(&said)),
        (Some(reason), _) => reason,
        (None, Some(failure)) => GitError::Net(failure),
        (None, None) => GitError::Protocol(session.mask(error.message().trim())),
    }
}
