//! What the jobs work with, built once per process.

use std::sync::Arc;
use std::time::Duration;

use super::left_behind::LeftBehind;
use crate::connections::Redis;
use crate::coordination::capacity::Slots;
use crate::coordination::hosts::Hosts;
use crate::git::{Engines, Reason, Repositories};
use crate::mirror::engine::EngineName;
use crate::mirror::key::Direction;
use crate::mirror::limits::Limits;
use crate::net::Door;
use crate::store::MirrorStore;

/// What the jobs work with.
pub struct Environment {
    /// This process's name among all.
    pub identity: String,
    /// Where mirrors live.
    pub store: Arc<dyn MirrorStore>,
    /// Where runs are owned.
    pub redis: Redis,
    /// The slots of pull mirrors under way.
    pub slots: Slots,
    /// Where the forge's repositories are.
    pub repositories: Repositories,
    /// The way to the network.
    pub door: Door,
    /// What speaks git.
    pub engines: Engines,
    /// What a run may take, where its mirror does not say otherwise.
    pub limits: Limits,
    /// The far sides, shared with all nodes.
    pub hosts: Hosts,
    /// Threads of runs that were broken off.
    pub left_behind: LeftBehind,
    /// Told how runs end.
    pub observer: Arc<dyn RunObserver>,
}

/// Told how runs end.
pub trait RunObserver: Send + Sync {
    /// A run ended.
    fn run_ended(&self, report: &RunReport);

    /// A run passed the limit of this key.
    fn limit_exceeded(&self, key: &'static str);

    /// A run did not get to its host, for a reason out of a few.
    fn host_deferred(&self, reason: &'static str);
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunReport {
    /// Which way it went.
    pub direction: Direction,
    /// What it did.
    pub outcome: RunOutcome,
    /// Between the mirror's scheduling and the run's start, if it was scheduled.
    pub waiting: Option<Duration>,
    /// Between start and end.
    pub duration: Duration,
    /// With which engine, if it came to that.
    pub engine: Option<EngineName>,
    /// Why the `git` program did it, if it did and nobody had asked for it.
    pub handover: Option<Reason>,
}

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOutcome {
    /// It changed refs.
    Changed,
    /// There was nothing to change.
    Unchanged,
    /// It failed.
    Failed,
    /// It was broken off by a stop, and will be run again.
    Interrupted,
    /// Its host is given up or wants to be left alone: it is tried again later.
    PutOff,
    /// Another run took the mirror over.
    Superseded,
}

impl RunOutcome {
    /// The outcome as a metric's label and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::PutOff => "put_off",
            Self::Superseded => "superseded",
        }
    }
}
