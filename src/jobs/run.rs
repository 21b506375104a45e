//! The frame of a run, the same for both directions: load the mirror, own its run, mark it started; in the end
//! write down how it ended and let go of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::abandon;
use super::access::access;
use super::environment::{Environment, RunOutcome, RunReport};
use super::error::RunError;
use super::{host, limits};
use crate::coordination::run::{Claim, OWNERSHIP, OwnedRun};
use crate::git::{self, GitError, Progress, Reason, Repository, RepositoryLock, RunEngine};
use crate::mirror::engine::EngineName;
use crate::mirror::key::{Direction, MirrorKey};
use crate::mirror::limits::Limit;
use crate::mirror::record::Mirror;
use crate::mirror::state::{Event, RunSummary, Status, UnderWay};
use crate::net::{NetError, RemoteUrl, Session};
use crate::sidekiq::{Job, NotDone};
use crate::store::{StoreError, Transition};

/// How long a run waits for another one in the same repository (a push for the pull of the same project, say) before
/// its job is put off.
const PATIENCE: Duration = Duration::from_secs(5);

/// For so long a job may take longer than its run: it waits for the mirror before, and writes down the end after.
pub(super) const MARGIN: Duration = Duration::from_mins(1);

/// How often a long run says how far it has come.
const PROGRESS_PERIOD: Duration = Duration::from_secs(30);

/// How long a cancelled run's thread has to notice, and to end the children that it has.
const GRACE: Duration = Duration::from_millis(500);

/// For so long the end of a run is tried to be written while Redis does not answer.
const WRITING: Duration = Duration::from_mins(5);

/// A run that has begun and is ours.
pub(super) struct Run {
    pub(super) environment: Arc<Environment>,
    pub(super) mirror: Mirror,
    /// What may come into the repository.
    pub(super) limits: git::Limits,
    owned: OwnedRun,
    cancel: CancellationToken,
    started: Instant,
    waiting: Option<Duration>,
    progress: Arc<Progress>,
    engine: RunEngine,
}

impl Run {
    /// Begins a run; `None` if there is nothing to do, since there is no such mirror or it is not enabled.
    pub(super) async fn begin(
        environment: &Arc<Environment>,
        key: MirrorKey,
        job: &Job,
    ) -> Result<Option<Self>, NotDone> {
        match Self::try_begin(environment, key, job).await {
            Ok(run) => Ok(run),
            Err(error) => {
                if matches!(error, RunError::CalledOff) {
                    abandon::abandoned(environment, key, job.jid(), &error.told()).await;
                }
                error.end_of_job().map(|()| None)
            }
        }
    }

    async fn try_begin(environment: &Arc<Environment>, key: MirrorKey, job: &Job) -> Result<Option<Self>, RunError> {
        let before = environment.store.load(key).await?;
        let Some(before) = before.as_ref().filter(|mirror| mirror.settings.enabled) else {
            tracing::info!("there is no such mirror, or it is not enabled: nothing to do");
            decline(environment, key, before.as_ref()).await?;
            return Ok(None);
        };
        let owned = own(environment, key, job).await?;
        if key.direction == Direction::Pull {
            environment.slots.occupy(key.id).await?;
        }
        let start = Event::Start { run: owned.id().to_owned() };
        let Transition::Done(mirror) = environment.store.transition(key, start).await? else {
            owned.release(true).await?;
            return Ok(None);
        };
        let scheduled_at = mirror.state.last_update_scheduled_at.filter(|_| before.state.status == Status::Scheduled);
        Ok(Some(Self {
            environment: environment.clone(),
            cancel: cancelled_when(job, &owned),
            owned,
            started: Instant::now(),
            waiting: scheduled_at.and_then(|at| (Utc::now() - at).to_std().ok()),
            progress: Arc::default(),
            limits: limits::transfer(&mirror.settings.limits.or(&environment.limits)),
            engine: environment.engines.for_run(mirror.settings.engine.named()),
            mirror: *mirror,
        }))
    }

    /// Permission to reach the mirror's far side, until the run is cancelled or out of time.
    async fn session(&self) -> Result<Session, RunError> {
        let url = RemoteUrl::parse_stored(&self.mirror.settings.url)?;
        let access = access(&self.mirror.settings, &url, self.environment.store.secrets(&self.mirror).await?);
        let allowance = limits::allowance(&self.mirror.settings.limits.or(&self.environment.limits));
        Ok(self.environment.door.session(url, access, allowance, self.cancel.clone()))
    }

    /// Keeps other runs out of the repository. To be called off the runtime.
    pub(super) fn lock(&self, repository: &Repository) -> Result<RepositoryLock, RunError> {
        let lock = RepositoryLock::acquire(repository, self.owned.id(), PATIENCE, &self.cancel);
        Ok(Handle::current().block_on(lock)?)
    }

