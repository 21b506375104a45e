//! Why a run failed, in words for the mirror's owner. They are stored with the mirror and shown by the forge;
//! `docs/messages.md` lists them.

use std::ops::Not as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use humantime::format_duration;

use super::shortfall::Shortfall;
use crate::connections::RedisError;
use crate::git::GitError;
use crate::mirror::branches::BadBranchRegex;
use crate::mirror::hosts::HostRules;
use crate::net::{NetError, UrlError};
use crate::sidekiq::{Cancellations, JobFailure, NotDone};
use crate::store::StoreError;
use crate::store::redis::SealError;

/// What stands in `error_class` of a job whose run failed.
const FAILED: &str = "Sidemirror::UpdateError";

/// For how long a job is put off that cannot be done now.
const LATER: Duration = Duration::from_secs(15);

/// Characters of a stored error; Sidekiq keeps as many.
const LONGEST: usize = 10_000;

/// Why a run ended without success.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The far side's address is not one.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// Git, the network or the repository.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Another process has held the repository for longer than any run may take.
    #[error(transparent)]
    LockedForLong(GitError),
    /// No worker that took the job had the key of the mirror's secrets, for longer than any run may take.
    #[error(transparent)]
    KeyMissingForLong(StoreError),
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
    /// The host is given up for a while, since no run got through to it.
    #[error(
        "The host {host} has not been serving anybody since {since}: {error} It is tried again in {}; until then, \
         runs are put off.", format_duration(*wait)
    )]
    HostDown {
        /// `host:port`.
        host: String,
        /// Since when.
        since: DateTime<Utc>,
        /// Its last failure.
        error: String,
        /// When one run may try.
        wait: Duration,
    },
    /// The host wants to be left alone for longer than a job waits in its queue.
    #[error("The host {host} is not asked for another {}: {reason}.", format_duration(*wait))]
    HostAway {
        /// `host:port`.
        host: String,
        /// Since when it asks for that.
        since: DateTime<Utc>,
        /// Why.
        reason: String,
        /// For how long.
        wait: Duration,
    },
    /// It is not this run's turn at its host.
    #[error("The host {host} has to wait for {}: {reason}.", format_duration(*wait))]
    HostBusy {
        /// `host:port`.
        host: String,
        /// Why.
        reason: String,
        /// For how long.
        wait: Duration,
    },
    /// Another job runs this mirror now.
    #[error("Another run is at this mirror.")]
    UnderWay,
    /// The run is no longer ours.
    #[error("Another run took this mirror over.")]
    Superseded,
    /// The process stops; the job is run again elsewhere.
    #[error("The run was interrupted by a stop of the worker.")]
    Interrupted,
    /// Somebody called the job off.
    #[error("{}", Cancellations::REASON)]
    CalledOff,
    /// The code of a run panicked.
    #[error("The run broke down: {0}.")]
    Broken(String),
}

impl RunError {
    /// For how long the run is put off, if the host is the reason and has not been for too long.
    pub fn put_off(&self) -> Option<Duration> {
        let (Self::HostDown { since, wait, .. } | Self::HostAway { since, wait, .. }) = self else { return None };
        (Utc::now() - since).to_std().is_ok_and(|time| time > HostRules::PATIENCE).not().then_some(*wait)
    }

    /// Whether this is nobody's failure and will pass: the mirror is not marked failed, and its job is run again.
    pub fn is_passing(&self) -> bool {
        let passes = matches!(
            self,
            Self::Interrupted
                | Self::Superseded
                | Self::UnderWay
                | Self::HostBusy { .. }
                | Self::Redis(_)
                | Self::Store(StoreError::Redis(_) | StoreError::Outdated(_))
                | Self::Git(GitError::Locked { .. })
        );
        passes || self.put_off().is_some() || self.wants_a_key()
    }

    /// Whether this worker has not got the key that the mirror's secrets were sealed with. Another one may.
    pub const fn wants_a_key(&self) -> bool {
        matches!(self, Self::Store(error) if is_about_a_key(error))
    }

    /// The same, where it has not passed for a long time.
    pub(super) fn after_long(self) -> Self {
        match self {
            Self::Git(error @ GitError::Locked { .. }) => Self::LockedForLong(error),
            Self::Store(error) if is_about_a_key(&error) => Self::KeyMissingForLong(error),
            other => other,
        }
    }

    /// Whether the job fails with the run, so that it is retried if its payload says so. A push that met diverged refs
    /// would meet them again.
    pub fn fails_the_job(&self) -> bool {
        !self.is_passing() && !matches!(self, Self::Incomplete(shortfall) if shortfall.is_divergence_alone())
    }

    /// Whether every further run would fail alike until somebody changes the mirror: its job is not retried.
    const fn is_for_good(&self) -> bool {
        matches!(self, Self::Url(_) | Self::Branches(_))
    }

    /// The key of the limit that was passed, if that is what went wrong.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            Self::Git(GitError::Limit(excess)) => Some(excess.kind.key()),
            Self::Git(GitError::Net(NetError::OverBudget { budget, .. })) => Some(budget.key()),
            Self::Git(GitError::Net(NetError::DeadlinePassed { .. })) => Some("run"),
            Self::Git(GitError::Net(NetError::Stalled { .. })) => Some("stall"),
            _ => None,
        }
    }

    /// What becomes of the job after this.
    pub(super) fn end_of_job(self) -> Result<(), NotDone> {
        match self {
            // Its own entry in the working list decides: if the job was rescued meanwhile, it runs elsewhere already.
            Self::Interrupted | Self::Superseded => Err(NotDone::Interrupted),
            Self::HostBusy { wait, .. } => {
                tracing::info!(reason = %self, "put off");
                Err(NotDone::Later(wait))
            }
            keyless if keyless.wants_a_key() => {
                tracing::error!(reason = %keyless, "put off: is this worker forgotten when keys are exchanged?");
                Err(NotDone::Later(LATER))
            }
            passing if passing.is_passing() => {
                let wait = passing.put_off().unwrap_or(LATER);
                tracing::info!(reason = %passing, "put off");
                Err(NotDone::Later(wait))
            }
            failure if failure.fails_the_job() => {
                let told = failure.told();
                let failed = JobFailure { message: told, ..JobFailure::from_error(FAILED, &failure) };
                Err(if failure.is_for_good() { NotDone::Kill(failed) } else { failed.into() })
            }
            _ => Ok(()),
        }
    }

    /// The error as it is stored and shown: of bounded length, and without characters that would steer a terminal.
    pub(super) fn told(&self) -> String {
        let text = self.to_string();
        text.chars().filter(|letter| *letter == '\n' || !letter.is_control()).take(LONGEST).collect()
    }
}

const fn is_about_a_key(error: &StoreError) -> bool {
    matches!(error, StoreError::Seal(SealError::OtherKey { .. } | SealError::NoKey(_)))
}
