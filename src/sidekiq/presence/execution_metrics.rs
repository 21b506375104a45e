//! What the page of metrics of Sidekiq 7 and 8 shows: executions, failures and times by class and minute.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use redis::Pipeline;

use crate::connections::{Redis, RedisError};
use crate::sidekiq::job::payload::Payload;
use crate::sidekiq::keys::Keys;
use crate::sidekiq::profile::Profile;

/// A time belongs to the first of these, in milliseconds, that is above it, or to the class of the slow after them.
const BOUNDS: [u64; 25] = [
    20, 30, 45, 65, 100, 150, 225, 335, 500, 750, 1100, 1700, 2500, 3800, 5750, 8500, 13_000, 20_000, 30_000, 45_000,
    65_000, 100_000, 150_000, 225_000, 335_000,
];

/// How long figures by the minute, and by ten minutes, are kept, in seconds.
const MINUTES_KEPT: u32 = 8 * 60 * 60;
const TEN_MINUTES_KEPT: u32 = 3 * 24 * 60 * 60;

/// Classes between two flushes, and the length of a name. Both come from whoever pushes.
const CLASSES: usize = 1000;
const LONGEST_NAME: usize = 255;

/// Executions since the last flush.
#[derive(Default)]
pub(in crate::sidekiq) struct ExecutionMetrics(Mutex<HashMap<String, Figures>>);

/// What happened to one class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Figures {
    processed: u64,
    failed: u64,
    milliseconds: u64,
    histogram: [u64; BOUNDS.len() + 1],
}

impl Figures {
    fn add(&mut self, other: &Self) {
        self.processed += other.processed;
        self.failed += other.failed;
        self.milliseconds += other.milliseconds;
        for (count, more) in self.histogram.iter_mut().zip(other.histogram) {
            *count += more;
        }
    }
}

impl ExecutionMetrics {
    /// A job was executed: with success and in this time, or with a failure, whose time tells nothing.
    pub(in crate::sidekiq) fn count(&self, job: &Payload, succeeded_in: Option<Duration>) {
        let Some(class) = job.get::<String>("wrapped").or_else(|| job.get("class")) else { return };
        // What stands behind a bar is read as the name of a figure.
        if class.len() > LONGEST_NAME || class.contains('|') {
            return;
        }
        let mut execution = Figures { processed: 1, ..Figures::default() };
        if let Some(time) = succeeded_in {
            execution.milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            execution.histogram[BOUNDS.partition_point(|bound| *bound <= execution.milliseconds)] = 1;
        } else {
            execution.failed = 1;
        }
        add(&mut self.classes(), class, &execution);
    }

    /// Adds what was counted to the figures in Redis; keeps it for the next time if Redis serves nobody now. What
    /// is refused is gone: the part that was not refused is counted already. Versions that have no such page get nothing.
    pub(in crate::sidekiq) async fn flush(
        &self,
        redis: &Redis,
        keys: &Keys,
        profile: Profile,
        now: DateTime<Utc>,
    ) -> Result<(), RedisError> {
        let classes = mem::take(&mut *self.classes());
        let Some(names) = Names::of(profile, now).filter(|_| !classes.is_empty()) else { return Ok(()) };
        let mut commands = redis::pipe();
        for (class, figures) in &classes {
            write_histogram(&mut commands, &keys.named(&names.histogram(class)), figures);
        }
        for (hash, kept) in names.hashes() {
            write_hash(&mut commands, &keys.named(&hash), kept, &classes);
        }
        redis.pipeline::<()>(&commands).await.inspect_err(|error| {
            if !error.is_outage() {
                return;
            }
            let mut counted = self.classes();
            for (class, figures) in classes {
                add(&mut counted, class, &figures);
            }
        })
    }