    /// Makes sure, before anything is changed, that the run is neither cancelled nor out of time, and that the mirror
    /// still is ours. To be called off the runtime.
    pub(super) fn check_ours(&self, session: &Session) -> Result<(), RunError> {
        session.check().map_err(GitError::from)?;
        if Handle::current().block_on(self.owned.is_ours())? { Ok(()) } else { Err(RunError::Superseded) }
    }

    /// What moves the objects.
    pub(super) fn engine(&self) -> &RunEngine {
        &self.engine
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
    ) -> Result<(), NotDone> {
        let session = match self.session().await {
            Ok(session) => session,
            Err(error) => return self.end(job, Err(error)).await,
        };
        let login = host::login(&*self.environment.store, session.access());
        let place =
            match host::enter(&self.environment, &session, self.owned.id(), login.as_deref(), &self.cancel).await {
                Ok(place) => place,
                Err(error) => return self.end(job, Err(error)).await,
            };
        show_progress(job, &self.progress, &session);
        let run = Arc::new(self);
        let blocking = tokio::task::spawn_blocking({
            let (run, session, span) = (run.clone(), session.clone(), tracing::Span::current());
            move || span.in_scope(|| work(&run, &session))
        });
        // A worker that was asleep for long takes its own silence for the host's.
        let result = run.tell_progress_until(blocking).await.map_err(|error| run.true_reason(error, job));
        host::leave(place, &result, &session, &run.mirror.settings.reach, login.is_some()).await;
        run.end(job, result).await
    }

