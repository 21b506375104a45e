//! Capsules: the one that the top of the file and the command line describe, and those below `capsules`.

use super::error::ConfigError;
use super::queues;
use super::section::Section;
use crate::sidekiq::{Capsule, QueueSet};

/// Jobs that one process may run at once, in all its capsules together.
const MOST: usize = 1000;

/// Adds the capsules of the file to the default one. One that is itself called `default` takes its place.
pub(super) fn capsules(root: &mut Section, default: Capsule) -> Result<Vec<Capsule>, ConfigError> {
    let mut section = root.section("capsules")?;
    let mut capsules = vec![default];
    for name in section.keys() {
        let mut inner = section.section(&name)?;
        let concurrency = inner.number("concurrency", 1..=MOST)?;
        let concurrency = concurrency
            .ok_or_else(|| inner.error("concurrency", "is missing", format!("a whole number from 1 to {MOST}")))?;
        let queues = queues::in_section(&mut inner)?;
        let queues =
            QueueSet::new(queues).map_err(|error| inner.error("queues", error.to_string(), queues::ACCEPTED))?;
        inner.finish()?;
        let capsule = Capsule { name, concurrency, queues };
        match capsules.iter_mut().find(|known| known.name == capsule.name) {
            Some(known) => *known = capsule,
            None => capsules.push(capsule),
        }
    }
    let all: usize = capsules.iter().map(|capsule| capsule.concurrency).sum();
    if all > MOST {
        let problem = format!("with them, {all} jobs would run at once");
        return Err(root.error(
            "capsules",
            problem,
            format!("a concurrency of at most {MOST} in all capsules together"),
        ));
    }
    Ok(capsules)
}
