//! Why a run failed, in words for the mirror's owner. They are stored with the mirror and shown by the forge;
//! `docs/messages.md` lists them.

use super::shortfall::Shortfall;
use crate::connections::RedisError;
use crate::git::GitError;
use crate::mirror::branches::BadBranchRegex;
use crate::net::UrlError;
use crate::store::StoreError;

/// Why a run ended without success.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The far side's address is not one.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// Git, the network or the repository.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A stored branch expression is not valid.
    #[error(transparent)]
    Branches(#[from] BadBranchRegex),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Redis did not answer.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// It came to its end, but not everything could be done.
    #[error("{0}")]
    Incomplete(Shortfall),
    /// Push: the repository to be sent is not there.
    #[error("The repository {0} does not exist, so there is nothing to push.")]
    NothingToPush(String),
    /// The run is no longer ours.
    #[error("Another run took this mirror over.")]
    Superseded,
    /// The process stops; the job is run again elsewhere.
    #[error("The run was interrupted by a stop of the worker.")]
    Interrupted,
    /// The code of a run panicked.
    #[error("The run broke down: {0}.")]
    Broken(String),
}

impl RunError {
    /// Whether the job, too, has failed, so that it is retried if its payload says so. A push that met diverged
    /// refs would meet them again, and a run that was taken over goes on elsewhere.
    pub const fn fails_the_job(&self) -> bool {
        match self {
            Self::Incomplete(shortfall) => !shortfall.is_divergence_alone(),
            Self::Superseded => false,
            _ => true,
        }
    }
}
