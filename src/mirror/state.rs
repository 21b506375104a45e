//! How a mirror's runs went, and the events that change it.
//!
//! ```text
//!  none ──────┐
//!  finished ──┼─ schedule ─▶ scheduled ─ start ─▶ started ─ finish ─▶ finished
//!  failed ────┘                  │                  │ │
//!      └────────── start ────────┼─────────▶ started │ └─── fail ───▶ failed
//!                                │ ◀── interrupt ────┤
//!                                └──── abandon ──────┴────────────▶ failed
//! ```

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::engine::EngineName;
use super::key::Direction;
use super::timing::{self, Jitter, MAX_RETRY};

/// Where a mirror stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Never ran.
    #[default]
    None,
    /// Its job is in a queue.
    Scheduled,
    /// A run is under way.
    Started,
    /// The last run succeeded.
    Finished,
    /// The last run failed.
    Failed,
}

impl Status {
    /// GitLab's word for it, as stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Scheduled => "scheduled",
            Self::Started => "started",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }

    /// Whether a mirror in this state is under way and so counts against the capacity.
    pub const fn is_under_way(self) -> bool {
        matches!(self, Self::Scheduled | Self::Started)
    }
}

/// What a successful run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Refs created, moved or deleted.
    pub refs_changed: u64,
}

/// How a mirror's runs went. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunState {
    /// Where it stands.
    pub status: Status,
    /// Failures in a row.
    pub retry_count: u32,
    /// Why the last run failed; nothing after a success. Never holds a secret.
    pub last_error: Option<String>,
    /// When it was last put into a queue.
    pub last_update_scheduled_at: Option<DateTime<Utc>>,
    /// When its last run began.
    pub last_update_started_at: Option<DateTime<Utc>>,
    /// When its last run ended.
    pub last_update_at: Option<DateTime<Utc>>,
    /// When its last successful run ended.
    pub last_successful_update_at: Option<DateTime<Utc>>,
    /// When a run last changed a ref; a run that finds nothing new leaves it.
    pub last_changed_at: Option<DateTime<Utc>>,
    /// When a pull mirror is due next.
    pub next_execution_at: Option<DateTime<Utc>>,
    /// Refs that the last successful run changed.
    pub last_refs_changed: Option<u64>,
    /// What moved the objects of the last run, if it came to that.
    pub last_engine: Option<EngineName>,
    /// The job it was last scheduled with.
    pub jid: Option<String>,
    /// The run that is under way.
    pub run: Option<String>,
    /// Whether the settings have become others since that run began, so that its end says nothing of them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub outdated: bool,
}

/// Something that happens to a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It is put into a queue, as this job.
    Schedule {
        /// The job's id.
        jid: String,
    },
    /// This run, which owns the mirror, begins. It may follow a run that died without an end.
    Start {
        /// The run.
        run: String,
    },
    /// This run ends well.
    Finish {
        /// The run.
        run: String,
        /// What it did.
        summary: RunSummary,
        /// With which engine.
        engine: Option<EngineName>,
    },
    /// This run fails.
    Fail {
        /// The run.
        run: String,
        /// Why, masked.
        error: String,
        /// With which engine, if it came to that.
        engine: Option<EngineName>,
    },
    /// This run is broken off, and its job will be run again.
    Interrupt {
        /// The run.
        run: String,
        /// The job, which is back in a queue.
        jid: String,
    },
    /// This run could not begin, for a reason that is not the mirror's: it is no failure of its own, and tried again soon.
    PutOff {
        /// The run.
        run: String,
        /// Why, masked.
        error: String,
        /// After this time.
        wait: TimeDelta,
    },
    /// It was proved that nobody will finish what was scheduled or started.
    Abandon {
        /// What was scheduled or started, as it was seen: another job or run is not meant.
        seen: UnderWay,
        /// How that shows, for the user.
        error: String,
    },
    /// Somebody wants it to run now: it becomes due, and a hard failure is forgiven.
    Force,
}

/// What a mirror is waiting for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnderWay {
    /// Scheduled: this job.
    Job(Option<String>),
    /// Started: this run.
    Run(Option<String>),
}

/// What the transitions need from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// Which way the mirror goes: only a pull mirror has a next execution.
    pub direction: Direction,
    /// The time it is.
    pub now: DateTime<Utc>,
    /// The longest rest between two runs.
    pub max_delay: TimeDelta,
    /// The random part of the next execution.
    pub jitter: Jitter,
}