    fn classes(&self) -> MutexGuard<'_, HashMap<String, Figures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Classes beyond the bound are not counted until the next flush.
fn add(classes: &mut HashMap<String, Figures>, class: String, figures: &Figures) {
    if classes.len() < CLASSES || classes.contains_key(&class) {
        classes.entry(class).or_default().add(figures);
    }
}

fn write_histogram(commands: &mut Pipeline, key: &str, figures: &Figures) {
    if figures.histogram.iter().all(|count| *count == 0) {
        return;
    }
    let add = commands.cmd("BITFIELD").arg(key).arg("OVERFLOW").arg("SAT");
    for (index, count) in figures.histogram.iter().enumerate().filter(|(_, count)| **count > 0) {
        add.arg("INCRBY").arg("u16").arg(format!("#{index}")).arg(count);
    }
    add.ignore();
    commands.cmd("EXPIRE").arg(key).arg(MINUTES_KEPT).ignore();
}

fn write_hash(commands: &mut Pipeline, key: &str, kept: u32, classes: &HashMap<String, Figures>) {
    for (class, figures) in classes {
        for (name, value) in [("p", figures.processed), ("f", figures.failed), ("ms", figures.milliseconds)] {
            if value > 0 {
                commands.cmd("HINCRBY").arg(key).arg(format!("{class}|{name}")).arg(value).ignore();
            }
        }
    }
    commands.cmd("EXPIRE").arg(key).arg(kept).ignore();
}

/// The names of the keys of one minute.
enum Names {
    Seven(DateTime<Utc>),
    Eight(DateTime<Utc>),
}

impl Names {
    fn of(profile: Profile, now: DateTime<Utc>) -> Option<Self> {
        match profile {
            Profile::V6_4 | Profile::V6_5 => None,
            Profile::V7 => Some(Self::Seven(now)),
            Profile::V8 => Some(Self::Eight(now)),
        }
    }

    fn histogram(&self, class: &str) -> String {
        match self {
            Self::Seven(now) => format!("{class}-{}", now.format("%d-%H:%-M")),
            Self::Eight(now) => format!("h|{class}-{}", now.format("%-d-%-H:%-M")),
        }
    }

    /// The hashes of the figures of all classes, and how long each is kept.
    fn hashes(&self) -> Vec<(String, u32)> {
        match self {
            Self::Seven(now) => vec![(now.format("j|%Y%m%d|%-H:%-M").to_string(), MINUTES_KEPT)],
            Self::Eight(now) => {
                let minute = now.format("j|%y%m%d|%-H:%M").to_string();
                let ten_minutes = minute[..minute.len() - 1].to_owned();
                vec![(ten_minutes, TEN_MINUTES_KEPT), (minute, MINUTES_KEPT)]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(text: &str) -> Payload {
        Payload::parse(text.to_owned()).unwrap()
    }

    #[test]
    fn the_keys_of_a_minute_are_padded_as_each_version_pads_them() {
        let early: DateTime<Utc> = "2026-01-02T07:05:59Z".parse().unwrap();
        let late: DateTime<Utc> = "2026-11-22T17:45:00Z".parse().unwrap();
        let all = |profile, now| {
            let names = Names::of(profile, now).unwrap();
            let mut keys: Vec<String> = names.hashes().into_iter().map(|(hash, _)| hash).collect();
            keys.push(names.histogram("A::B"));
            keys.join(" ")
        };
        assert_eq!(all(Profile::V7, early), "j|20260102|7:5 A::B-02-07:5");
        assert_eq!(all(Profile::V7, late), "j|20261122|17:45 A::B-22-17:45");
        assert_eq!(all(Profile::V8, early), "j|260102|7:0 j|260102|7:05 h|A::B-2-7:5");
        assert_eq!(all(Profile::V8, late), "j|261122|17:4 j|261122|17:45 h|A::B-22-17:45");
        assert!(Names::of(Profile::V6_4, late).is_none() && Names::of(Profile::V6_5, late).is_none());
    }

    #[test]
    fn a_time_belongs_to_the_first_bound_above_it() {
        let metrics = ExecutionMetrics::default();
        let times = [0, 19, 20, 29, 30, 334_999, 335_000, 4_000_000];
        for time in times {
            metrics.count(&payload(r#"{"class":"A"}"#), Some(Duration::from_millis(time)));
        }
        let figures = metrics.classes()["A"].clone();
        let filled: Vec<_> = figures.histogram.iter().copied().enumerate().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(0, 2), (1, 2), (2, 1), (24, 1), (25, 2)]);
        assert_eq!((figures.processed, figures.failed, figures.milliseconds), (8, 0, times.iter().sum()));
    }

    #[test]
    fn names_that_would_fill_the_memory_or_confuse_a_reader_are_not_counted() {
        let metrics = ExecutionMetrics::default();
        for number in 0..CLASSES + 5 {
            metrics.count(&payload(&format!(r#"{{"class":"Wrapper","wrapped":"Job{number}"}}"#)), None);
        }
        metrics.count(&payload(r#"{"class":"Job1"}"#), None);
        let classes = metrics.classes();
        assert_eq!((classes.len(), classes["Job1"].failed), (CLASSES, 2));
        drop(classes);
        let metrics = ExecutionMetrics::default();
        for class in ["A|f", &"A".repeat(LONGEST_NAME + 1)] {
            metrics.count(&payload(&format!(r#"{{"class":"{class}"}}"#)), None);
        }
        assert!(metrics.classes().is_empty());
    }
}
