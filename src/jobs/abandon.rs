//! What a mirror waits for is given up when its job will not be run (again).

use super::environment::Environment;
use crate::coordination::capacity::Slots;
use crate::coordination::run;
use crate::mirror::key::{Direction, MirrorKey};
use crate::mirror::state::{Event, UnderWay};
use crate::store::{MirrorStore, StoreError, Transition};

/// Fails what the mirror waits for, and frees its slot, if that is the job of this id: another job's, or a run that
/// goes on elsewhere, is not meant. `error` is what its owner reads. Tells whether it was so.
///
/// # Errors
/// When the store does not answer. The slot is then freed by the scheduler, when nobody has used it for long enough.
pub async fn abandon(
    store: &dyn MirrorStore,
    slots: &Slots,
    key: MirrorKey,
    jid: &str,
    error: &str,
) -> Result<bool, StoreError> {
    let Some(seen) = store.load(key).await?.and_then(|mirror| mirror.state.under_way()) else { return Ok(false) };
    let job = match &seen {
        UnderWay::Job(job) => job.as_deref(),
        UnderWay::Run(run) => run.as_deref().and_then(run::job_of),
    };
    if job != Some(jid) {
        return Ok(false);
    }
    let event = Event::Abandon { seen, error: error.to_owned() };
    let done = matches!(store.transition(key, event).await?, Transition::Done(_));
    if done && key.direction == Direction::Pull {
        slots.release(&[key.id]).await?;
    }
    Ok(done)
}

/// The same within a job, which has nobody to tell of an error but the log.
pub(super) async fn abandoned(environment: &Environment, key: MirrorKey, jid: &str, error: &str) {
    match abandon(&*environment.store, &environment.slots, key, jid, error).await {
        Ok(true) => tracing::warn!(mirror = %key, "failed: {error}"),
        Ok(false) => {}
        Err(problem) => tracing::warn!(mirror = %key, "what it waits for could not be given up: {problem}"),
    }
}
