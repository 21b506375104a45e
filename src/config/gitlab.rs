//! The `mirror.gitlab` section, and the namespace of older installs.

use super::error::ConfigError;
use super::section::Section;
use super::values;
use crate::sidekiq::{GitLabSettings, Strategy, Switch};

const SWITCH: [(&str, Switch); 3] = [("auto", Switch::Auto), ("true", Switch::On), ("false", Switch::Off)];

const STRATEGIES: [(&str, Strategy); 4] = [
    ("until_executing", Strategy::UntilExecuting),
    ("until_executed", Strategy::UntilExecuted),
    ("reschedule_once", Strategy::RescheduleOnce),
    ("none", Strategy::None),
];

/// Longer than any namespace that a person would choose.
const LONGEST_NAMESPACE: usize = 100;

pub(super) fn from_section(mut section: Section) -> Result<GitLabSettings, ConfigError> {
    let enabled = section.choice("enabled", &SWITCH)?.unwrap_or_default();
    let mut classes = section.section("deduplication")?;
    let names = STRATEGIES.map(|(name, _)| name);
    let mut settings = GitLabSettings { enabled, ..GitLabSettings::default() };
    for (class, value) in classes.take_all() {
        let strategy = STRATEGIES.iter().find(|(name, _)| value.as_str() == Some(name));
        let (_, strategy) = strategy.ok_or_else(|| classes.wrong(&class, &value, &values::one_of(&names)))?;
        settings.deduplication.insert(class, *strategy);
    }
    section.finish()?;
    Ok(settings)
}

pub(super) fn namespace(section: &mut Section) -> Result<String, ConfigError> {
    let namespace = section.text("namespace")?.unwrap_or_default();
    let is_plain = namespace.chars().all(|letter| letter.is_ascii_graphic());
    if is_plain && namespace.len() <= LONGEST_NAMESPACE && !namespace.ends_with(':') {
        return Ok(namespace);
    }
    let accepted = "at most 100 visible ASCII characters without a colon at the end, such as resque:gitlab, or \"\"";
    Err(section.wrong("namespace", &namespace.into(), accepted))
}
