//! The Rust files of this project.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

/// One file of `src/`, named by its path there.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Source {
    /// All files of `src/`.
    pub(crate) fn all() -> Vec<Self> {
        let src = root().join("src");
        let read = |path: PathBuf| Self { text: fs::read_to_string(src.join(&path)).unwrap(), path };
        rust_files("src").into_iter().map(read).collect()
    }

    /// The file's tokens.
    pub(crate) fn tokens(&self) -> TokenStream {
        self.text.parse().unwrap_or_else(|error| panic!("src/{}: {error}", self.path.display()))
    }

    /// The file's module, such as `git::probe` for `git/probe.rs` and `git` for `git/mod.rs`.
    pub(crate) fn module(&self) -> Vec<String> {
        let names = self.path.with_extension("");
        names.iter().map(|name| name.to_string_lossy().into_owned()).filter(|name| name != "mod").collect()
    }

    /// The lines in which this word stands as a word of the language.
    pub(crate) fn lines_of(&self, word: &str) -> Vec<usize> {
        lines_of(word, self.tokens())
    }
}

fn lines_of(word: &str, tokens: TokenStream) -> Vec<usize> {
    let lines = |token| match token {
        TokenTree::Ident(name) if name == word => vec![name.span().start().line],
        TokenTree::Group(group) => lines_of(word, group.stream()),
        _ => Vec::new(),
    };
    tokens.into_iter().flat_map(lines).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files under a folder of the project, by their paths there.
pub(crate) fn rust_files(folder: &str) -> Vec<PathBuf> {
    let folder = root().join(folder);
    let mut files = Vec::new();
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.strip_prefix(&folder).unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}
