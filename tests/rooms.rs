//! The plan of the house, checked: which room of `src/` may know which other.
//!
//! Sources are read as Rust tokens, so comments and texts do not count, while paths inside macros do.

#![cfg(test)]

#[path = "rooms/arrows.rs"]
mod arrows;
#[path = "rooms/sources.rs"]
mod sources;

use std::path::Path;

use arrows::Arrow;
use sources::{Source, rust_files};

/// Each room and the rooms, or single modules of them, that it may know besides itself.
const ROOMS: &[(&str, &[&str])] = &[
    ("mirror", &[]),
    ("connections", &[]),
    ("net", &[]),
    ("config", &["mirror", "sidekiq", "connections", "net"]),
    ("sidekiq", &["connections"]),
    ("coordination", &["connections", "mirror"]),
    ("git", &["net", "mirror::refs", "mirror::engine"]),
    ("store", &["mirror", "connections"]),
    ("jobs", &["sidekiq", "coordination", "connections", "mirror", "net", "git", "store"]),
    ("scheduler", &["sidekiq", "coordination", "connections", "mirror", "net", "git", "store"]),
    ("web", EVERY_ROOM),
    ("cli", EVERY_ROOM),
];
/// Stands for all rooms.
const EVERY_ROOM: &[&str] = &["*"];

/// The map of the crate and the hand-over to `cli`: they belong to no room.
const OUTSIDE: &[&str] = &["lib.rs", "main.rs"];
/// The only file that may hold unsafe code.
const UNSAFE_FILE: &str = "git/global.rs";
/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc"];

#[test]
fn every_room_knows_only_its_neighbours() {
    let wrong: Vec<_> = sources_in_rooms().iter().flat_map(wrong_arrows).collect();
    assert!(wrong.is_empty(), "\n{}\nSee ROOMS in tests/rooms.rs.", wrong.join("\n"));
}

#[test]
fn unsafe_code_stays_in_its_one_file() {
    for source in Source::all().iter().filter(|source| source.path != Path::new(UNSAFE_FILE)) {
        let (path, lines) = (source.path.display(), source.lines_of("unsafe"));
        assert!(lines.is_empty(), "src/{path}: `unsafe` in lines {lines:?}; only src/{UNSAFE_FILE} may");
    }
}

#[test]
fn every_file_is_named_for_its_subject() {
    for folder in ["src", "tests"] {
        for path in rust_files(folder) {
            let names = path.iter().map(|name| name.to_string_lossy().into_owned());
            let empty: Vec<_> = names.filter(|name| EMPTY_NAMES.contains(&name.trim_end_matches(".rs"))).collect();
            assert!(empty.is_empty(), "{folder}/{}: {empty:?} does not say what is inside", path.display());
        }
    }
}

#[test]
fn a_forbidden_arrow_is_seen_however_it_is_written() {
    for text in [
        "use crate::store::Mirror;",
        "use crate::{net::Door, store::{self}};",
        "pub use crate::{\n    mirror::{refs::Refs},\n    store,\n};",
        "fn f() -> crate::store::Mirror { todo!() }",
        "fn f() { vec![crate::store::all()]; }",
        "use super::super::store::Mirror;",
        "mod tests { use super::super::super::store::Mirror; }",
        "use crate::mirror::state::State;",
        "use crate::mirror::{refs::Refs, State};",
        "use crate::*;",
        "use crate::cellar::Wine;",
    ] {
        let source = Source::new(Path::new("git/probe.rs"), text.to_owned());
        assert_eq!(wrong_arrows(&source).len(), 1, "{text}: {:?}", wrong_arrows(&source));
    }
}

#[test]
fn an_allowed_arrow_is_left_alone() {
    for text in [
        "use crate::net::Door;",
        "use crate::{git::Engine, mirror::refs::{self, RefName}};",
        "use super::super::net::Door;",
        "mod tests { use super::*; use super::super::engine::Engine; }",
        "//! Knows nothing of [`crate::store`].\n/* use crate::store::Mirror; */ const S: &str = \"crate::store\";",
        "pub(crate) struct Probe; pub(super) fn probe() {}",
    ] {
        let source = Source::new(Path::new("git/probe.rs"), text.to_owned());
        assert_eq!(wrong_arrows(&source), Vec::<String>::new(), "{text}");
    }
}

/// The sources that belong to a room.
fn sources_in_rooms() -> Vec<Source> {
    Source::all().into_iter().filter(|source| !OUTSIDE.iter().any(|name| source.path == Path::new(name))).collect()
}

/// What a source uses and its room must not know, in words.
fn wrong_arrows(source: &Source) -> Vec<String> {
    let room = &source.module[0];
    let path = source.path.display();
    let Some((_, neighbours)) = ROOMS.iter().find(|(name, _)| name == room) else {
        return vec![format!("src/{path}: there is no room {room}")];
    };
    let allowed = |arrow: &&Arrow| arrow.leads_into(room) || neighbours.iter().any(|module| arrow.leads_into(module));
    let arrows = arrows::find(source.tokens(), &source.module);
    let wrong = arrows.iter().filter(|arrow| !allowed(arrow));
    wrong.map(|arrow| format!("src/{path}:{}: {room} must not know {arrow}", arrow.line)).collect()
}
