//! Whether this process lives and works, told from the turns its loops take. The systemd watchdog and the
//! health pages ask the same record, so that neither says "well" while a loop hangs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A loop that took no turn for so long hangs. The slowest one turns every 10 seconds.
const HANGING: Duration = Duration::from_secs(45);

/// Signs of life.
#[derive(Debug, Default)]
pub struct Health {
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    turns: BTreeMap<&'static str, Instant>,
    redis_lost: bool,
    phase: Phase,
}

/// Where the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Not ready yet.
    #[default]
    Starting,
    /// Takes jobs.
    Running,
    /// Takes no new jobs, and finishes those it has.
    Quiet,
    /// Is about to end.
    Stopping,
}

impl Health {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A loop took a turn.
    pub fn turn(&self, part: &'static str) {
        self.record().turns.insert(part, Instant::now());
    }

    /// A loop ended and will take no more turns.
    pub fn ended(&self, part: &'static str) {
        self.record().turns.remove(part);
    }

    /// Redis was lost, or found again.
    pub fn redis_is_lost(&self, lost: bool) {
        self.record().redis_lost = lost;
    }

    /// The process went on to another phase.
    pub fn enter(&self, phase: Phase) {
        self.record().phase = phase;
    }

    /// `Ok` while every loop turns; otherwise the first that does not.
    pub fn alive(&self) -> Result<(), String> {
        let record = self.record();
        let hanging = record.turns.iter().find(|(_, turn)| turn.elapsed() > HANGING);
        hanging.map_or(Ok(()), |(part, turn)| {
            Err(format!("the {part} loop took no turn for {} seconds", turn.elapsed().as_secs()))
        })
    }

    /// `Ok` while jobs are taken; otherwise why not.
    pub fn ready(&self) -> Result<(), String> {
        self.alive()?;
        let record = self.record();
        match record.phase {
            Phase::Starting => Err("starting".to_owned()),
            Phase::Quiet => Err("quiet: no new jobs are taken".to_owned()),
            Phase::Stopping => Err("stopping".to_owned()),
            Phase::Running if record.redis_lost => Err("Redis does not answer".to_owned()),
            Phase::Running => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_while_it_runs_and_redis_answers() {
        let health = Health::default();
        assert_eq!(health.ready(), Err("starting".to_owned()));
        health.enter(Phase::Running);
        assert_eq!(health.ready(), Ok(()));
        health.redis_is_lost(true);
        assert_eq!(health.ready(), Err("Redis does not answer".to_owned()));
        health.redis_is_lost(false);
        health.enter(Phase::Quiet);
        assert!(health.ready().is_err());
        assert_eq!(health.alive(), Ok(()), "quiet is no illness");
    }
}
