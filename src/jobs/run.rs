//! The frame of a run, the same for both directions: load the mirror, own its run, mark it started; in the end
//! mark it finished or failed and let go of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::environment::{Environment, RunOutcome, RunReport};
use super::error::RunError;
use crate::connections::RedisError;
use crate::coordination::run::{Claim, OWNERSHIP, OwnedRun};
use crate::git::{Progress, Repository, RepositoryLock};
use crate::mirror::record::{Direction, Mirror, MirrorKey};
use crate::mirror::state::{Event, RunSummary, Status};
use crate::net::{Credentials, Deadline, RemoteUrl, Session};
use crate::sidekiq::{Job, JobFailure};
use crate::store::Transition;

/// What stands in `error_class` of a job whose run failed.
const FAILED: &str = "Sidemirror::UpdateError";

/// How long a run waits for another one in the same repository: a push for the pull of the same project, say.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often a long run says how far it has come.
const PROGRESS_PERIOD: Duration = Duration::from_secs(30);

/// A run that has begun and is ours.
pub(super) struct Run {
    pub(super) environment: Arc<Environment>,
    pub(super) mirror: Mirror,
    owned: OwnedRun,
    cancel: CancellationToken,
    started: Instant,
    waiting: Option<Duration>,
    progress: Progress,
}

impl Run {
    /// Begins a run, or tells that there is nothing to do: no such mirror, not enabled, or already under way.
    pub(super) async fn begin(
        environment: &Arc<Environment>,
        key: MirrorKey,
        job: &Job,
    ) -> Result<Option<Self>, JobFailure> {
        Self::try_begin(environment, key, job).await.map_err(|error| JobFailure::from_error(FAILED, &error))
    }

    async fn try_begin(environment: &Arc<Environment>, key: MirrorKey, job: &Job) -> Result<Option<Self>, RunError> {
        let Some(mirror) = environment.store.load(key).await? else {
            tracing::info!("there is no such mirror; nothing to do");
            return Ok(None);
        };
        if !mirror.settings.enabled {
            tracing::info!("the mirror is not enabled; nothing to do");
            return Ok(None);
        }
        let Some(owned) = own(environment, key, job).await? else {
            tracing::info!("another run is at this mirror; nothing to do");
            return Ok(None);
        };
        if key.direction == Direction::Pull {
            environment.slots.occupy(key.id).await?;
        }
        let Transition::Done(state) =
            environment.store.transition(key, Event::Start { run: owned.id().to_owned() }).await?
        else {
            owned.release().await?;
            return Ok(None);
        };
        let was_scheduled = mirror.state.status == Status::Scheduled;
        let scheduled_at = state.last_update_scheduled_at.filter(|_| was_scheduled);
        let waiting = scheduled_at.and_then(|at| (Utc::now() - at).to_std().ok());
        Ok(Some(Self {
            environment: environment.clone(),
            mirror: Mirror { state, ..mirror },
            cancel: cancelled_when(job, &owned),
            owned,
            started: Instant::now(),
            waiting,
            progress: Progress::default(),
        }))
    }

    /// Permission to reach the mirror's far side, until the run is cancelled or out of time.
    pub(super) async fn session(&self) -> Result<Session, RunError> {
        let url = RemoteUrl::parse(&self.mirror.settings.url)?;
        let login = self.environment.store.login(self.mirror.key()).await?;
        let credentials = login.map(|login| Credentials::new(login.user, login.password));
        let deadline = Deadline::after(self.environment.run_deadline);
        Ok(self.environment.door.session(url, credentials, deadline, self.cancel.clone()))
    }

    /// Makes sure, before anything is changed, that the mirror still is ours. To be called off the runtime.
    pub(super) fn check_ours(&self) -> Result<(), RunError> {
        if Handle::current().block_on(self.owned.is_ours()) { Ok(()) } else { Err(RunError::Superseded) }
    }

    /// Keeps other runs out of the repository. To be called off the runtime.
    pub(super) fn lock(&self, repository: &Repository) -> Result<RepositoryLock, RunError> {
        let lock = RepositoryLock::acquire(repository, self.owned.id(), PATIENCE, &self.cancel);
        Ok(Handle::current().block_on(lock)?)
    }

    /// How far a transfer has come.
    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Does the git part of the run on a thread that may block, and ends the run by its result.
    pub(super) async fn perform(
        self,
        job: &Job,
        work: impl FnOnce(&Self, &Session) -> Result<RunSummary, RunError> + Send + 'static,
    ) -> Result<(), JobFailure> {
        let (run, result) = match self.session().await {
            Err(error) => (self, Err(error)),
            Ok(session) => {
                let run = Arc::new(self);
                let blocking = tokio::task::spawn_blocking({
                    let (run, span) = (run.clone(), tracing::Span::current());
                    move || span.in_scope(|| work(&run, &session))
                });
                let result = run.tell_progress_until(blocking).await;
                match Arc::try_unwrap(run) {
                    Ok(run) => (run, result),
                    Err(_) => return Err(JobFailure::new(FAILED, "the run's thread did not end")),
                }
            }
        };
        run.end(job, result).await
    }

