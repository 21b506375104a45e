//! What a push does with each branch and tag, as a table.

use crate::histories::{put, tell, word};
use crate::messages::assert_listed;
use crate::rig::repository::Repository;
use crate::world::World;

/// A ref: what we pushed earlier, what it is here and there now, and what it is there afterwards, by what the mirror
/// does on divergence. `alien` is a commit that only the far side has; all else is known here.
struct Row {
    name: &'static str,
    pushed: &'static str,
    here: &'static str,
    there: &'static str,
    fail: &'static str,
    keep: &'static str,
    overwrite: &'static str,
}

/// In `fail`: this ref has diverged.
const DIVERGED: &str = "diverged";

#[rustfmt::skip]
const ROWS: [Row; 26] = [
    Row { name: "refs/heads/main",           pushed: "base", here: "next", there: "base", fail: "next",   keep: "next", overwrite: "next" },
    Row { name: "refs/heads/new",            pushed: "",     here: "next", there: "",     fail: "next",   keep: "next", overwrite: "next" },
    Row { name: "refs/heads/same",           pushed: "",     here: "next", there: "next", fail: "next",   keep: "next", overwrite: "next" },
    Row { name: "refs/heads/behind",         pushed: "",     here: "next", there: "base", fail: "next",   keep: "next", overwrite: "next" },
    Row { name: "refs/heads/lost-there",     pushed: "base", here: "next", there: "",     fail: "next",   keep: "next", overwrite: "next" },
    Row { name: "refs/heads/rebased",        pushed: "fork", here: "next", there: "fork", fail: "next",   keep: "next", overwrite: "next" },
    Row { name: "refs/heads/reset",          pushed: "next", here: "base", there: "next", fail: "base",   keep: "base", overwrite: "base" },
    Row { name: "refs/heads/forked-there",   pushed: "",     here: "next", there: "fork", fail: DIVERGED, keep: "fork", overwrite: "next" },
    Row { name: "refs/heads/ahead-there",    pushed: "base", here: "base", there: "next", fail: DIVERGED, keep: "next", overwrite: "base" },
    Row { name: "refs/heads/both-moved",     pushed: "base", here: "fork", there: "next", fail: DIVERGED, keep: "next", overwrite: "fork" },
    Row { name: "refs/heads/theirs",         pushed: "",     here: "next", there: "alien", fail: DIVERGED, keep: "alien", overwrite: "next" },
    Row { name: "refs/heads/only-theirs",    pushed: "",     here: "",     there: "alien", fail: "alien", keep: "alien", overwrite: "alien" },
    Row { name: "refs/heads/merged",         pushed: "base", here: "",     there: "base", fail: "",       keep: "base", overwrite: "" },
    Row { name: "refs/heads/only-there",     pushed: "",     here: "",     there: "next", fail: "",       keep: "next", overwrite: "" },
    Row { name: "refs/heads/unmerged",       pushed: "",     here: "",     there: "fork", fail: "fork",   keep: "fork", overwrite: "fork" },
    Row { name: "refs/heads/unmerged-ours",  pushed: "fork", here: "",     there: "fork", fail: "fork",   keep: "fork", overwrite: "fork" },
    Row { name: "refs/tags/new",             pushed: "",     here: "next", there: "",     fail: "next",   keep: "next", overwrite: "next" },
    Row { name: "refs/tags/annotated",       pushed: "",     here: "annotated next", there: "", fail: "annotated next", keep: "annotated next", overwrite: "annotated next" },
    Row { name: "refs/tags/forward",         pushed: "",     here: "annotated next", there: "annotated base", fail: "annotated next", keep: "annotated next", overwrite: "annotated next" },
    Row { name: "refs/tags/moved-by-us",     pushed: "annotated fork", here: "annotated next", there: "annotated fork", fail: "annotated next", keep: "annotated next", overwrite: "annotated next" },
    Row { name: "refs/tags/moved-there",     pushed: "",     here: "annotated next", there: "annotated fork", fail: DIVERGED, keep: "annotated fork", overwrite: "annotated next" },
    Row { name: "refs/tags/theirs",          pushed: "",     here: "annotated next", there: "annotated alien", fail: DIVERGED, keep: "annotated alien", overwrite: "annotated next" },
    Row { name: "refs/tags/only-theirs",     pushed: "",     here: "",     there: "annotated alien", fail: "annotated alien", keep: "annotated alien", overwrite: "annotated alien" },
    Row { name: "refs/tags/merged",          pushed: "",     here: "",     there: "annotated base", fail: "", keep: "annotated base", overwrite: "" },
    Row { name: "refs/pull/1/head",          pushed: "",     here: "",     there: "base", fail: "base",   keep: "base", overwrite: "base" },
    Row { name: "refs/notes/commits",        pushed: "",     here: "next", there: "",     fail: "",       keep: "",     overwrite: "" },
];

