//! The queues, in all the forms in which Sidekiq's file and command line write them.

use serde_json::Value;

use super::error::ConfigError;
use super::section::Section;
use crate::sidekiq::QueueSet;

pub(super) const ACCEPTED: &str =
    "queue names, each alone, as [name, weight] or as \"name,weight\" with a weight from 0 to 1000";

/// The queues of the command line if there are any, else of the file, else `default`.
pub(super) fn queues(root: &mut Section, flags: &[String]) -> Result<QueueSet, ConfigError> {
    let in_file = in_section(root)?;
    let mut queues = flags
        .iter()
        .map(|text| {
            name_and_weight(text).ok_or_else(|| ConfigError::flag("-q", format!("got {text:?}"), "NAME or NAME,WEIGHT"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    if queues.is_empty() {
        queues = in_file;
    }
    if queues.is_empty() {
        queues.push(("default".to_owned(), 0));
    }
    QueueSet::new(queues).map_err(|error| root.error("queues", error.to_string(), ACCEPTED))
}

/// The queues that a section names; none if it does not.
pub(super) fn in_section(section: &mut Section) -> Result<Vec<(String, u32)>, ConfigError> {
    match section.take("queues") {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) => list
            .iter()
            .map(|item| weighted(item).ok_or_else(|| section.wrong("queues", item, ACCEPTED)))
            .collect::<Result<_, _>>(),
        Some(other) => Err(section.wrong("queues", &other, ACCEPTED)),
    }
}

fn weighted(item: &Value) -> Option<(String, u32)> {
    match item {
        Value::String(text) => name_and_weight(text),
        Value::Array(pair) => match pair.as_slice() {
            [name] => Some((name_only(name.as_str()?)?, 0)),
            [name, weight] => Some((name_only(name.as_str()?)?, weight_of(weight.as_u64()?)?)),
            _ => None,
        },
        _ => None,
    }
}

fn name_and_weight(text: &str) -> Option<(String, u32)> {
    match text.rsplit_once(',') {
        None => Some((name_only(text)?, 0)),
        Some((name, weight)) => Some((name_only(name)?, weight_of(weight.trim().parse().ok()?)?)),
    }
}

fn name_only(text: &str) -> Option<String> {
    let name = text.trim();
    let name = name.strip_prefix(':').unwrap_or(name);
    (!name.is_empty()).then(|| name.to_owned())
}

fn weight_of(number: u64) -> Option<u32> {
    u32::try_from(number).ok().filter(|weight| *weight <= 1000)
}
