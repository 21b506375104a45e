//! What Prometheus scrapes. No label has a value per mirror, so the number of series does not grow with them.

use std::time::Duration;

use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};

use crate::jobs::{RunObserver, RunReport};
use crate::mirror::engine::EngineName;
use crate::scheduler::Tick;
use crate::sidekiq::{JobReport, Outcome};

/// Seconds; a mirror job lasts from milliseconds to hours.
const DURATION: [f64; 12] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 3600.0];

/// GitLab's buckets for the time between being scheduled and being started, in seconds.
const WAITING: [f64; 9] = [1.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 2400.0, 3600.0];

/// GitLab's buckets for the time a run takes, in seconds.
const UPDATE: [f64; 8] = [0.1, 1.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// The figures of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    jobs: IntCounterVec,
    job_duration: HistogramVec,
    queue_latency: GaugeVec,
    foreign: IntCounter,
    rescued: IntCounter,
    recovered: IntCounter,
    quarantined: IntCounter,
    overdue: IntGauge,
    oldest: Gauge,
    paused: IntGauge,
    redis_up: IntGauge,
    redis_data_losses: IntCounter,
    runs: IntCounterVec,
    handovers: IntCounterVec,
    git_program: IntGauge,
    waiting: Histogram,
    update: HistogramVec,
    mirrors: IntGaugeVec,
    capacity_max: IntGaugeVec,
    capacity_taken: IntGaugeVec,
    scheduled: IntCounter,
    abandoned: IntCounter,
    last_tick: Gauge,
    limits: IntCounterVec,
    deferrals: IntCounterVec,
    breakers: IntGauge,
}

impl Metrics {
    /// Registers every figure.
    ///
    /// # Errors
    /// When two have the same name, which is a mistake in this file.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let add = Adder(&registry);
        let metrics = Self {
            jobs: add.counters("sidemirror_jobs_total", "Jobs ended, by class and outcome", &["class", "outcome"])?,
            job_duration: add.histograms("sidemirror_job_duration_seconds", "Time a job ran", &["class"], &DURATION)?,
            queue_latency: add.gauges(
                "sidemirror_queue_latency_seconds",
                "Time the next job of a queue has been waiting",
                &["queue"],
            )?,
            foreign: add.counter("sidemirror_foreign_jobs_total", "Jobs of classes served elsewhere, given back")?,
            rescued: add
                .counter("sidemirror_rescued_jobs_total", "Jobs of dead processes, put back into their queue")?,
            recovered: add.counter(
                "sidemirror_recovered_jobs_total",
                "Jobs of this process whose fetch had lost its reply, put back into their queue",
            )?,
            quarantined: add.counter(
                "sidemirror_quarantined_jobs_total",
                "Jobs set aside because their workers had died under them too often",
            )?,
            overdue: add.int_gauge("sidemirror_overdue_jobs", "Running jobs that take longer than they should")?,
            oldest: add.gauge("sidemirror_oldest_job_age_seconds", "Time the oldest running job has been running")?,
            paused: add.int_gauge("sidemirror_paused", "Whether an administrator has paused everything")?,
            redis_up: add.int_gauge("sidemirror_redis_up", "Whether Redis answers")?,
            redis_data_losses: add.counter(
                "sidemirror_redis_data_losses_total",
                "Times that Redis came back without its data while this process ran",
            )?,
            runs: add.counters(
                "sidemirror_runs_total",
                "Runs of mirrors ended, by direction, outcome and engine",
                &["direction", "outcome", "engine"],
            )?,
            handovers: add.counters(
                "sidemirror_handovers_total",
                "Runs that the git program did in the place of libgit2, by the reason",
                &["reason"],
            )?,
            git_program: add.int_gauge("sidemirror_git_program", "Whether there is a git program that can be used")?,
            waiting: add.histogram(
                "sidemirror_mirror_waiting_seconds",
                "Time between a pull mirror's scheduling and its start",
                &WAITING,
            )?,
            update: add.histograms(
                "sidemirror_mirror_update_seconds",
                "Time a mirror's run took",
                &["direction"],
                &UPDATE,
            )?,
            mirrors: add.int_gauges(
                "sidemirror_mirrors",
                "Pull mirrors by where they stand; shown by the process that schedules",
                &["state"],
            )?,
            capacity_max: add.int_gauges(
                "sidemirror_capacity_max",
                "Pull mirrors that may be under way at once; shown by the process that schedules",
                &[],
            )?,
            capacity_taken: add.int_gauges(
                "sidemirror_capacity_taken",
                "Pull mirrors under way; shown by the process that schedules",
                &[],
            )?,
            scheduled: add.counter("sidemirror_mirrors_scheduled_total", "Pull mirrors scheduled by this process")?,
            abandoned: add.counter(
                "sidemirror_slots_freed_total",
                "Slots of capacity freed because nobody was using them any more",
            )?,
            last_tick: add.gauge(
                "sidemirror_scheduler_last_tick_timestamp_seconds",
                "When this process last scheduled due mirrors; the latest of all workers counts",
            )?,
            limits: add.counters(
                "sidemirror_limit_exceeded_total",
                "Runs that passed a limit, by its key",
                &["limit"],
            )?,
            deferrals: add.counters(
                "sidemirror_host_deferrals_total",
                "Runs that did not get to their host, by reason",
                &["reason"],
            )?,
            breakers: add.int_gauge("sidemirror_host_breakers_open", "Hosts that are given up for a while")?,
            registry,
        };
        metrics.redis_up.set(1);
        Ok(metrics)
    }

    /// Everything, in Prometheus' text format.
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics could not be written");
        }
        String::from_utf8(text).unwrap_or_default()
    }

    /// There is a `git` program, or there is none.
    pub fn has_git_program(&self, there: bool) {
        self.git_program.set(there.into());
    }

    /// Redis was lost, or found again.
    pub fn redis_is_lost(&self, lost: bool) {
        self.redis_up.set(i64::from(!lost));
    }

    /// Redis came back without its data.
    pub fn redis_lost_its_data(&self) {
        self.redis_data_losses.inc();
    }

    /// So many hosts are given up.
    pub fn hosts_given_up(&self, hosts: usize) {
        self.breakers.set(whole(hosts));
    }

    fn show_mirrors(&self, tick: &Tick) {
        let count = |state, number| self.mirrors.with_label_values(&[state]).set(whole(number));
        count("due", tick.counts.due);
        count("scheduled", tick.counts.scheduled);
        count("started", tick.counts.started);
        count("failed", tick.counts.failed);
        count("hard_failed", tick.counts.hard_failed);
        self.capacity_max.with_label_values(&[] as &[&str]).set(whole(tick.capacity_max));
        self.capacity_taken.with_label_values(&[] as &[&str]).set(whole(tick.capacity_taken));
    }
}

