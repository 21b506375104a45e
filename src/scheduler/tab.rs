//! What Ruby's cron tab has to say about a minute: whether it is ours, Ruby's, or nobody's.

use chrono::Utc;

use super::Scheduler;
use crate::connections::RedisError;
use crate::sidekiq::Turn;

/// What this process knows of its entry in the cron tab.
#[derive(Default)]
pub(super) struct TabState {
    pub(super) is_registered: bool,
    pub(super) is_disabled: bool,
}

impl Scheduler {
    /// Puts our entry into the cron tab, once: whoever deletes it there has it back when a process starts, or when Redis
    /// has lost its data. Then it is disabled if it was.
    pub(super) async fn register(&self, tab: &mut TabState) {
        if let (Some(cron_tab), false) = (&self.cron_tab, tab.is_registered) {
            let registered = async {
                cron_tab.register().await?;
                if tab.is_disabled { cron_tab.disable().await } else { Ok(()) }
            };
            match registered.await {
                Ok(()) => tab.is_registered = true,
                Err(error) => tracing::warn!(%error, "the entry in the cron tab could not be written; trying again"),
            }
        }
    }

    /// Whether this minute's work is for us to do, as far as the cron tab has a say in it.
    pub(super) async fn is_our_turn(&self, tab: &mut TabState) -> Result<bool, RedisError> {
        let Some(cron_tab) = &self.cron_tab else { return Ok(true) };
        let turn = cron_tab.turn(Utc::now()).await?;
        tracing::debug!(?turn, "the cron tab");
        let is_disabled = turn == Turn::Disabled;
        if is_disabled && !tab.is_disabled {
            tracing::warn!("the cron tab says disabled: due mirrors are not scheduled until it is enabled there");
        } else if !is_disabled && tab.is_disabled {
            tracing::info!("the cron tab says enabled: due mirrors are scheduled again");
        }
        tab.is_disabled = is_disabled;
        Ok(matches!(turn, Turn::Ours(_)))
    }
}
