//! Every engine that moves objects, since the same places are forbidden to all of them.

use std::path::Path;

use sidemirror::git::{Engine, GitProgram, Libgit2};

/// Debian's, which is the oldest that is served.
const GIT: &str = "/usr/bin/git";

/// An engine, and the ways it goes.
pub(crate) struct Contender {
    pub(crate) engine: Box<dyn Engine>,
    schemes: &'static [&'static str],
    /// Whether trying all of them each time would take too long.
    pub(crate) is_slow: bool,
}

impl Contender {
    /// The schemes with which the `turn`th place is tried.
    pub(crate) fn schemes(&self, turn: usize) -> Vec<&'static str> {
        if self.is_slow { vec![self.schemes[turn % self.schemes.len()]] } else { self.schemes.to_vec() }
    }
}

pub(crate) fn engines() -> Vec<Contender> {
    let program = GitProgram::find(Path::new(GIT)).unwrap().expect("a git that is new enough");
    let program = program.started_by(Path::new(env!("CARGO_BIN_EXE_sidemirror")));
    vec![
        Contender { engine: Box::new(Libgit2), schemes: &["http", "https", "ssh", "git"], is_slow: false },
        Contender { engine: Box::new(program), schemes: &["http", "https"], is_slow: true },
    ]
}