    /// Waits for the git part, and logs now and then how far it has come.
    async fn tell_progress_until(
        &self,
        mut work: JoinHandle<Result<RunSummary, RunError>>,
    ) -> Result<RunSummary, RunError> {
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => {
                    tracing::info!(seconds = self.started.elapsed().as_secs(), "broken off");
                    return self.given_up(work).await;
                }
                result = &mut work => return ended(result),
                () = tokio::time::sleep(PROGRESS_PERIOD) => {}
            }
            tracing::info!(
                seconds = self.started.elapsed().as_secs(),
                objects = self.progress.received(),
                of = self.progress.announced(),
                "still running"
            );
        }
    }

    /// Waits a moment for the thread of a run that was cancelled. One that is deep in a computation is left behind: the
    /// network is closed to it, no ref is its to move any more, and until it notices it keeps others out of the
    /// repository by its lock.
    async fn given_up(&self, work: JoinHandle<Result<RunSummary, RunError>>) -> Result<RunSummary, RunError> {
        let left_behind = &self.environment.left_behind;
        match left_behind.wait_or_leave(work, GRACE).await {
            Some(result) => ended(result),
            None => Err(GitError::Net(NetError::Cancelled).into()),
        }
    }

    /// Writes down how the run ended, lets go of the mirror, and tells what becomes of the job.
    async fn end(&self, job: &Job, result: Result<RunSummary, RunError>) -> Result<(), NotDone> {
        let result = result.map_err(|error| self.true_reason(error, job));
        let run = self.owned.id().to_owned();
        let engine = self.engine.used().map(|used| used.engine);
        let (outcome, event) = match &result {
            Ok(summary) => {
                let changed = summary.refs_changed > 0;
                let outcome = if changed { RunOutcome::Changed } else { RunOutcome::Unchanged };
                (outcome, Some(Event::Finish { run, summary: *summary, engine }))
            }
            // Whoever runs the mirror now writes down how that ends.
            Err(RunError::Superseded) => (RunOutcome::Superseded, None),
            Err(error) if error.put_off().is_some() && self.mirror.key().direction == Direction::Pull => {
                let wait = error.put_off().and_then(|wait| TimeDelta::from_std(wait).ok()).unwrap_or_default();
                (RunOutcome::PutOff, Some(Event::PutOff { run, error: error.told(), wait }))
            }
            Err(error) if error.is_passing() => {
                (RunOutcome::Interrupted, Some(Event::Interrupt { run, jid: job.jid().to_owned() }))
            }
            Err(error) => (RunOutcome::Failed, Some(Event::Fail { run, error: error.told(), engine })),
        };
        self.report(outcome, result.as_ref().err());
        if let Some(key) = result.as_ref().err().and_then(RunError::limit) {
            self.environment.observer.limit_exceeded(key);
        }
        let written = match event {
            Some(event) => self.write(event, job).await,
            None => Ok(false),
        };
        // The slot is freed by whoever ended the run, or put it off: others can be run meanwhile. Both end by themselves
        // if Redis does not answer.
        let put_off = matches!(result, Err(RunError::HostBusy { .. }));
        let ended = (outcome != RunOutcome::Interrupted || put_off) && matches!(written, Ok(true));
        let _ = self.owned.release(ended).await;
        match (result, written) {
            (Ok(_), Ok(_)) => Ok(()),
            // The schedule brings the mirror back.
            (Err(_), Ok(true)) if outcome == RunOutcome::PutOff => Ok(()),
            (Err(error), _) | (Ok(_), Err(error)) => error.end_of_job(),
        }
    }

    /// Writes an event of this run, however often it takes: what has been done must not look as if it had not. `false`
    /// if the mirror is another run's by now.
    async fn write(&self, event: Event, job: &Job) -> Result<bool, RunError> {
        const PAUSE: Duration = Duration::from_secs(1);
        let give_up = Instant::now() + WRITING;
        loop {
            match self.environment.store.transition(self.mirror.key(), event.clone()).await {
                Ok(Transition::Refused(refused)) => {
                    tracing::warn!(%refused, "the end of this run was not written");
                    return Ok(false);
                }
                Ok(_) => return Ok(true),
                Err(StoreError::Redis(error)) if error.is_outage() && !is_stopping(job) && Instant::now() < give_up => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A run that was broken off fails in whatever it was doing; why it was broken off is what counts.
    fn true_reason(&self, error: RunError, job: &Job) -> RunError {
        if job.is_called_off() {
            RunError::CalledOff
        } else if job.cancelled().is_cancelled() {
            RunError::Interrupted
        } else if !self.owned.is_trusted() {
            RunError::Superseded
        } else if job.age().is_some_and(|age| age > self.environment.limits.time(Limit::Run)) {
            // Another run ends in time, and another worker may have the key; what lasts longer is somebody's to look at.
            error.after_long()
        } else {
            error
        }
    }

    fn report(&self, outcome: RunOutcome, error: Option<&RunError>) {
        let duration = self.started.elapsed();
        let direction = self.mirror.key().direction;
        let used = self.engine.used();
        let handover = used.and_then(|used| used.reason).filter(|reason| *reason != Reason::Wanted);
        let engine = used.map(|used| used.engine);
        let (waiting, observer) = (self.waiting, &self.environment.observer);
        observer.run_ended(&RunReport { direction, outcome, waiting, duration, engine, handover });
        let (name, elapsed) = (outcome.as_str(), duration.as_secs_f64());
        let (engine, handover) = (engine.map(EngineName::as_str), handover.map(Reason::as_str));
        match (outcome, error) {
            // A failed job is logged with its error where it is settled.
            (RunOutcome::Failed, Some(error)) if error.fails_the_job() => {}
            (RunOutcome::Unchanged, _) => tracing::debug!(elapsed, engine, handover, "{name}"),
            (_, None) => tracing::info!(elapsed, engine, handover, "{name}"),
            (_, Some(error)) => tracing::warn!(elapsed, engine, handover, %error, "{name}"),
        }
    }
}

fn ended(thread: Result<Result<RunSummary, RunError>, JoinError>) -> Result<RunSummary, RunError> {
    thread.unwrap_or_else(|panic| Err(RunError::Broken(panic.to_string())))
}

/// Owns the mirror's run. If an earlier delivery of the same job still does, its process is giving the job up or has
/// died, and this waits for its ownership to end.
async fn own(environment: &Environment, key: MirrorKey, job: &Job) -> Result<OwnedRun, RunError> {
    const LOOK_AGAIN: Duration = Duration::from_millis(500);
    let deadline = Instant::now() + OWNERSHIP + 10 * LOOK_AGAIN;
    loop {
        match OwnedRun::claim(&environment.redis, key, &environment.identity, job.jid()).await? {
            Claim::Owned(run) => return Ok(run),
            Claim::UnderWay { same_job: true } if Instant::now() < deadline => {}
            Claim::UnderWay { .. } => return Err(RunError::UnderWay),
        }
        tokio::select! {
            () = job.cancelled().cancelled() => {
                return Err(if job.is_called_off() { RunError::CalledOff } else { RunError::Interrupted });
            }
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

/// A mirror that was scheduled and then removed or disabled waits for nothing any more.
async fn decline(environment: &Environment, key: MirrorKey, mirror: Option<&Mirror>) -> Result<(), RunError> {
    match mirror.and_then(|mirror| mirror.state.under_way()) {
        // Somebody else's run, which ends by itself.
        Some(UnderWay::Run(_)) => return Ok(()),
        Some(seen @ UnderWay::Job(_)) => {
            let error = "The mirror was disabled before its run began.".to_owned();
            environment.store.transition(key, Event::Abandon { seen, error }).await?;
        }
        None => {}
    }
    if key.direction == Direction::Pull {
        environment.slots.release(&[key.id]).await?;
    }
    Ok(())
}

/// Whether the process stops, so that there is no more time to wait for anything.
fn is_stopping(job: &Job) -> bool {
    job.cancelled().is_cancelled() && !job.is_called_off()
}

/// Lets those who look at running jobs see how far the transfer has come.
fn show_progress(job: &Job, progress: &Arc<Progress>, session: &Session) {
    let (progress, session) = (progress.clone(), session.clone());
    job.show_progress(move || {
        let (received, announced, traffic) = (progress.received(), progress.announced(), session.traffic());
        format!("{received} of {announced} objects, {} bytes received, {} sent", traffic.received, traffic.sent)
    });
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
