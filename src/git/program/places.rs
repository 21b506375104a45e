//! How many children may be at work at once.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::errand::Company;
use crate::git::GitError;

/// How often a run that waits looks whether it still may.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The places for children, shared by all clones.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Semaphore>);

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))))
    }

    /// Waits for one, for as long as `company` lets.
    pub(super) fn take(&self, company: &mut dyn Company) -> Result<OwnedSemaphorePermit, GitError> {
        loop {
            if let Ok(place) = self.0.clone().try_acquire_owned() {
                return Ok(place);
            }
            company.look()?;
            thread::sleep(LOOK_AGAIN);
        }
    }
}
