//! Jobs that GitLab cancels, as its administrators can: it leaves a key of the job's name, for a day.
//!
//! The key is looked for when a job begins and, while it runs, twice a second. So there is no need to subscribe to the
//! channel on which GitLab tells its own processes the same.

use std::time::Duration;

use redis::Cmd;

use super::carried::Carried;
use super::{answered, outage};
use crate::sidekiq::engine::Engine;
use crate::sidekiq::job::Job;
use crate::sidekiq::observer::Outcome;
use crate::sidekiq::settle::Settlement;

/// The time between two looks. Most jobs are over before the first.
const PERIOD: Duration = Duration::from_millis(500);

/// Asks whether a job is cancelled.
pub(super) fn question(carried: &Carried) -> Cmd {
    let mut exists = redis::cmd("EXISTS");
    exists.arg(format!("sidekiq:cancel:{}", carried.jid));
    exists
}

/// Calls the job off: it ends in the dead set.
pub(super) fn obey(job: &Job) {
    if job.execution().call_off() {
        tracing::warn!("cancelled in GitLab");
    }
}

/// Runs a job and calls it off as soon as it is cancelled.
pub(super) async fn heeding(
    engine: &Engine,
    job: &Job,
    carried: &Carried,
    run: impl Future<Output = (Settlement, Outcome)>,
) -> (Settlement, Outcome) {
    let look = async {
        while !job.is_called_off() {
            tokio::time::sleep(PERIOD).await;
            match engine.gitlab.shared_state.query(&question(carried)).await {
                Ok(true) => obey(job),
                Ok(false) => answered(engine, &engine.gitlab.shared_state.server()),
                Err(error) => outage(engine, error.server()).failed("looking for jobs cancelled in GitLab", &error),
            }
        }
        std::future::pending().await
    };
    tokio::select! {
        ended = run => ended,
        ended = look => ended,
    }
}
