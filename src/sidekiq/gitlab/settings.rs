//! Whether, and for which classes how, GitLab's deeds are done.

use std::collections::BTreeMap;

/// What is done for GitLab's Rails side.
#[derive(Debug, Clone, Default)]
pub struct GitLabSettings {
    /// For which jobs anything is done at all.
    pub enabled: Switch,
    /// How the jobs of a class are kept from being queued twice, as its `deduplicate` says in Ruby. It is not in
    /// the payload. Of a class that is not named it is [`Strategy::UntilExecuting`], as in GitLab.
    pub deduplication: BTreeMap<String, Strategy>,
}

impl GitLabSettings {
    /// The strategy of a class, given by its Ruby name.
    pub(super) fn strategy(&self, class: &str) -> Strategy {
        let class = class.strip_prefix("::").unwrap_or(class);
        self.deduplication.get(class).copied().unwrap_or_default()
    }
}

/// For which jobs GitLab's deeds are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Switch {
    /// For those that carry fields of GitLab's.
    #[default]
    Auto,
    /// For all.
    On,
    /// For none.
    Off,
}

/// When the cookie that keeps a job from being queued twice is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Before it runs: what is pushed meanwhile runs afterwards.
    #[default]
    UntilExecuting,
    /// After it has run or failed.
    UntilExecuted,
    /// After it has run or failed; and if another was dropped meanwhile, the job is pushed once more.
    RescheduleOnce,
    /// There is no cookie.
    None,
}
