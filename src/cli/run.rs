//! `sidemirror run`: puts the rooms together and runs until told to stop.

pub(in crate::cli) mod engines;
mod given_up;
mod logging;
pub(super) mod preparation;
mod service_manager;
mod signals;
mod title;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::sync::watch::Sender;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::signals::Signals;
use super::{ConfigArgs, administration, door, environment_variable, profile, redises, secret_key};
use crate::config::{Config, Overrides};
use crate::connections::Redis;
use crate::coordination::capacity::Slots;
use crate::coordination::hosts::Hosts;
use crate::jobs::{self, Environment, LeftBehind};
use crate::mirror::key::Direction;
use crate::scheduler::Scheduler;
use crate::scheduler::update_all_mirrors::{self, UpdateAllMirrors};
use crate::sidekiq::{Client, CronTab, Identity, Process, Switches};
use crate::store::redis::key_in_use;
use crate::web;
use crate::web::health::{Health, Phase};
use crate::web::metrics::Metrics;
use crate::web::watch::Watch;

#[derive(Debug, Clone, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Run so many jobs at once
    #[arg(short = 'c', long, value_name = "N")]
    concurrency: Option<usize>,
    /// Serve this queue, drawn with this weight. Repeatable
    #[arg(short = 'q', long = "queue", value_name = "NAME[,WEIGHT]")]
    queues: Vec<String>,
    /// Show this tag in Sidekiq's Web UI
    #[arg(short = 'g', long, value_name = "TAG")]
    tag: Option<String>,
    /// Let running jobs go on for so many seconds when stopped
    #[arg(short = 't', long, value_name = "SEC")]
    timeout: Option<u64>,
    /// Log debug lines
    #[arg(short = 'v', long)]
    verbose: bool,
    /// Serve metrics and health here ("": nowhere)
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
}

impl RunArgs {
    /// Whether there are flags that no other subcommand takes.
    pub(super) fn has_flags_of_its_own(&self) -> bool {
        let Self { config: _, concurrency, queues, tag, timeout, verbose, listen } = self;
        let given = [concurrency.is_some(), tag.is_some(), timeout.is_some(), listen.is_some()];
        given.contains(&true) || *verbose || !queues.is_empty()
    }

    fn overrides(&self) -> Overrides {
        Overrides {
            concurrency: self.concurrency,
            queues: self.queues.clone(),
            tag: self.tag.clone(),
            timeout: self.timeout,
            verbose: self.verbose,
            listen: self.listen.clone(),
            ..self.config.overrides()
        }
    }
}

/// How long the pages, and threads of runs that were broken off, may take to end.
const LAST_TASKS: Duration = Duration::from_secs(2);
const LAST_THREADS: Duration = Duration::from_secs(1);

