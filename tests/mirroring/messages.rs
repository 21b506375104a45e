//! `docs/messages.md` lists every text that a run can end with.

use std::fs;
use std::sync::LazyLock;

use regex::Regex;

/// The messages of the tables, with `{…}` where they differ from case to case.
static LISTED: LazyLock<Vec<(String, Regex)>> = LazyLock::new(|| {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/messages.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split_once("` |").unwrap_or_else(|| panic!("a row of docs/messages.md: {row}")).0)
        .map(|message| (message.to_owned(), pattern(message)))
        .collect()
});

fn pattern(message: &str) -> Regex {
    let variable = Regex::new(r"\\\{[^}]*\\\}").unwrap();
    Regex::new(&format!("^{}$", variable.replace_all(&regex::escape(message), "(?s:.+)"))).unwrap()
}

/// Every row.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    LISTED.iter().map(|(row, _)| row.as_str())
}

/// The row of each paragraph of a text, without the lists of refs; panics if one has none.
#[track_caller]
pub(crate) fn listed(text: &str) -> Vec<&'static str> {
    let is_list =
        |paragraph: &&str| paragraph.lines().all(|line| line.starts_with("refs/") || line.starts_with("and "));
    let paragraphs = text.split("\n\n").filter(|paragraph| !is_list(paragraph));
    let row = |paragraph: &str| {
        let line = paragraph.replace('\n', " ");
        let mut matching = LISTED.iter().filter(|(_, pattern)| pattern.is_match(line.trim_end())).map(|(row, _)| row);
        let first = matching.next().unwrap_or_else(|| panic!("not listed in docs/messages.md: {line}"));
        // The most exact one, where a row for the rest stands beside it.
        matching.fold(first, |best, other| if literal(other) > literal(best) { other } else { best }).as_str()
    };
    paragraphs.map(row).collect()
}

/// How much of a row is the same in every case.
fn literal(row: &str) -> usize {
    let variables: usize = row.split('{').skip(1).filter_map(|rest| rest.find('}')).sum();
    row.len() - variables
}

/// Panics unless each paragraph of the text is in the list.
#[track_caller]
pub(crate) fn assert_listed(text: &str) {
    assert!(!listed(text).is_empty(), "{text:?} is no message");
}
