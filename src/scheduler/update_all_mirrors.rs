//! One pass of scheduling as a job: what Ruby's cron poller pushes when a minute is its own, and what somebody asks
//! for with "Enqueue now" in the cron tab.

use std::sync::Arc;

use async_trait::async_trait;

use super::Scheduler;
use crate::connections::Redis;
use crate::sidekiq::{CronTab, Job, JobFailure, Keys, NotDone, Origin, Perform};

/// The class of the job.
pub const CLASS: &str = "UpdateAllMirrors";

/// The name of the entry in the cron tab.
const NAME: &str = "sidemirror_update_all_mirrors";
const DESCRIPTION: &str = "sidemirror: schedules due pull mirrors";

/// The entry of our schedule in the cron tab; its jobs go into `queue`.
pub fn cron_tab(redis: Redis, keys: Keys, queue: String) -> CronTab {
    CronTab::new(redis, keys, NAME, DESCRIPTION, CLASS, queue)
}

/// The work behind the class. It needs no lease: marks and slots are taken by compare-and-swap, so two passes at a
/// time schedule nothing twice.
pub struct UpdateAllMirrors(pub Arc<Scheduler>);

#[async_trait]
impl Perform for UpdateAllMirrors {
    async fn perform(&self, job: &Job) -> Result<(), NotDone> {
        let scheduler = &self.0;
        let origin = Origin::of(job);
        match scheduler.fill(None, job.cancelled(), &origin).await {
            Ok(_) if job.cancelled().is_cancelled() => Err(NotDone::Interrupted),
            Ok(more) => {
                if more {
                    // A slot of this process is no place to wait for free slots of mirrors.
                    scheduler.more_is_due.send_replace(origin);
                }
                Ok(())
            }
            Err(error) => Err(JobFailure::from_error("RuntimeError", &error).into()),
        }
    }
}