/// An event that does not apply to a mirror in this state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The state does not know this event.
    #[error("the mirror is {}", .0.as_str())]
    Status(Status),
    /// The run is no longer the mirror's.
    #[error("another run owns the mirror")]
    NotThisRun,
}

impl RunState {
    /// The state of a mirror just made: due at once if it is a pull mirror.
    pub fn new(direction: Direction, now: DateTime<Utc>) -> Self {
        Self { next_execution_at: (direction == Direction::Pull).then_some(now), ..Self::default() }
    }

    /// Forgives what happened under other settings, and makes a pull mirror due. When it ran stays known. Of a run
    /// that is under way, the result is forgotten when it ends.
    pub fn begin_anew(&mut self, direction: Direction, now: DateTime<Utc>) {
        if self.status == Status::Started {
            self.outdated = true;
            return;
        }
        let fresh = Self::new(direction, now);
        self.status = fresh.status;
        self.retry_count = fresh.retry_count;
        self.last_error = fresh.last_error;
        self.next_execution_at = fresh.next_execution_at;
        self.jid = fresh.jid;
    }

    /// Whether it failed too often to be scheduled again.
    pub const fn is_hard_failed(&self) -> bool {
        self.retry_count > MAX_RETRY
    }

    /// When it is due, if it is to be scheduled at all.
    pub fn due_at(&self) -> Option<DateTime<Utc>> {
        self.next_execution_at.filter(|_| !self.status.is_under_way() && !self.is_hard_failed())
    }

    /// What it is waiting for, if it is under way.
    pub fn under_way(&self) -> Option<UnderWay> {
        match self.status {
            Status::Scheduled => Some(UnderWay::Job(self.jid.clone())),
            Status::Started => Some(UnderWay::Run(self.run.clone())),
            Status::None | Status::Finished | Status::Failed => None,
        }
    }

    /// How long the last run took, once it has ended.
    pub fn last_duration(&self) -> Option<TimeDelta> {
        let ended = self.last_update_at.filter(|_| !self.status.is_under_way())?;
        Some(ended - self.last_update_started_at.filter(|started| *started <= ended)?)
    }

    /// The state after an event.
    ///
    /// # Errors
    /// [`Refused`] when the event does not apply; the state then stays as it is.
    pub fn after(&self, event: &Event, at: &Circumstances) -> Result<Self, Refused> {
        let mut next = self.clone();
        match event {
            Event::Schedule { jid } => {
                if self.status.is_under_way() {
                    return Err(Refused::Status(self.status));
                }
                next.status = Status::Scheduled;
                next.last_update_scheduled_at = Some(at.now);
                next.jid = Some(jid.clone());
            }
            Event::Start { run } => {
                next.status = Status::Started;
                next.last_update_started_at = Some(at.now);
                next.run = Some(run.clone());
                next.outdated = false;
            }
            Event::Finish { run, summary, engine } => {
                self.belongs_to(run)?;
                next.last_engine = *engine;
                next.end(Status::Finished, at);
                if self.outdated {
                    next.begin_anew(at.direction, at.now);
                    return Ok(next);
                }
                next.last_successful_update_at = Some(at.now);
                next.last_refs_changed = Some(summary.refs_changed);
                if summary.refs_changed > 0 {
                    next.last_changed_at = Some(at.now);
                }
                next.last_error = None;
                next.retry_count = 0;
                next.rest(at);
            }
            Event::Fail { run, error, engine } => {
                self.belongs_to(run)?;
                next.last_engine = *engine;
                next.failed(error, at);
            }
            Event::Interrupt { run, jid } => {
                self.belongs_to(run)?;
                next.status = Status::Scheduled;
                next.last_update_scheduled_at = Some(at.now);
                next.jid = Some(jid.clone());
                next.run = None;
                next.outdated = false;
            }
            Event::PutOff { run, error, wait } => {
                self.belongs_to(run)?;
                next.end(Status::Failed, at);
                if self.outdated {
                    next.begin_anew(at.direction, at.now);
                    return Ok(next);
                }
                next.last_error = Some(error.clone());
                next.next_execution_at = (at.direction == Direction::Pull).then(|| at.now + *wait);
            }
            Event::Abandon { seen, error } => match self.under_way() {
                Some(now) if now != *seen => return Err(Refused::NotThisRun),
                Some(UnderWay::Run(_)) => next.failed(error, at),
                // It never ran, so it is no failure of its own: due again at once.
                Some(UnderWay::Job(_)) => {
                    next.end(Status::Failed, at);
                    next.last_error = Some(error.clone());
                    next.next_execution_at = (at.direction == Direction::Pull).then_some(at.now);
                }
                None => return Err(Refused::Status(self.status)),
            },
            Event::Force => {
                if self.status.is_under_way() {
                    return Err(Refused::Status(self.status));
                }
                if self.is_hard_failed() {
                    next.retry_count = 0;
                }
                next.next_execution_at = (at.direction == Direction::Pull).then_some(at.now);
            }
        }
        Ok(next)
    }

