//! Every engine that moves objects, since the same places are forbidden to all of them.

use std::path::Path;

use sidemirror::git::{Engine, GitProgram, Libgit2};

/// Debian's, which is the oldest that is served.
const GIT: &str = "/usr/bin/git";

/// The ways that every engine goes.
pub(crate) const SCHEMES: [&str; 4] = ["http", "https", "ssh", "git"];

pub(crate) fn engines() -> Vec<Box<dyn Engine>> {
    vec![Box::new(Libgit2), Box::new(program(env!("CARGO_BIN_EXE_sidemirror")))]
}

/// The `git` program, started by this one.
pub(crate) fn program(ourselves: &str) -> GitProgram {
    let program = GitProgram::find(Path::new(GIT)).unwrap().expect("a git that is new enough");
    program.started_by(Path::new(ourselves))
}
