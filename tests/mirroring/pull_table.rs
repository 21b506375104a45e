//! What a pull does with each branch and tag, as a table.

use crate::histories::{put, tell, word};
use crate::world::World;

/// A ref, what it is on both sides before, and what it is here afterwards: in an ordinary run, and in one that
/// overwrites what has diverged.
struct Row {
    name: &'static str,
    here: &'static str,
    upstream: &'static str,
    after: &'static str,
    overwriting: &'static str,
}

#[rustfmt::skip]
const ROWS: [Row; 17] = [
    Row { name: "refs/heads/main",                 here: "base", upstream: "next", after: "next", overwriting: "next" },
    Row { name: "refs/heads/new",                  here: "",     upstream: "next", after: "next", overwriting: "next" },
    Row { name: "refs/heads/same",                 here: "next", upstream: "next", after: "next", overwriting: "next" },
    Row { name: "refs/heads/behind",               here: "base", upstream: "last", after: "last", overwriting: "last" },
    Row { name: "refs/heads/forked",               here: "fork", upstream: "next", after: "fork", overwriting: "next" },
    Row { name: "refs/heads/ahead",                here: "next", upstream: "base", after: "next", overwriting: "base" },
    Row { name: "refs/heads/deleted/upstream",     here: "base", upstream: "",     after: "base", overwriting: "base" },
    Row { name: "refs/heads/release/1.0",          here: "",     upstream: "base", after: "base", overwriting: "base" },
    Row { name: "refs/tags/new",                   here: "",     upstream: "base", after: "base", overwriting: "base" },
    Row { name: "refs/tags/annotated",             here: "",     upstream: "annotated base", after: "annotated base", overwriting: "annotated base" },
    Row { name: "refs/tags/moved",                 here: "fork", upstream: "base", after: "base", overwriting: "base" },
    Row { name: "refs/tags/moved-annotated",       here: "annotated next", upstream: "annotated base", after: "annotated base", overwriting: "annotated base" },
    Row { name: "refs/tags/now-annotated",         here: "base", upstream: "annotated base", after: "annotated base", overwriting: "annotated base" },
    Row { name: "refs/tags/now-light",             here: "annotated base", upstream: "base", after: "base", overwriting: "base" },
    Row { name: "refs/tags/deleted-upstream",      here: "base", upstream: "",     after: "base", overwriting: "base" },
    Row { name: "refs/merge-requests/1/head",      here: "",     upstream: "next", after: "",     overwriting: "" },
    Row { name: "refs/notes/commits",              here: "base", upstream: "next", after: "base", overwriting: "base" },
];

/// Runs one pull over all rows and returns what each ref is here afterwards; those of `without` are not set up.
fn pulled(options: &[&str]) -> Vec<(&'static str, String)> {
    let world = World::start();
    let (here, upstream) = (world.create_local(1), world.git.create("up.git"));
    tell(&here);
    tell(&upstream);
    for row in &ROWS {
        put(&here, row.name, row.here);
        put(&upstream, row.name, row.upstream);
    }
    world.add_pull(1, "up.git", options);
    world.succeed("pull", 1);

    let tracked: Vec<String> = here.refs().into_keys().filter(|name| name.starts_with("refs/remotes/")).collect();
    let branches = upstream.refs().into_keys().filter_map(|name| Some(name.strip_prefix("refs/heads/")?.to_owned()));
    let expected: Vec<String> = branches.map(|branch| format!("refs/remotes/upstream/{branch}")).collect();
    assert_eq!(tracked, expected, "tracking refs are upstream's branches, whatever the filter");
    ROWS.iter().map(|row| (row.name, word(&here, row.name))).collect()
}

#[test]
fn every_ref_is_as_the_table_says() {
    let expected: Vec<_> = ROWS.iter().map(|row| (row.name, row.after.to_owned())).collect();
    assert_eq!(pulled(&[]), expected);
}

#[test]
fn every_ref_is_as_the_table_says_when_diverged_branches_are_overwritten() {
    let expected: Vec<_> = ROWS.iter().map(|row| (row.name, row.overwriting.to_owned())).collect();
    assert_eq!(pulled(&["--overwrite-diverged"]), expected);
}

/// What the table says, but with branches as they were where the filter does not admit them.
fn filtered(admits: impl Fn(&str) -> bool) -> Vec<(&'static str, String)> {
    let after = |row: &Row| match row.name.strip_prefix("refs/heads/") {
        Some(branch) if !admits(branch) => row.here.to_owned(),
        _ => row.after.to_owned(),
    };
    ROWS.iter().map(|row| (row.name, after(row))).collect()
}

#[test]
fn only_protected_branches_are_touched_when_only_those_are_mirrored() {
    let found = pulled(&["--only-protected", "--protected", "main", "--protected", "release/*"]);
    assert_eq!(found, filtered(|branch| branch == "main" || branch.starts_with("release/")));
}

#[test]
fn only_branches_that_the_expression_finds_are_touched_when_there_is_one() {
    assert_eq!(pulled(&["--branch-regex", "^main$|e.i"]), filtered(|branch| matches!(branch, "main" | "behind")));
}