/// Runs the worker. Everything that can be wrong with the configuration is found before anything is started.
pub(super) fn run(args: &RunArgs) -> anyhow::Result<()> {
    let config = Config::load(&args.overrides(), &environment_variable)?;
    logging::begin(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Each job in hand may hold a thread while it mirrors, and may leave one behind; a few more look at files.
        .max_blocking_threads(2 * config.sidekiq.concurrency() + 16)
        .build()?;
    let served = runtime.block_on(serve(config));
    // A thread that is deep in libgit2 does not hold up the end; its run is no longer ours by then.
    runtime.shutdown_timeout(LAST_THREADS);
    served
}

async fn serve(mut config: Config) -> anyhow::Result<()> {
    let program = engines::program(&config)?;
    let repositories = preparation::repositories(&config)?.with_program(program.clone());
    let keys = secret_key::sealing_keys(&config)?;
    let door = door::open(&config)?;
    let listener = preparation::listener(&config).await?;
    let mut signals = Signals::new()?;
    let redises = tokio::select! {
        redises = redises::connect(&config) => redises?,
        () = signals.stop() => return Ok(()),
    };
    let redis = redises.queues.clone();
    config.sidekiq.profile = profile::choose(&config, &redis).await?;
    key_in_use::check(&redis, &keys).await.context("the worker cannot read the mirrors' secrets")?;
    let store = administration::open_store(&config, &redis, Ok(keys))?;
    let identity = Identity::new();
    let health = Arc::new(Health::default());
    let metrics = Arc::new(Metrics::new()?);
    metrics.has_git_program(program.is_some());
    let own_class = update_all_mirrors::CLASS.to_owned();
    let known_classes = config.mirror.jobs.keys().chain([&own_class]);
    let watch = Arc::new(Watch::new(health.clone(), metrics.clone(), known_classes));

    let environment = Arc::new(Environment {
        identity: identity.to_string(),
        store: store.clone(),
        redis: redis.clone(),
        slots: Slots::new(redis.clone()),
        repositories,
        door,
        engines: engines::engines(&config, program.as_ref()),
        limits: config.mirror.limits.clone(),
        hosts: Hosts::new(redis.clone(), config.mirror.hosts),
        left_behind: LeftBehind::at_most(config.sidekiq.concurrency()),
        observer: metrics.clone(),
    });
    let classes = config.mirror.jobs.iter().map(|(class, direction)| (class.as_str(), *direction));
    let scheduler = Arc::new(Scheduler {
        store,
        redis: redis.clone(),
        capacity: config.mirror.capacity,
        switches: Switches::new(redis.clone(), config.sidekiq.keys.clone()),
        client: Client::new(redis.clone(), config.sidekiq.keys.clone(), config.sidekiq.profile),
        queue: config.sidekiq.first_queue().to_owned(),
        class: jobs::class_of(Direction::Pull),
        identity: environment.identity.clone(),
        observer: watch.clone(),
        cron_tab: config.mirror.cron_tab.then(|| cron_tab(&config, &redis)),
        more_is_due: Sender::default(),
    });
    // Another process of ours may have the entry in the cron tab that brings such jobs.
    let registry = jobs::registry(&environment, classes)
        .serve(update_all_mirrors::CLASS, Arc::new(UpdateAllMirrors(scheduler.clone())));

    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    if let Some(listener) = listener {
        tasks.spawn(web::serve(listener, health.clone(), metrics.clone(), stop.clone()));
    }
    let process = Process::start(identity, config.sidekiq.clone(), redises, registry, watch.clone())
        .await
        .context("the process could not be started")?;
    let stop_scheduling = stop.child_token();
    if config.mirror.scheduler {
        tasks.spawn(scheduler.run(process.losses(), stop_scheduling.clone()));
    } else {
        tasks.spawn(scheduler.run_when_asked(stop_scheduling.clone()));
    }
    tasks.spawn(profile::watch(redis.clone(), config.sidekiq.keys.clone(), config.sidekiq.profile, stop.clone()));
    tasks.spawn(given_up::count(redis.clone(), metrics.clone(), stop.clone()));
    tasks.spawn(service_manager::keep_alive(health.clone(), stop.clone()));
    health.enter(Phase::Running);
    service_manager::ready();
    announce(&config, &environment);

    let on_quiet = || {
        health.enter(Phase::Quiet);
        stop_scheduling.cancel();
    };
    tokio::select! {
        () = signals.until_stop(&process, on_quiet) => {}
        () = title::show(&process, &config) => {}
    }
    health.enter(Phase::Stopping);
    service_manager::stopping(config.sidekiq.timeout);
    stop_scheduling.cancel();
    process.stop().await;
    stop.cancel();
    tasks.close();
    if timeout(LAST_TASKS, tasks.wait()).await.is_err() {
        tracing::warn!("somebody keeps a connection to metrics and health open; leaving all the same");
    }
    tracing::info!("stopped");
    Ok(())
}

/// The line by which an administrator sees what has been started.
fn announce(config: &Config, environment: &Environment) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        identity = environment.identity,
        config = %config.path.display(),
        environment = config.environment,
        redis = %environment.redis.server(),
        queues = ?config.sidekiq.queues(),
        concurrency = config.sidekiq.concurrency(),
        repositories = %config.mirror.repositories.display(),
        listen = ?config.mirror.listen,
        "ready"
    );
}

/// Our entry in Ruby's cron tab.
fn cron_tab(config: &Config, redis: &Redis) -> CronTab {
    update_all_mirrors::cron_tab(redis.clone(), config.sidekiq.keys.clone(), config.sidekiq.first_queue().to_owned())
}
