//! What `docs/sidekiq-compatibility.md` says was proved: the tests that it names are there.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

/// Feature, Sidekiq OSS, Pro and Enterprise, GitLab, sidemirror, proof.
const COLUMNS: usize = 6;

#[test]
fn every_row_about_compatibility_is_proved_or_asserted_by_tests_that_exist_or_says_that_there_is_none() {
    let text = fs::read_to_string(root().join("docs/sidekiq-compatibility.md")).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().filter_map(cells).collect();
    assert!(rows.len() > 30, "only {} rows were found", rows.len());
    let wrong: Vec<String> = rows.iter().filter_map(|row| Some(format!("{}: {}", row[0], complaint(row)?))).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What is wrong with a row.
fn complaint(row: &[&str]) -> Option<String> {
    if row.len() != COLUMNS {
        return Some(format!("{} columns instead of {COLUMNS}", row.len()));
    }
    let proof = row[COLUMNS - 1];
    let names: Vec<&str> = proof.split('`').skip(1).step_by(2).filter(|code| code.contains("::")).collect();
    if let Some(name) = names.iter().find(|name| !is_in_the_sources(name)) {
        return Some(format!("there is no {name}"));
    }
    let claims = ["proved", "asserted"].iter().any(|word| proof.contains(word));
    match (claims, names.is_empty(), proof) {
        (true, false, _) | (false, true, "—") => None,
        _ => Some(format!("is it proved, asserted or neither? {proof}")),
    }
}

/// The cells of a line that is a row of a table, but neither its head nor the line below that.
fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.strip_prefix("| ")?.strip_suffix(" |")?;
    let cells: Vec<&str> = row.split(" | ").map(str::trim).collect();
    (cells[0] != "Feature" && !cells[0].starts_with("--")).then_some(cells)
}

/// Whether there is a function of this name, given as `crate::file::function`: the crate is a folder or file of `tests/`, or
/// `sidemirror` for tests beside the code; a crate's `main.rs` needs no name.
fn is_in_the_sources(name: &str) -> bool {
    let parts: Vec<&str> = name.split("::").collect();
    let [place @ .., function] = &parts[..] else { return false };
    let path: PathBuf = match place {
        ["sidemirror", modules @ ..] => ["src"].iter().chain(modules).collect(),
        _ => ["tests"].iter().chain(place).collect(),
    };
    let path = root().join(path);
    let files = [path.with_extension("rs"), path.join("main.rs"), path.join("mod.rs")];
    files.iter().filter_map(|file| fs::read_to_string(file).ok()).any(|source| has_function(&source, function))
}

/// Sources are read as Rust tokens, so a comment does not count.
fn has_function(source: &str, name: &str) -> bool {
    let tokens: Vec<TokenTree> = flatten(source.parse().unwrap());
    tokens
        .windows(2)
        .any(|pair| matches!(pair, [TokenTree::Ident(word), TokenTree::Ident(found)] if word == "fn" && found == name))
}

fn flatten(tokens: TokenStream) -> Vec<TokenTree> {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Group(group) => flatten(group.stream()),
            token => vec![token],
        })
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
