//! Where mirrors live: one narrow trait, and what implements it. All that is not the mirror's own data is
//! [coordination](crate::coordination).

mod login;
pub mod redis;
mod secrets;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::connections::RedisError;
use crate::mirror::key::{Direction, MirrorId, MirrorKey};
use crate::mirror::record::Mirror;
use crate::mirror::state::{Event, Refused};

pub use login::Login;
pub use redis::RedisStore;
pub use secrets::{Change, SecretName, Secrets, SecretsChange};

/// Loads and keeps mirrors. Every change of state is a compare-and-swap: of two that race, one is told.
#[async_trait]
pub trait MirrorStore: Send + Sync {
    /// A mirror, or nothing if there is none of this name.
    async fn load(&self, key: MirrorKey) -> Result<Option<Mirror>, StoreError>;

    /// Pull mirrors whose time has come, the longest due first, at most `limit`.
    async fn due(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<MirrorId>, StoreError>;

    /// Applies an event to each of these mirrors, in few round trips however many there are. The answers are in
    /// the order of the events.
    async fn transition_all(&self, events: &[(MirrorKey, Event)]) -> Result<Vec<Transition>, StoreError>;

    /// Applies one event.
    async fn transition(&self, key: MirrorKey, event: Event) -> Result<Transition, StoreError> {
        let mut answers = self.transition_all(&[(key, event)]).await?;
        Ok(answers.pop().unwrap_or(Transition::Missing))
    }

    /// A mirror's secrets, opened. They are only given for the place that they were set for, and for the settings that
    /// the mirror has now: [`StoreError::Outdated`] if it was read before they were changed.
    async fn secrets(&self, mirror: &Mirror) -> Result<Secrets, StoreError>;

    /// Stands for `text` where it must not be seen: the same for the same text, and without the key that seals secrets
    /// nothing can be told from it. Nothing where there is no such key.
    fn mark(&self, text: &[u8]) -> Option<String>;

    /// Which secrets each of these mirrors has, without opening any.
    async fn stored(&self, keys: &[MirrorKey]) -> Result<Vec<Vec<SecretName>>, StoreError>;

    /// How many pull mirrors stand where.
    async fn count(&self, now: DateTime<Utc>) -> Result<Counts, StoreError>;

    /// Adds a mirror with what is set in `secrets`; `false`, and nothing done, if there is one of its name.
    async fn add(&self, mirror: &Mirror, secrets: &SecretsChange) -> Result<bool, StoreError>;

    /// Changes a mirror's settings and secrets; `None` if there is none of this name. A secret that is not set here
    /// stays, unless the host or proxy that it was given for becomes another. `change` may be called again when
    /// somebody else was faster; when it declines, nothing is changed at all.
    async fn change(
        &self,
        key: MirrorKey,
        change: &mut (dyn for<'m> FnMut(&'m mut Mirror) -> Result<(), Declined> + Send),
        secrets: &SecretsChange,
    ) -> Result<Option<Mirror>, StoreError>;

    /// Removes a mirror and its secrets; `false` if there was none of this name.
    async fn remove(&self, key: MirrorKey) -> Result<bool, StoreError>;

    /// All mirrors of a direction, by number; one whose record cannot be understood is left out, and logged.
    async fn list(&self, direction: Direction) -> Result<Vec<Mirror>, StoreError>;
}

/// Why a change does not apply to a mirror as it is.
pub type Declined = Box<dyn std::error::Error + Send + Sync>;

/// What became of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Transition {
    /// It applied; this is the mirror now.
    Done(Box<Mirror>),
    /// It does not apply to the mirror as it is.
    Refused(Refused),
    /// There is no such mirror.
    Missing,
    /// Its record cannot be understood, for this reason. It is not due for a while.
    Unreadable(String),
}

/// How many pull mirrors stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Their time has come and nothing was done about it yet.
    pub due: u64,
    /// In a queue.
    pub scheduled: u64,
    /// Under way.
    pub started: u64,
    /// Failed last time, and will be tried again.
    pub failed: u64,
    /// Failed too often to be tried again.
    pub hard_failed: u64,
}

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Redis did not answer, or refused.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// A record could not be understood; somebody else wrote it, or a newer version.
    #[error("The record of mirror {key} is not readable: {problem}.")]
    Unreadable {
        /// The mirror.
        key: MirrorKey,
        /// Where the reading failed.
        problem: String,
    },
    /// A secret could not be sealed or opened.
    #[error(transparent)]
    Seal(#[from] redis::SealError),
    /// Others kept changing the record.
    #[error("Mirror {0} is being changed by others all the time; try again.")]
    Contended(MirrorKey),
    /// It was changed or removed after it had been read.
    #[error("Mirror {0} was changed in just this moment.")]
    Outdated(MirrorKey),
    /// A change does not apply to the mirror as it is.
    #[error(transparent)]
    Declined(Declined),
}
