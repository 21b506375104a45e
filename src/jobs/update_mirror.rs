//! `UpdateMirror`: brings the forge's repository up to date with its upstream.

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
use crate::git::{self, Digest, Probe, Repository, Stamp};
use crate::mirror::key::MirrorKey;
use crate::mirror::limits::Limit;
use crate::mirror::pull_plan::{self, PullRules};
use crate::mirror::record::{Rules, Settings};
use crate::mirror::refs::{Advertisement, RefName, Refs};
use crate::mirror::state::RunSummary;
use crate::net::Session;
use crate::sidekiq::Perform;
use crate::sidekiq::{Job, NotDone};

/// The work behind `UpdateMirror` and its other names.
pub struct UpdateMirror(pub Arc<Environment>);

#[async_trait]
impl Perform for UpdateMirror {
    async fn perform(&self, job: &Job) -> Result<(), NotDone> {
        let key = MirrorKey::pull(mirror_id(job)?);
        match Run::begin(&self.0, key, job).await? {
            Some(run) => run.perform(job, pull).await,
            None => Ok(()),
        }
    }

    fn expected(&self, _job: &Job) -> Option<Duration> {
        Some(self.0.limits.time(Limit::Run) + MARGIN)
    }

    async fn abandoned(&self, job: &Job, reason: &str) {
        if let Ok(id) = mirror_id(job) {
            abandon::abandoned(&self.0, MirrorKey::pull(id), job.jid(), reason).await;
        }
    }

    fn subject(&self, job: &Job) -> Option<String> {
        subject(job, MirrorKey::pull)
    }
}

/// The namespaces a pull looks at.
const LOCAL: [&str; 3] = [RefName::HEADS, RefName::TAGS, RefName::UPSTREAM];

/// One pull, from the list of the far refs to the last local one.
fn pull(run: &Run, session: &Session) -> Result<RunSummary, RunError> {
    let settings = &run.mirror.settings;
    let repository = run.environment.repositories.open_or_create(&settings.repository)?;
    let _lock = run.lock(&repository)?;
    let probe = Probe::new(&repository, "pull")?;
    let default_branch = repository.head()?;

    git::fetch(run.engine(), &repository, session, &run.limits, |upstream| {
        let far = mirrored(upstream.advertisement());
        let seen = Seen {
            far: Digest::of_advertisement(&far),
            rules: rules_digest(settings, default_branch.as_ref()),
            local: Stamp::take(&repository)?,
        };
        if probe.unchanged(&seen.far, &seen.rules, &seen.local) {
            return Ok(RunSummary { refs_changed: 0 });
        }
        let transfer = upstream.download(&far.refs, run.progress())?;

        let branches = settings.branches.matcher()?;
        let rules = PullRules {
            branches: &branches,
            overwrite_diverged: matches!(settings.rules, Rules::Pull { overwrite_diverged: true }),
            default_branch: default_branch.as_ref().and_then(RefName::as_branch),
        };
        let local = repository.read_refs(&LOCAL)?;
        let plan = pull_plan::plan(&rules, &local, &far, &WhileAllowed(&repository, session))?;

        run.check_ours(session)?;
        let outcomes = repository.apply_within(session, &plan.changes)?;
        settle_head(&repository, default_branch.as_ref(), &local, &far)?;
        tracing::debug!(objects = transfer.objects, changes = outcomes.len(), "applied");

        let (refused, made): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|outcome| outcome.result.is_err());
        let diverged = rules.default_branch.filter(|_| plan.default_branch_diverged(&rules));
        let shortfall = Shortfall { default_branch: diverged.map(str::to_owned), refused, ..Shortfall::default() };
        if !shortfall.is_nothing() {
            return Err(RunError::Incomplete(shortfall));
        }
        if made.is_empty() {
            // Only now the refs are known to be as they should be: what a run changed itself, the next one checks.
            probe.remember(&seen.far, &seen.rules, &seen.local)?;
        }
        Ok(summary(&made))
    })
}

/// What the probe compares, as it was before the refs were read.
struct Seen {
    far: Digest,
    rules: Digest,
    local: Stamp,
}

/// What upstream holds, without the refs that mirroring does not concern.
fn mirrored(advertisement: &Advertisement) -> Advertisement {
    let refs = advertisement.refs.iter().filter(|(name, _)| name.is_mirrored());
    Advertisement { refs: refs.map(|(name, id)| (name.clone(), *id)).collect(), head: advertisement.head.clone() }
}

/// All that decides what a pull does, beside the refs.
fn rules_digest(settings: &Settings, default_branch: Option<&RefName>) -> Digest {
    Digest::of_bytes(format!("{:?} {:?} {default_branch:?}", settings.branches, settings.rules).as_bytes())
}

/// Points `HEAD` of a repository that had no branches at upstream's default branch, if that has come, or at the one
/// that most likely is meant. A `HEAD` that was chosen before stays, unless its branch does not exist.
fn settle_head(
    repository: &Repository,
    head: Option<&RefName>,
    before: &Refs,
    far: &Advertisement,
) -> Result<(), RunError> {
    let branches = repository.read_refs(&[RefName::HEADS])?;
    let fresh = !before.keys().any(|name| name.as_branch().is_some());
    let chosen = head.filter(|_| !fresh).cloned();
    let likely = chosen.into_iter().chain(far.head.clone()).chain(["main", "master"].map(RefName::branch));
    let found = likely.chain(branches.keys().cloned()).find(|branch| branches.contains_key(branch));
    match found.filter(|found| head != Some(found)) {
        Some(branch) => Ok(repository.set_head(&branch)?),
        None => Ok(()),
    }
}
