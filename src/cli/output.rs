//! What the subcommands print: aligned tables with relative times for people, JSON for programs.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_humanize::HumanTime;
use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use serde::Serialize;

/// Prints a line; a reader that went away is no error.
pub(super) fn line(text: &str) -> anyhow::Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Prints a value as JSON.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

/// Prints an error to the standard error, with those of its causes that its text does not tell yet.
pub(super) fn complain(error: &anyhow::Error) {
    let mut text = String::from("sidemirror");
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    // There is nowhere left to say that even this failed.
    let _ = writeln!(io::stderr(), "{text}");
}

/// A table that is aligned, has no lines, and is coloured only on a terminal.
pub(super) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if !headings.is_empty() {
        table.set_header(headings.iter().map(Cell::new));
    }
    table
}

/// Prints a table, its columns two blanks apart.
pub(super) fn print(table: &mut Table) -> anyhow::Result<()> {
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    table.to_string().lines().try_for_each(|row| line(row.trim_end()))
}

/// `3 minutes ago`, `in 28 minutes`, or a dash.
pub(super) fn relative(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| HumanTime::from(time - Utc::now()).to_string())
}

/// A status in the colour of its meaning.
pub(super) fn status(text: &str) -> Cell {
    let cell = Cell::new(text);
    match text {
        "finished" => cell.fg(Color::Green),
        "failed" | "hard failed" => cell.fg(Color::Red),
        "scheduled" | "started" => cell.fg(Color::Yellow),
        _ => cell,
    }
}

/// Foreign text without what would steer a terminal, and no longer than a cell bears.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .take(200)
        .map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter })
        .collect()
}

/// A moment in seconds since 1970, as Sidekiq writes it; `None` for zero and what is no moment.
pub(super) fn moment(seconds: f64) -> Option<DateTime<Utc>> {
    #[expect(clippy::cast_possible_truncation, reason = "a saturating cast is what is wanted here")]
    let milliseconds = (seconds * 1000.0) as i64;
    DateTime::from_timestamp_millis(milliseconds).filter(|_| milliseconds > 0)
}

/// Such a moment as all our JSON writes it.
pub(super) fn time(seconds: f64) -> Option<String> {
    moment(seconds).map(|moment| moment.to_rfc3339_opts(SecondsFormat::Millis, true))
}
