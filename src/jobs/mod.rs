//! The job classes, one to a file: the only place where Sidekiq, mirrors, git, the store and coordination meet.

mod abandon;
mod access;
mod ancestry;
mod environment;
mod error;
mod host;
mod left_behind;
mod limits;
mod remote_mirror;
mod run;
mod shortfall;
mod update_mirror;

use std::sync::Arc;

use serde_json::Value;

pub use abandon::abandon;
pub use access::access;
pub use environment::{Environment, RunObserver, RunOutcome, RunReport};
pub use error::RunError;
pub use left_behind::LeftBehind;
pub use limits::{allowance, transfer as transfer_limits};
pub use remote_mirror::RemoteMirror;
pub use shortfall::Shortfall;
pub use update_mirror::UpdateMirror;

use crate::mirror::key::{Direction, MirrorId, MirrorKey};
use crate::mirror::refs::RefOutcome;
use crate::mirror::state::RunSummary;
use crate::sidekiq::Registry;
use crate::sidekiq::{Job, JobFailure};

/// The class of the jobs that we push ourselves; the Rails side has workers of these names.
pub const fn class_of(direction: Direction) -> &'static str {
    match direction {
        Direction::Pull => "UpdateMirror",
        Direction::Push => "RemoteMirror",
    }
}

/// The classes and the work behind each.
pub fn registry<'a>(environment: &Arc<Environment>, classes: impl Iterator<Item = (&'a str, Direction)>) -> Registry {
    classes.fold(Registry::new(), |registry, (class, direction)| match direction {
        Direction::Pull => registry.serve(class, Arc::new(UpdateMirror(environment.clone()))),
        Direction::Push => registry.serve(class, Arc::new(RemoteMirror(environment.clone()))),
    })
}

/// What a run did, in the branches and tags of the mirror's owner.
fn summary(made: &[RefOutcome]) -> RunSummary {
    let refs_changed = made.iter().filter(|outcome| outcome.change.name.is_mirrored()).count();
    RunSummary { refs_changed: u64::try_from(refs_changed).unwrap_or(u64::MAX) }
}

/// The mirror a job is for, in a word for the log. Nothing is inflated for a word: who sends the number of a mirror
/// compressed does not get one.
fn subject(job: &Job, key: impl FnOnce(MirrorId) -> MirrorKey) -> Option<String> {
    if job.is_compressed() {
        return None;
    }
    mirror_id(job).ok().map(|id| key(id).to_string())
}

/// The mirror a job is for: its first argument. Rails may send further ones (when it was scheduled, how often it
/// was tried), which mean nothing here.
pub(crate) fn mirror_id(job: &Job) -> Result<MirrorId, JobFailure> {
    let args = job.args()?;
    let number = match args.first() {
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64(),
        None => None,
    };
    number.map(MirrorId).ok_or_else(|| {
        JobFailure::new("ArgumentError", "the job's first argument is not the number of a mirror, such as 42")
    })
}
