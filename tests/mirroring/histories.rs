//! A few commits with known relations, the same in every repository, to say in a word what a ref points at.
//!
//! ```text
//! base ── next ── last
//!     └── fork
//! ```

use crate::rig::repository::Repository;

/// Where the commits are kept, so that they are there without any branch; mirroring does not concern it.
const KEPT: &str = "refs/kept/";

/// Puts the commits into a repository.
pub(crate) fn tell(repository: &Repository) {
    for (branch, messages) in [("line", &["base", "next", "last"][..]), ("side", &["base", "fork"])] {
        for message in messages {
            let id = repository.commit(branch, message);
            repository.set(&format!("{KEPT}{message}"), &id);
        }
        repository.delete(&format!("refs/heads/{branch}"));
    }
}

/// Makes a ref what the word says: `base`, `next`, `last` or `fork`, for a tag also `annotated base` and so on, and
/// nothing for a ref that does not exist.
pub(crate) fn put(repository: &Repository, name: &str, word: &str) {
    if word.is_empty() {
        return repository.delete(name);
    }
    match (word.strip_prefix("annotated "), name.strip_prefix("refs/tags/")) {
        (Some(commit), Some(tag)) => {
            repository.annotated_tag(tag, &format!("{KEPT}{commit}"));
        }
        _ => repository.set(name, &repository.id_of(&format!("{KEPT}{word}"))),
    }
}

/// The word for what a ref points at.
pub(crate) fn word(repository: &Repository, name: &str) -> String {
    let refs = repository.refs();
    let Some(id) = refs.get(name) else { return String::new() };
    let commit = repository.id_of(&format!("{id}^{{commit}}"));
    let kept = refs.iter().find(|(kept, id)| kept.starts_with(KEPT) && **id == commit);
    let word = kept.map_or("something else", |(kept, _)| &kept[KEPT.len()..]);
    if commit == *id { word.to_owned() } else { format!("annotated {word}") }
}