fn whole<N: TryInto<i64>>(number: N) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

impl RunObserver for Metrics {
    fn run_ended(&self, report: &RunReport) {
        let direction = report.direction.as_str();
        let engine = report.engine.map_or("none", EngineName::as_str);
        self.runs.with_label_values(&[direction, report.outcome.as_str(), engine]).inc();
        if let Some(reason) = report.handover {
            self.handovers.with_label_values(&[reason.as_str()]).inc();
        }
        self.update.with_label_values(&[direction]).observe(report.duration.as_secs_f64());
        if let Some(waiting) = report.waiting {
            self.waiting.observe(waiting.as_secs_f64());
        }
    }

    fn limit_exceeded(&self, key: &'static str) {
        self.limits.with_label_values(&[key]).inc();
    }

    fn host_deferred(&self, reason: &'static str) {
        self.deferrals.with_label_values(&[reason]).inc();
    }
}

/// What the [watch](super::watch) reports.
impl Metrics {
    /// A job ended; `class` is one of a known few.
    pub(super) fn job_finished(&self, class: &str, report: &JobReport<'_>) {
        self.jobs.with_label_values(&[class, report.outcome.as_str()]).inc();
        if report.outcome == Outcome::Foreign {
            self.foreign.inc();
            return;
        }
        self.job_duration.with_label_values(&[class]).observe(report.duration.as_secs_f64());
    }

    pub(super) fn queue_latency(&self, queue: &str, latency: Duration) {
        self.queue_latency.with_label_values(&[queue]).set(latency.as_secs_f64());
    }

    pub(super) fn jobs_rescued(&self, jobs: u64) {
        self.rescued.inc_by(jobs);
    }

    pub(super) fn jobs_quarantined(&self, jobs: u64) {
        self.quarantined.inc_by(jobs);
    }

    pub(super) fn running(&self, overdue: usize, oldest: Duration) {
        self.overdue.set(whole(overdue));
        self.oldest.set(oldest.as_secs_f64());
    }

    pub(super) fn paused(&self, paused: bool) {
        self.paused.set(paused.into());
    }

    pub(super) fn jobs_recovered(&self, jobs: u64) {
        self.recovered.inc_by(jobs);
    }

    pub(super) fn led(&self, tick: &Tick) {
        self.last_tick.set(chrono::Utc::now().timestamp() as f64);
        self.show_mirrors(tick);
    }

    pub(super) fn followed(&self) {
        // Figures that another process measures now must not stand here, too, and grow old.
        self.mirrors.reset();
        self.capacity_max.reset();
        self.capacity_taken.reset();
    }

    pub(super) fn scheduled(&self, mirrors: usize) {
        self.scheduled.inc_by(mirrors.try_into().unwrap_or(u64::MAX));
    }

    pub(super) fn freed(&self, slots: usize) {
        self.abandoned.inc_by(slots.try_into().unwrap_or(u64::MAX));
    }
}

/// Makes and registers figures.
struct Adder<'a>(&'a Registry);

impl Adder<'_> {
    fn register<C: prometheus::core::Collector + Clone + 'static>(&self, figure: C) -> Result<C, prometheus::Error> {
        self.0.register(Box::new(figure.clone()))?;
        Ok(figure)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.register(IntCounter::new(name, help)?)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
        self.register(Gauge::new(name, help)?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, prometheus::Error> {
        self.register(GaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn int_gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.register(IntGauge::new(name, help)?)
    }

    fn int_gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, prometheus::Error> {
        self.register(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
    }

    fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, prometheus::Error> {
        self.register(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?)
    }
}