    /// Waits for the git part, and logs now and then how far it has come.
    async fn tell_progress_until(
        &self,
        mut work: JoinHandle<Result<RunSummary, RunError>>,
    ) -> Result<RunSummary, RunError> {
        loop {
            if let Ok(result) = timeout(PROGRESS_PERIOD, &mut work).await {
                return result.unwrap_or_else(|panic| Err(RunError::Broken(panic.to_string())));
            }
            tracing::info!(
                seconds = self.started.elapsed().as_secs(),
                objects = self.progress.received(),
                of = self.progress.announced(),
                "still running"
            );
        }
    }

    /// Writes down how the run ended and lets go of the mirror.
    async fn end(self, job: &Job, result: Result<RunSummary, RunError>) -> Result<(), JobFailure> {
        let result = result.map_err(|error| self.true_reason(error, job));
        let key = self.mirror.key();
        let run = self.owned.id().to_owned();
        let (event, outcome) = match &result {
            Ok(summary) if summary.refs_changed > 0 => {
                (Some(Event::Finish { run, summary: *summary }), RunOutcome::Changed)
            }
            Ok(summary) => (Some(Event::Finish { run, summary: *summary }), RunOutcome::Unchanged),
            // The mirror stays started, with its slot: the job is run again soon, or the sweep frees it.
            Err(RunError::Interrupted) => (None, RunOutcome::Interrupted),
            Err(RunError::Superseded) => (None, RunOutcome::Superseded),
            Err(error) => (Some(Event::Fail { run, error: error.to_string() }), RunOutcome::Failed),
        };
        self.report(outcome, result.as_ref().err());
        let written = match event {
            None => Ok(()),
            Some(event) => self.write(key, event).await,
        };
        // It ends by itself if this cannot be written.
        let _ = self.owned.release().await;
        written.map_err(|error| JobFailure::from_error(FAILED, &error))?;
        match result {
            Err(error) if error.fails_the_job() => Err(JobFailure::from_error(FAILED, &error)),
            _ => Ok(()),
        }
    }

    async fn write(&self, key: MirrorKey, event: Event) -> Result<(), RunError> {
        if let Transition::Refused(refused) = self.environment.store.transition(key, event).await? {
            tracing::warn!(%refused, "the end of this run was not written");
            return Ok(());
        }
        if key.direction == Direction::Pull {
            self.environment.slots.release(&[key.id]).await?;
        }
        Ok(())
    }

    /// A run that was broken off fails in whatever it was doing; why it was broken off is what counts.
    fn true_reason(&self, error: RunError, job: &Job) -> RunError {
        if job.cancelled().is_cancelled() {
            RunError::Interrupted
        } else if self.owned.lost().is_cancelled() {
            RunError::Superseded
        } else {
            error
        }
    }

    fn report(&self, outcome: RunOutcome, error: Option<&RunError>) {
        let duration = self.started.elapsed();
        let key = self.mirror.key();
        self.environment.observer.run_ended(&RunReport {
            direction: key.direction,
            outcome,
            waiting: self.waiting,
            duration,
        });
        let (name, milliseconds) = (outcome.as_str(), duration.as_millis());
        match (outcome, error) {
            // A failed job is logged with its error where it is settled.
            (RunOutcome::Failed, Some(error)) if error.fails_the_job() => {}
            (RunOutcome::Unchanged, _) => tracing::debug!(milliseconds, "{name}"),
            (_, None) => tracing::info!(milliseconds, "{name}"),
            (_, Some(error)) => tracing::warn!(milliseconds, %error, "{name}"),
        }
    }
}

/// Owns the mirror's run. If an earlier delivery of the same job still does, its process is giving the job up or
/// has died, and this waits for its ownership to end: otherwise the job would be lost.
async fn own(environment: &Environment, key: MirrorKey, job: &Job) -> Result<Option<OwnedRun>, RedisError> {
    const LOOK_AGAIN: Duration = Duration::from_millis(500);
    let deadline = Instant::now() + OWNERSHIP + 10 * LOOK_AGAIN;
    loop {
        match OwnedRun::claim(&environment.redis, key, &environment.identity, job.jid()).await? {
            Claim::Owned(run) => return Ok(Some(run)),
            Claim::UnderWay { same_job: true } if Instant::now() < deadline => {}
            Claim::UnderWay { .. } => return Ok(None),
        }
        tokio::select! {
            () = job.cancelled().cancelled() => return Ok(None),
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

/// Fires when the job is cancelled or the run's ownership is lost.
fn cancelled_when(job: &Job, owned: &OwnedRun) -> CancellationToken {
    let cancel = job.cancelled().child_token();
    let (lost, forward) = (owned.lost().clone(), cancel.clone());
    // `lost` fires with the run's end at the latest, so this ends, too.
    tokio::spawn(async move {
        lost.cancelled().await;
        forward.cancel();
    });
    cancel
}
