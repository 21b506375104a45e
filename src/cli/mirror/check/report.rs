//! What a check found, step by step.

use std::time::Instant;

use serde::Serialize;

use super::super::super::output;
use super::advice;
use crate::git::GitError;
use crate::mirror::key::MirrorKey;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Ok,
    Failed,
    /// A step before it failed, or there is nothing to be done in it.
    Skipped,
}

/// One step.
#[derive(Debug, Serialize)]
struct Step {
    #[serde(rename = "step")]
    name: &'static str,
    outcome: Outcome,
    milliseconds: Option<f64>,
    /// What was seen, or why it failed.
    detail: String,
    /// On failure: what to try next.
    next: Option<&'static str>,
}

/// All steps, in their order.
#[derive(Debug, Default)]
pub(super) struct Report {
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct View<'a> {
    direction: &'static str,
    id: u64,
    ok: bool,
    steps: &'a [Step],
}

impl Report {
    /// Takes a step, unless one before it failed; answers what it found.
    pub(super) fn take<T>(
        &mut self,
        step: &'static str,
        told: impl FnOnce(&T) -> String,
        work: impl FnOnce() -> Result<T, GitError>,
    ) -> Option<T> {
        if !self.is_good() {
            self.skip(step, "a step before it failed");
            return None;
        }
        let began = Instant::now();
        let done = work();
        let milliseconds = Some((began.elapsed().as_secs_f64() * 10_000.0).round() / 10.0);
        let (outcome, detail, next) = match &done {
            Ok(found) => (Outcome::Ok, told(found), None),
            Err(error) => (Outcome::Failed, error.to_string(), advice::on(error)),
        };
        self.steps.push(Step { name: step, outcome, milliseconds, detail, next });
        done.ok()
    }

    /// Leaves a step out.
    pub(super) fn skip(&mut self, step: &'static str, why: &str) {
        self.steps.push(Step {
            name: step,
            outcome: Outcome::Skipped,
            milliseconds: None,
            detail: why.to_owned(),
            next: None,
        });
    }

    /// Whether no step failed.
    pub(super) fn is_good(&self) -> bool {
        self.steps.iter().all(|step| step.outcome != Outcome::Failed)
    }

    pub(super) fn print(&self, key: &MirrorKey, json: bool) -> anyhow::Result<()> {
        if json {
            let view = View { direction: key.direction.as_str(), id: key.id.0, ok: self.is_good(), steps: &self.steps };
            return output::json(&view);
        }
        let mut table = output::table(&[]);
        for step in &self.steps {
            let mark = match step.outcome {
                Outcome::Ok => "ok",
                Outcome::Failed => "FAILED",
                Outcome::Skipped => "-",
            };
            let time = step.milliseconds.map_or_else(String::new, |time| format!("{time:.1} ms"));
            let next = step.next.map_or_else(String::new, |next| format!("\nNext: {next}"));
            table.add_row([step.name.to_owned(), mark.to_owned(), time, format!("{}{next}", step.detail)]);
        }
        output::print(&mut table)
    }
}
