//! `RemoteMirror`: sends the forge's repository to its far side.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::abandon;
use super::ancestry::WhileAllowed;
use super::environment::Environment;
use super::error::RunError;
use super::run::{MARGIN, Run};
use super::shortfall::Shortfall;
use super::{mirror_id, subject, summary};
use crate::git::{self, GitError, PushMemory, Repository, Sent};
use crate::mirror::key::MirrorKey;
use crate::mirror::limits::Limit;
use crate::mirror::push_plan::{self, PushRules};
use crate::mirror::record::{OnDivergence, Rules};
use crate::mirror::refs::{Advertisement, RefName, RefOutcome, Refs};
use crate::mirror::state::RunSummary;
use crate::net::Session;
use crate::sidekiq::Perform;
use crate::sidekiq::{Job, NotDone};

/// The work behind `RemoteMirror` and its other names.
pub struct RemoteMirror(pub Arc<Environment>);

#[async_trait]
impl Perform for RemoteMirror {
    async fn perform(&self, job: &Job) -> Result<(), NotDone> {
        let key = MirrorKey::push(mirror_id(job)?);
        match Run::begin(&self.0, key, job).await? {
            Some(run) => run.perform(job, push).await,
            None => Ok(()),
        }
    }

    fn expected(&self, _job: &Job) -> Option<Duration> {
        Some(self.0.limits.time(Limit::Run) + MARGIN)
    }

    async fn abandoned(&self, job: &Job, reason: &str) {
        if let Ok(id) = mirror_id(job) {
            abandon::abandoned(&self.0, MirrorKey::push(id), job.jid(), reason).await;
        }
    }

    fn subject(&self, job: &Job) -> Option<String> {
        subject(job, MirrorKey::push)
    }
}

/// One push, from the list of the far refs to what became of each.
fn push(run: &Run, session: &Session) -> Result<RunSummary, RunError> {
    let settings = &run.mirror.settings;
    let repository = open(run)?;
    let _lock = run.lock(&repository)?;
    let memory = PushMemory::new(&repository, &run.mirror.id.to_string(), &settings.url)?;
    let default_branch = repository.head()?;
    let branches = settings.branches.matcher()?;
    let on_divergence = match settings.rules {
        Rules::Push { on_divergence } => on_divergence,
        Rules::Pull { .. } => OnDivergence::default(),
    };
    let rules = PushRules {
        branches: &branches,
        on_divergence,
        default_branch: default_branch.as_ref().and_then(RefName::as_branch),
    };

    // Whoever wants nothing to be sent beside a diverged ref, wants nothing half sent either.
    let atomic = on_divergence == OnDivergence::Fail;
    git::push(run.engine(), &repository, session, &run.limits, |far_side| {
        let far = far_side.advertisement().clone();
        let local = repository.read_refs(&[RefName::HEADS, RefName::TAGS])?;
        let remembered = memory.read()?;
        let plan = push_plan::plan(&rules, &local, &remembered, &far, &WhileAllowed(&repository, session))?;

        run.check_ours(session)?;
        let sent = if plan.changes.is_empty() { Sent::default() } else { far_side.send(&plan.changes, atomic)? };
        memory.remember(&left_there(&local, &remembered, &far, &sent.outcomes))?;

        let (refused, made): (Vec<_>, Vec<_>) = sent.outcomes.into_iter().partition(|outcome| outcome.result.is_err());
        let shortfall = Shortfall {
            diverged: plan.diverged,
            held_back: plan.held_back,
            refused,
            remote_text: sent.remote_text,
            ..Shortfall::default()
        };
        if !shortfall.is_nothing() {
            return Err(RunError::Incomplete(shortfall));
        }
        Ok(summary(&made))
    })
}

fn open(run: &Run) -> Result<Repository, RunError> {
    let name = &run.mirror.settings.repository;
    run.environment.repositories.open(name).map_err(|error| match error {
        GitError::NotARepository { .. } => RunError::NothingToPush(name.clone()),
        error => error.into(),
    })
}

/// The far refs that now are as we left them: those that were so before (by our last push, or because they are the
/// same as ours), and those we have just moved.
fn left_there(local: &Refs, remembered: &Refs, far: &Advertisement, outcomes: &[RefOutcome]) -> Refs {
    let ours = |name: &RefName, id| local.get(name) == Some(id) || remembered.get(name) == Some(id);
    let untouched = far.refs.iter().filter(|(name, id)| ours(name, id));
    let mut left: Refs = untouched.map(|(name, id)| (name.clone(), *id)).collect();
    for RefOutcome { change, .. } in outcomes.iter().filter(|outcome| outcome.result.is_ok()) {
        match change.new {
            Some(new) => left.insert(change.name.clone(), new),
            None => left.remove(&change.name),
        };
    }
    left
}
