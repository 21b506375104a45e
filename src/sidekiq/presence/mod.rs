//! What others see of this process, and it of them.

pub(in crate::sidekiq) mod cron_tab;
pub(in crate::sidekiq) mod dump;
pub(in crate::sidekiq) mod execution_metrics;
pub(in crate::sidekiq) mod heartbeat;
pub(in crate::sidekiq) mod latency;
pub(in crate::sidekiq) mod overview;
pub(in crate::sidekiq) mod processes;
pub(in crate::sidekiq) mod roster;
pub(in crate::sidekiq) mod stats;
