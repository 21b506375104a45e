//! Every engine that moves objects, since the same places are forbidden to all of them.

use sidemirror::git::{Engine, Libgit2};

pub(crate) fn engines() -> Vec<Box<dyn Engine>> {
    vec![Box::new(Libgit2)]
}