    fn belongs_to(&self, run: &str) -> Result<(), Refused> {
        match (self.status, &self.run) {
            (Status::Started, Some(owner)) if owner == run => Ok(()),
            (Status::Started, _) => Err(Refused::NotThisRun),
            (status, _) => Err(Refused::Status(status)),
        }
    }

    fn end(&mut self, status: Status, at: &Circumstances) {
        self.status = status;
        self.last_update_at = Some(at.now);
        self.run = None;
        self.outdated = false;
    }

    fn failed(&mut self, error: &str, at: &Circumstances) {
        let outdated = self.outdated;
        self.end(Status::Failed, at);
        if outdated {
            self.begin_anew(at.direction, at.now);
            return;
        }
        self.last_error = Some(error.to_owned());
        self.retry_count = self.retry_count.saturating_add(1);
        self.rest(at);
    }

    fn rest(&mut self, at: &Circumstances) {
        self.next_execution_at = (at.direction == Direction::Pull).then(|| {
            timing::next_execution(at.now, self.last_update_started_at, self.retry_count, at.max_delay, at.jitter)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Circumstances {
        Circumstances {
            direction: Direction::Pull,
            now: DateTime::from_timestamp(1_795_000_000 + seconds, 0).unwrap(),
            max_delay: TimeDelta::minutes(300),
            jitter: Jitter::default(),
        }
    }

    fn schedule() -> Event {
        Event::Schedule { jid: "j".into() }
    }
    fn start(run: &str) -> Event {
        Event::Start { run: run.into() }
    }
    fn finish(run: &str) -> Event {
        Event::Finish { run: run.into(), summary: RunSummary { refs_changed: 3 }, engine: Some(EngineName::Git) }
    }
    fn fail(run: &str) -> Event {
        Event::Fail { run: run.into(), error: "no route".into(), engine: None }
    }

    fn state(events: &[Event]) -> RunState {
        events
            .iter()
            .fold(RunState::new(Direction::Pull, at(0).now), |state, event| state.after(event, &at(1)).unwrap())
    }

    #[test]
    fn a_new_pull_mirror_is_due_at_once_and_not_while_under_way() {
        assert_eq!(state(&[]).due_at(), Some(at(0).now));
        assert_eq!(state(&[schedule()]).due_at(), None);
        assert_eq!(state(&[schedule(), start("a")]).due_at(), None);
        assert_eq!(RunState::new(Direction::Push, at(0).now).due_at(), None);
    }

    #[test]
    fn a_finished_run_clears_the_error_and_rests() {
        let state = state(&[start("a"), fail("a"), schedule(), start("b"), finish("b")]);
        assert_eq!((state.status, state.retry_count, state.last_error.clone()), (Status::Finished, 0, None));
        assert_eq!(state.last_update_at, state.last_successful_update_at);
        assert_eq!(state.due_at(), Some(at(1 + 1800).now));
    }

    #[test]
    fn the_fifteenth_failure_in_a_row_is_hard_and_force_forgives_it() {
        let mut events: Vec<Event> = (0..14).flat_map(|_| [start("a"), fail("a")]).collect();
        assert!(state(&events).due_at().is_some());
        events.extend([start("a"), fail("a")]);
        assert!(state(&events).is_hard_failed());
        assert_eq!(state(&events).due_at(), None);
        events.push(Event::Force);
        assert_eq!((state(&events).retry_count, state(&events).due_at()), (0, Some(at(1).now)));
    }

    #[test]
    fn only_the_run_that_owns_the_mirror_may_end_it() {
        let taken_over = state(&[start("a"), start("b")]);
        assert_eq!(taken_over.after(&finish("a"), &at(2)), Err(Refused::NotThisRun));
        assert_eq!(taken_over.after(&fail("a"), &at(2)), Err(Refused::NotThisRun));
        assert!(taken_over.after(&finish("b"), &at(2)).is_ok());
        assert_eq!(state(&[start("a"), finish("a")]).after(&fail("a"), &at(2)), Err(Refused::Status(Status::Finished)));
    }

    #[test]
    fn an_abandoned_schedule_is_no_failure_but_an_abandoned_run_is() {
        let abandon = |seen| Event::Abandon { seen, error: "lost".into() };
        let (job, run) = (abandon(UnderWay::Job(Some("j".into()))), abandon(UnderWay::Run(Some("a".into()))));
        let scheduled = state(&[schedule(), job.clone()]);
        assert_eq!((scheduled.status, scheduled.retry_count, scheduled.due_at()), (Status::Failed, 0, Some(at(1).now)));
        assert_eq!(state(&[start("a"), run.clone()]).retry_count, 1);
        assert_eq!(state(&[]).after(&run, &at(1)), Err(Refused::Status(Status::None)));
        // What has gone on meanwhile is not abandoned.
        assert_eq!(state(&[schedule(), start("a")]).after(&job, &at(2)), Err(Refused::NotThisRun));
        assert_eq!(state(&[start("b")]).after(&run, &at(2)), Err(Refused::NotThisRun));
    }

    #[test]
    fn an_interrupted_run_waits_for_its_job_and_is_no_failure() {
        let interrupt = Event::Interrupt { run: "a".into(), jid: "again".into() };
        let state = state(&[start("a"), interrupt.clone()]);
        assert_eq!((state.status, state.retry_count, state.last_error.clone()), (Status::Scheduled, 0, None));
        assert_eq!(state.under_way(), Some(UnderWay::Job(Some("again".into()))));
        assert!(state.after(&interrupt, &at(2)).is_err());
    }

    #[test]
    fn a_run_that_is_put_off_is_due_soon_and_no_failure() {
        let wait = TimeDelta::seconds(40);
        let put_off = Event::PutOff { run: "a".into(), error: "down".into(), wait };
        let state = state(&[start("a"), put_off.clone()]);
        assert_eq!((state.status, state.retry_count), (Status::Failed, 0));
        assert_eq!((state.last_error.as_deref(), state.due_at()), (Some("down"), Some(at(1).now + wait)));
        assert!(state.after(&put_off, &at(2)).is_err());
    }

    #[test]
    fn the_end_of_a_run_says_nothing_of_settings_that_came_after_its_beginning() {
        for end in [finish("a"), fail("a")] {
            let mut state = state(&[start("b"), fail("b"), schedule(), start("a")]);
            state.begin_anew(Direction::Pull, at(2).now);
            assert_eq!(state.under_way(), Some(UnderWay::Run(Some("a".into()))), "it goes on");
            let ended = state.after(&end, &at(3)).unwrap();
            assert_eq!((ended.status, ended.retry_count, ended.last_error.clone()), (Status::None, 0, None));
            assert_eq!((ended.due_at(), ended.last_successful_update_at), (Some(at(3).now), None));
            assert_eq!(ended.last_update_at, Some(at(3).now), "it did run");
            let next = ended.after(&start("c"), &at(4)).unwrap().after(&finish("c"), &at(5)).unwrap();
            assert_eq!(next.status, Status::Finished);
        }
        // A run that begins after the change knows it.
        let mut taken_over = state(&[start("a")]);
        taken_over.begin_anew(Direction::Pull, at(2).now);
        let taken_over = taken_over.after(&start("b"), &at(3)).unwrap().after(&finish("b"), &at(4)).unwrap();
        assert_eq!(taken_over.status, Status::Finished);
    }

    #[test]
    fn nothing_under_way_is_scheduled_twice() {
        assert_eq!(state(&[schedule()]).after(&schedule(), &at(2)), Err(Refused::Status(Status::Scheduled)));
        assert_eq!(state(&[start("a")]).after(&Event::Force, &at(2)), Err(Refused::Status(Status::Started)));
    }
}