/// A push mirror and its far side, with those rows that `chosen` admits set up.
fn stage(on_divergence: &str, chosen: impl Fn(&Row) -> bool) -> (World, Repository, Vec<&'static Row>) {
    let world = World::start();
    let (here, there) = (world.create_local(1), world.git.create("far.git"));
    let rows: Vec<&Row> = ROWS.iter().filter(|row| chosen(row)).collect();
    tell(&here);
    world.add_push(1, "far.git", &["--on-divergence", on_divergence]);
    for row in &rows {
        put(&here, row.name, row.pushed);
    }
    world.succeed("push", 1);

    tell(&there);
    there.set("refs/kept/alien", &there.commit("alien", "alien"));
    there.delete("refs/heads/alien");
    for row in &rows {
        if !row.there.ends_with("alien") {
            // Both sides have the same annotated tags, whoever made them.
            put(&here, row.name, row.there);
        }
        put(&here, row.name, row.here);
        put(&there, row.name, row.there);
    }
    (world, there, rows)
}

fn found(there: &Repository, rows: &[&'static Row]) -> Vec<(&'static str, String)> {
    rows.iter().map(|row| (row.name, word(there, row.name))).collect()
}

fn expected(rows: &[&'static Row], column: impl Fn(&Row) -> &'static str) -> Vec<(&'static str, String)> {
    rows.iter().map(|row| (row.name, column(row).to_owned())).collect()
}

fn names_of_diverged() -> String {
    let mut names: Vec<&str> = ROWS.iter().filter(|row| row.fail == DIVERGED).map(|row| row.name).collect();
    names.sort_unstable();
    names.join("\n")
}

const SOME_DIVERGED: &str = "Some refs have diverged and have not been updated on the remote:";

#[test]
fn every_ref_is_as_the_table_says_when_none_has_diverged() {
    let (world, there, rows) = stage("fail", |row| row.fail != DIVERGED);
    world.succeed("push", 1);
    assert_eq!(found(&there, &rows), expected(&rows, |row| row.fail));
}

#[test]
fn by_default_one_diverged_ref_stops_the_whole_push() {
    let (world, there, rows) = stage("fail", |_| true);
    let before = there.refs();
    let error = world.fail("push", 1);
    let diverged = names_of_diverged();
    assert_eq!(error, format!("{SOME_DIVERGED}\n\n{diverged}\n\nBecause of them, nothing else was sent either."));
    assert_listed(&error);
    assert_eq!(there.refs(), before);

    // Once the diverged ones are as ours, the others go, too: what we had left there ourselves is still known to be
    // ours.
    for row in rows.iter().filter(|row| row.fail == DIVERGED) {
        put(&there, row.name, row.here);
    }
    world.succeed("push", 1);
    let resolved = expected(&rows, |row| if row.fail == DIVERGED { row.here } else { row.fail });
    assert_eq!(found(&there, &rows), resolved);
}

#[test]
fn keeping_skips_diverged_refs_deletes_nothing_and_names_what_was_skipped() {
    let (world, there, rows) = stage("keep", |_| true);
    let error = world.fail("push", 1);
    assert_eq!(error, format!("{SOME_DIVERGED}\n\n{}", names_of_diverged()));
    assert_listed(&error);
    assert_eq!(found(&there, &rows), expected(&rows, |row| row.keep));
}

#[test]
fn overwriting_makes_every_ref_ours() {
    let (world, there, rows) = stage("overwrite", |_| true);
    world.succeed("push", 1);
    assert_eq!(found(&there, &rows), expected(&rows, |row| row.overwrite));
}

#[test]
fn nothing_is_deleted_without_a_default_branch() {
    let (world, there, rows) = stage("fail", |row| row.fail != DIVERGED);
    world.local(1).git(&["symbolic-ref", "HEAD", "refs/heads/nothing"]);
    world.succeed("push", 1);
    let kept = expected(&rows, |row| if row.here.is_empty() { row.there } else { row.fail });
    assert_eq!(found(&there, &rows), kept);
}

#[test]
fn only_protected_branches_are_sent_or_deleted_when_only_those_are_mirrored() {
    let (world, there, rows) = stage("overwrite", |_| true);
    world.update("push", 1, &["--only-protected", "--protected", "main", "--protected", "only-*"]);
    world.succeed("push", 1);
    let admitted = |branch: &str| branch == "main" || branch.starts_with("only-");
    let after = expected(&rows, |row| match row.name.strip_prefix("refs/heads/") {
        Some(branch) if !admitted(branch) => row.there,
        _ => row.overwrite,
    });
    assert_eq!(found(&there, &rows), after);
}
