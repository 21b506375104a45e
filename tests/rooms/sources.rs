//! The Rust files of this project.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

/// One file of `src/`.
pub(crate) struct Source {
    /// Its path there.
    pub(crate) path: PathBuf,
    /// The module that it holds, such as `git::probe`.
    pub(crate) module: Vec<String>,
    text: String,
}

impl Source {
    /// A file that holds the module its path says: `git::probe` is `git/probe.rs`, `git` is `git/mod.rs`.
    pub(crate) fn new(path: &Path, text: String) -> Self {
        let names = path.with_extension("");
        let names = names.iter().map(|name| name.to_string_lossy().into_owned());
        Self { path: path.to_owned(), module: names.filter(|name| name != "mod").collect(), text }
    }

    /// All files of `src/`.
    pub(crate) fn all() -> Vec<Self> {
        let src = root().join("src");
        let read = |path: PathBuf| Self::new(&path, fs::read_to_string(src.join(&path)).unwrap());
        let mut sources: Vec<_> = rust_files("src").into_iter().map(read).collect();
        let placed: Vec<_> = sources.iter().flat_map(Self::placed_modules).collect();
        for source in &mut sources {
            if let Some((_, module)) = placed.iter().find(|(path, _)| *path == source.path) {
                source.module.clone_from(module);
            }
        }
        sources
    }

    /// The files that this one takes in by `#[path = "…"] mod name;`, and the modules that they hold.
    fn placed_modules(&self) -> Vec<(PathBuf, Vec<String>)> {
        let words: Vec<_> = flatten(self.tokens()).iter().map(ToString::to_string).collect();
        let mut placed = Vec::new();
        for (at, window) in words.windows(3).enumerate() {
            if let [path, equals, file] = window
                && (path.as_str(), equals.as_str()) == ("path", "=")
                && let Some(name) = words[at..].iter().skip_while(|word| *word != "mod").nth(1)
            {
                placed.push((
                    self.path.with_file_name(file.trim_matches('"')),
                    [&self.module[..], std::slice::from_ref(name)].concat(),
                ));
            }
        }
        placed
    }

    /// The file's tokens.
    pub(crate) fn tokens(&self) -> TokenStream {
        self.text.parse().unwrap_or_else(|error| panic!("src/{}: {error}", self.path.display()))
    }

    /// The lines in which this word stands as a word of the language.
    pub(crate) fn lines_of(&self, word: &str) -> Vec<usize> {
        let is_word = |token: &TokenTree| matches!(token, TokenTree::Ident(name) if name == word);
        flatten(self.tokens()).iter().filter(|token| is_word(token)).map(|token| token.span().start().line).collect()
    }
}

/// The tokens in order, those inside brackets too, without the brackets.
fn flatten(tokens: TokenStream) -> Vec<TokenTree> {
    let inside = |token| match token {
        TokenTree::Group(group) => flatten(group.stream()),
        token => vec![token],
    };
    tokens.into_iter().flat_map(inside).collect()
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
