//! What a check found, step by step.

use std::time::{Duration, Instant};

use comfy_table::{Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement};
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
    /// Nothing is wrong with the way, but a run may not go it now.
    Note,
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
    /// What to try next.
    next: Option<String>,
}

/// All steps, in their order.
#[derive(Debug)]
pub(super) struct Report {
    key: MirrorKey,
    steps: Vec<Step>,
}

/// What some work came to, and how long it took.
pub(super) struct Timed<T> {
    pub(super) done: Result<T, GitError>,
    pub(super) time: Duration,
}

#[derive(Serialize)]
struct View<'a> {
    direction: &'static str,
    id: u64,
    ok: bool,
    steps: &'a [Step],
}

impl Report {
    /// Without a step.
    pub(super) fn new(key: MirrorKey) -> Self {
        Self { key, steps: Vec::new() }
    }

    /// Does some work and looks at the clock.
    pub(super) fn timed<T>(work: impl FnOnce() -> Result<T, GitError>) -> Timed<T> {
        let began = Instant::now();
        Timed { done: work(), time: began.elapsed() }
    }

    /// Takes a step; answers what it found.
    pub(super) fn take<T>(
        &mut self,
        step: &'static str,
        told: impl FnOnce(&T) -> String,
        work: impl FnOnce() -> Result<T, GitError>,
    ) -> Option<T> {
        let Timed { done, time } = Self::timed(work);
        match &done {
            Ok(found) => self.took(step, told(found), time),
            Err(error) => self.broken(step, error, Some(time)),
        }
        done.ok()
    }

    /// A step that took this time and is well.
    pub(super) fn took(&mut self, step: &'static str, detail: String, time: Duration) {
        self.add(step, Outcome::Ok, Some(time), detail, None);
    }

    /// Something that is well.
    pub(super) fn ok(&mut self, step: &'static str, detail: impl Into<String>) {
        self.add(step, Outcome::Ok, None, detail.into(), None);
    }

    /// Something that is worth knowing.
    pub(super) fn note(&mut self, step: &'static str, detail: impl Into<String>, next: Option<String>) {
        self.add(step, Outcome::Note, None, detail.into(), next);
    }

    /// A step that failed in this way.
    pub(super) fn broken(&mut self, step: &'static str, error: &GitError, time: Option<Duration>) {
        let next = if step == "push" { advice::on_push(error, self.key) } else { advice::on(error, self.key) };
        self.add(step, Outcome::Failed, time, error.to_string(), next);
    }

    /// The same for what is no error of git or the network.
    pub(super) fn failed(&mut self, step: &'static str, detail: String, next: Option<String>) {
        self.add(step, Outcome::Failed, None, detail, next);
    }

    /// Leaves a step out.
    pub(super) fn skip(&mut self, step: &'static str, why: &str) {
        self.add(step, Outcome::Skipped, None, why.to_owned(), None);
    }

    fn add(
        &mut self,
        step: &'static str,
        outcome: Outcome,
        time: Option<Duration>,
        detail: String,
        next: Option<String>,
    ) {
        let milliseconds = time.map(|time| (time.as_secs_f64() * 10_000.0).round() / 10.0);
        self.steps.push(Step { name: step, outcome, milliseconds, detail, next });
    }

    /// Whether no step failed.
    pub(super) fn is_good(&self) -> bool {
        self.steps.iter().all(|step| step.outcome != Outcome::Failed)
    }

    /// Prints all steps. On a terminal long texts are broken to its width.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            let (direction, id) = (self.key.direction.as_str(), self.key.id.0);
            return output::json(&View { direction, id, ok: self.is_good(), steps: &self.steps });
        }
        let mut table = output::table(&[]);
        for step in &self.steps {
            let mark = match step.outcome {
                Outcome::Ok => Cell::new("ok").fg(Color::Green),
                Outcome::Note => Cell::new("note").fg(Color::Yellow),
                Outcome::Failed => Cell::new("FAILED").fg(Color::Red),
                Outcome::Skipped => Cell::new("-"),
            };
            let time = step.milliseconds.map_or_else(String::new, |time| format!("{time:.1} ms"));
            let next = step.next.as_ref().map_or_else(String::new, |next| format!("\nNext: {next}"));
            let name = match step.name {
                "tls" => "TLS".to_owned(),
                "url" => "URL".to_owned(),
                name => name.replace('_', " "),
            };
            table.add_row([
                Cell::new(name),
                mark,
                Cell::new(time).set_alignment(CellAlignment::Right),
                Cell::new(format!("{}{next}", step.detail)),
            ]);
        }
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.column_iter_mut().take(3).for_each(|column| {
            column.set_constraint(ColumnConstraint::ContentWidth);
        });
        output::print(&mut table)
    }
}
