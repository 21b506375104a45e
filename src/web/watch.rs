//! Turns what the rooms below report into figures and signs of life.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::health::Health;
use super::metrics::Metrics;
use crate::scheduler::{SchedulerObserver, Tick};
use crate::sidekiq::{JobReport, Observer};

/// Told everything, keeps nothing.
#[derive(Debug)]
pub struct Watch {
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    classes: BTreeSet<String>,
}

impl Watch {
    /// A watch over jobs of these classes; all others share a label, since anybody may name a class.
    pub fn new<'a>(health: Arc<Health>, metrics: Arc<Metrics>, classes: impl Iterator<Item = &'a String>) -> Self {
        Self { health, metrics, classes: classes.cloned().collect() }
    }
}

impl Observer for Watch {
    fn job_finished(&self, report: &JobReport<'_>) {
        let class = self.classes.get(report.class).map_or("other", String::as_str);
        self.metrics.job_finished(class, report);
    }

    fn turn(&self, part: &'static str) {
        self.health.turn(part);
    }

    fn ended(&self, part: &'static str) {
        self.health.ended(part);
    }

    fn redis_is_lost(&self, lost: bool) {
        self.health.redis_is_lost(lost);
        self.metrics.redis_is_lost(lost);
    }

    fn redis_lost_its_data(&self) {
        self.metrics.redis_lost_its_data();
    }

    fn queue_latency(&self, queue: &str, latency: Duration) {
        self.metrics.queue_latency(queue, latency);
    }

    fn rescued(&self, _queue: &str, jobs: u64) {
        self.metrics.jobs_rescued(jobs);
    }

    fn quarantined(&self, _queue: &str, jobs: u64) {
        self.metrics.jobs_quarantined(jobs);
    }

    fn running(&self, overdue: usize, oldest: Duration) {
        self.metrics.running(overdue, oldest);
    }

    fn paused(&self, paused: bool) {
        self.metrics.paused(paused);
    }

    fn recovered(&self, _queue: &str, jobs: u64) {
        self.metrics.jobs_recovered(jobs);
    }
}

impl SchedulerObserver for Watch {
    fn turn(&self) {
        self.health.turn("scheduler");
    }

    fn ended(&self) {
        self.health.ended("scheduler");
        self.metrics.followed();
    }

    fn led(&self, tick: &Tick) {
        self.metrics.led(tick);
    }

    fn followed(&self) {
        self.metrics.followed();
    }

    fn scheduled(&self, mirrors: usize) {
        self.metrics.scheduled(mirrors);
    }

    fn freed(&self, slots: usize) {
        self.metrics.freed(slots);
    }
}
