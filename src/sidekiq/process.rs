//! The life of a process: start, quiet, stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::clock;
use super::engine::Engine;
use super::fetch;
use super::gitlab;
use super::identity::Identity;
use super::job::perform::Registry;
use super::observer::Observer;
use super::orders;
use super::presence::dump;
use super::presence::heartbeat;
use super::rescue;
use super::rescue::lease;
use super::rescue::reconcile;
use super::settings::Settings;
use super::settle::poller;
use crate::connections::{RedisError, Redises};

/// So long before the deadline the jobs still running are returned.
const BEFORE_DEADLINE: Duration = Duration::from_millis(500);
/// So long a job may take to leave after that.
const LEAVE: Duration = Duration::from_secs(3);
/// So long the last words to Redis may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A running process: fetches jobs, runs them and tells the others that it lives.
///
/// Signals of the operating system are the caller's: `TERM` and `INT` mean [`stop`](Self::stop), `TSTP` means
/// [`quiet`](Self::quiet), `TTIN` [`dump`](Self::dump). Those that come from the dashboard through Redis are dealt with
/// here: quiet is obeyed, a wish to stop ends [`asked_to_stop`](Self::asked_to_stop).
///
/// Dropping it without [`stop`](Self::stop) ends it at once; its jobs are then run by whoever rescues them.
#[must_use]
pub struct Process {
    engine: Arc<Engine>,
    fetching: TaskTracker,
    beating: TaskTracker,
    jobs: TaskTracker,
}

impl Process {
    /// Registers the process and begins to fetch.
    ///
    /// # Errors
    /// When Redis does not take the first sign of life; nothing has been started then.
    pub async fn start(
        identity: Identity,
        settings: Settings,
        redis: impl Into<Redises>,
        registry: Registry,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, RedisError> {
        let engine = Engine::new(identity, settings, redis.into(), registry, observer);
        lease::ensure(&engine).await?;
        // What is paused stays paused over a restart.
        orders::look(&engine).await?;
        let process =
            Self { engine, fetching: TaskTracker::new(), beating: TaskTracker::new(), jobs: TaskTracker::new() };
        let started_at = clock::now();
        let engine = Arc::clone(&process.engine);
        process.beating.spawn(async move { heartbeat::run(&engine, started_at).await });
        process.run(|engine| async move { lease::keep(&engine).await });
        process.run(|engine| async move { reconcile::run(&engine).await });
        process.run(|engine| async move { orders::run(&engine).await });
        process.run(|engine| async move { rescue::run(&engine).await });
        if process.engine.settings.poller.enabled {
            process.run(|engine| async move { poller::run(&engine).await });
        }
        process.fetching.spawn(fetch::run(Arc::clone(&process.engine), process.jobs.clone()));
        tracing::debug!(identity = %process.engine.identity, "fetching");
        Ok(process)
    }

    /// The name under which the process is known in Redis.
    pub fn identity(&self) -> &Identity {
        &self.engine.identity
    }

    /// Fetches and schedules no more; running jobs go on. Cannot be taken back.
    pub fn quiet(&self) {
        if !self.engine.quiet.is_cancelled() {
            tracing::info!("quiet: no more jobs are fetched");
            self.engine.quiet.cancel();
        }
    }

    /// Returns once the process is quiet, by whoever's wish.
    pub async fn quieted(&self) {
        self.engine.quiet.cancelled().await;
    }

    /// Whether the process is quiet, by whoever's wish.
    pub fn is_quiet(&self) -> bool {
        self.engine.quiet.is_cancelled()
    }

    /// Logs what each slot is doing, as `TTIN` asks for.
    pub fn dump(&self) {
        dump::dump(&self.engine);
    }

    /// How often Redis has come back without its data, and each further time.
    pub fn losses(&self) -> watch::Receiver<u32> {
        self.engine.losses.subscribe()
    }

    /// How many jobs are running.
    pub fn busy(&self) -> usize {
        self.engine.hands.busy()
    }

    /// Returns once somebody has asked through Redis for the end of the process. The caller then calls
    /// [`stop`](Self::stop).
    pub async fn asked_to_stop(&self) {
        self.engine.asked_to_stop.cancelled().await;
    }

    /// Stops: waits for the running jobs up to the timeout, returns the others to their queues, tells the last
    /// figures and takes the process off the list. Takes at most the timeout and nine seconds.
    pub async fn stop(self) {
        let deadline = tokio::time::Instant::now() + self.engine.settings.timeout;
        self.quiet();
        self.fetching.close();
        self.jobs.close();
        let all_done = async {
            self.fetching.wait().await;
            self.jobs.wait().await;
        };
        if tokio::time::timeout_at(deadline - BEFORE_DEADLINE.min(self.engine.settings.timeout), all_done)
            .await
            .is_err()
        {
            self.cut_off().await;
        }
        // From here on nothing is fetched or settled, so whatever lies in our lists is nobody's.
        self.engine.ended.cancel();
        self.beating.close();
        let last_words = async {
            // A beat after the goodbye would put us on the list again.
            self.beating.wait().await;
            self.last_words().await;
        };
        if tokio::time::timeout(LAST_WORDS, last_words).await.is_err() {
            tracing::error!("Redis does not answer: what is in our lists is left to be rescued");
        }
    }

    /// Tells the jobs to leave, returns them to their queues and waits a little for them.
    async fn cut_off(&self) {
        let engine = &self.engine;
        tracing::warn!(jobs = engine.hands.busy(), "the time to stop is over: running jobs go back to their queues");
        engine.hard_stop.cancel();
        let leave = async {
            for held in engine.hands.held() {
                // A job that ends at this very moment settles itself; Redis lets only one of the two happen.
                if let Err(error) = engine.give_back(&held.fetched).await {
                    engine.outage.failed("returning a job", &error);
                }
            }
            self.fetching.wait().await;
            self.jobs.wait().await;
        };
        let _ = tokio::time::timeout(LEAVE, leave).await;
        gitlab::forget_all(engine).await;
    }

    async fn last_words(&self) {
        let engine = &self.engine;
        let returned = reconcile::return_all(engine).await;
        if let Err(error) = engine.flush_figures().await {
            engine.outage.failed("writing the figures", &error);
        }
        // Whatever was refused before: nobody is to wait for us.
        let goodbye = heartbeat::say_goodbye(engine).await;
        let end = engine.lease.end().await;
        match returned.and_then(|returned| goodbye.and(end).map(|()| returned)) {
            Ok(returned) => tracing::info!(returned, "stopped"),
            Err(error) => tracing::error!("stopped, but what is in our lists is left to be rescued: {error}"),
        }
    }

    /// Runs a loop until the process has ended.
    fn run<F, L>(&self, begin: L)
    where
        L: FnOnce(Arc<Engine>) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let ended = self.engine.ended.clone();
        let work = begin(Arc::clone(&self.engine));
        tokio::spawn(async move { ended.run_until_cancelled(work).await });
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.engine.quiet.cancel();
        self.engine.ended.cancel();
    }
}
