//! What `docs/sidekiq-compatibility.md` says was proved: the tests that it names are there, and are run.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

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
    if let Some(complaint) = names.iter().find_map(|name| complaint_about_test(name)) {
        return Some(complaint);
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

/// What is wrong with a test, given as `crate::file::function`: the crate is a folder or file of `tests/`, or
/// `sidemirror` for tests beside the code; a crate's `main.rs` needs no name.
fn complaint_about_test(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split("::").collect();
    let [place @ .., function] = &parts[..] else { return None };
    let (folder, modules) = match place {
        ["sidemirror", modules @ ..] => ("src".into(), modules),
        [own, modules @ ..] => (Path::new("tests").join(own), modules),
        [] => return Some(format!("{name} has no crate")),
    };
    let folder = root().join(folder);
    let path = folder.join(modules.iter().collect::<PathBuf>());
    let files = [path.with_extension("rs"), path.join("main.rs"), path.join("mod.rs")];
    let is_test = files.iter().filter_map(|file| fs::read_to_string(file).ok()).find_map(|source| {
        let mut functions = Vec::new();
        list_functions(source.parse().unwrap(), &mut functions);
        functions.into_iter().find_map(|(found, is_test)| (found == *function).then_some(is_test))
    });
    match is_test {
        None => Some(format!("there is no {name}")),
        // One that another function runs, or a list of tests that a macro makes.
        Some(false) if !is_mentioned(function, &folder) => Some(format!("nothing runs {name}")),
        _ => None,
    }
}

/// The functions of a source, and whether each is a test by itself. Sources are read as Rust tokens, so a comment does
/// not count.
fn list_functions(source: TokenStream, functions: &mut Vec<(String, bool)>) {
    let (mut is_test, mut before) = (false, None);
    for token in source {
        match &token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                // `test` or `tokio::test(...)`.
                let words = group.stream().into_iter().filter(|word| matches!(word, TokenTree::Ident(_)));
                is_test |= words.last().is_some_and(|word| word.to_string() == "test");
            }
            TokenTree::Group(group) => {
                list_functions(group.stream(), functions);
                is_test &= group.delimiter() != Delimiter::Brace;
            }
            TokenTree::Ident(name) if before.as_deref() == Some("fn") => functions.push((name.to_string(), is_test)),
            TokenTree::Punct(end) if end.as_char() == ';' => is_test = false,
            _ => {}
        }
        before = Some(token.to_string());
    }
}

/// Whether any source below a folder names this function other than where it stands.
fn is_mentioned(function: &str, folder: &Path) -> bool {
    fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return is_mentioned(function, &path);
        }
        path.extension().is_some_and(|extension| extension == "rs")
            && flatten(fs::read_to_string(&path).unwrap().parse().unwrap())
                .windows(2)
                .any(|pair| pair[1].to_string() == function && pair[0].to_string() != "fn")
    })
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
