//! What a run had to leave undone although it came to its end, in words for the mirror's owner.

use std::fmt;

use crate::git::quoted;
use crate::mirror::refs::{RefName, RefOutcome};

/// Refs named in a message; more would only hide the others.
const NAMED: usize = 100;
/// Characters of a name and of a reason: one that the far side made up must not hide the others either.
const LONGEST_NAME: usize = 250;
const LONGEST_REASON: usize = 500;

/// The refs that a run did not bring to where they should be; all others are there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// Pull: the default branch (its short name), if it holds commits that upstream does not.
    pub default_branch: Option<String>,
    /// Push: refs that somebody else moved on the far side.
    pub diverged: Vec<RefName>,
    /// Push: whether, because of those, the others were not sent either.
    pub held_back: bool,
    /// Refs that could not be moved, each with the reason.
    pub refused: Vec<RefOutcome>,
    /// Push: what the far side's hooks said, masked.
    pub remote_text: String,
}

impl Shortfall {
    /// Whether nothing was left undone.
    pub const fn is_nothing(&self) -> bool {
        self.default_branch.is_none() && self.diverged.is_empty() && self.refused.is_empty()
    }

    /// Whether there is nothing but refs that somebody moved on the far side, which a second try would meet again.
    pub const fn is_divergence_alone(&self) -> bool {
        self.default_branch.is_none() && !self.diverged.is_empty() && self.refused.is_empty()
    }
}

/// GitLab's sentences where it has them, a paragraph each.
impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut paragraphs = Vec::new();
        if let Some(branch) = &self.default_branch {
            paragraphs.push(format!(
                "The default branch ({branch}) has diverged from its upstream counterpart and could not be updated \
                 automatically."
            ));
        }
        if !self.diverged.is_empty() {
            paragraphs.push("Some refs have diverged and have not been updated on the remote:".to_owned());
            paragraphs.push(limited(self.diverged.iter().map(|name| cut(name.as_str(), LONGEST_NAME))).join("\n"));
        }
        if self.held_back {
            paragraphs.push("Because of them, nothing else was sent either.".to_owned());
        }
        paragraphs.extend(limited(self.refused.iter().filter_map(refusal)));
        f.write_str(&paragraphs.join("\n\n"))?;
        f.write_str(&quoted(if self.refused.is_empty() { "" } else { &self.remote_text }))
    }
}

fn refusal(outcome: &RefOutcome) -> Option<String> {
    let reason = outcome.result.as_ref().err()?;
    let name = &outcome.change.name;
    let (kind, name) = match (name.as_branch(), name.as_tag()) {
        (Some(branch), _) => ("branch", branch),
        (_, Some(tag)) => ("tag", tag),
        _ => ("ref", name.as_str()),
    };
    let deed = match (outcome.change.old, outcome.change.new) {
        (None, _) => "create",
        (_, None) => "delete",
        _ => "update",
    };
    Some(format!("Failed to {deed} {kind} '{}': {}.", cut(name, LONGEST_NAME), cut(reason, LONGEST_REASON)))
}

fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn limited(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    if lines.len() > NAMED {
        let more = lines.len() - NAMED;
        lines.truncate(NAMED);
        lines.push(format!("and {more} more"));
    }
    lines
}
