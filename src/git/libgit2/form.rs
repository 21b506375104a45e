//! Whether an object may be kept as it is: libgit2 takes whatever it can read. Refused is what git's own fsck refuses and
//! what could harm whoever checks the history out, or keep git from working with it.

use std::collections::HashSet;

use git2::{Oid, Tree, TreeEntry};
use gix_validate::path::component;
use gix_validate::path::component::{Error, Mode, Options};

/// The bits of a mode that say what an entry is, and two of their values.
const KIND: i32 = 0o17_0000;
const FOLDER: i32 = 0o04_0000;
const LINK: i32 = 0o12_0000;

/// Names that stand for `.git` on Windows or on Macs are harmful wherever the history may be checked out.
const EVERYWHERE: Options = Options { protect_windows: false, protect_hfs: true, protect_ntfs: true };

/// What is wrong with a tree, if anything is.
pub(super) fn flaw_of_tree(tree: &Tree<'_>) -> Option<String> {
    let told = |flaw: &str| Some(format!("tree {} {flaw}", tree.id()));
    let (mut names, mut before) = (HashSet::with_capacity(tree.len()), Vec::new());
    for entry in tree {
        let name = entry.name_bytes();
        if !is_harmless(name, entry.filemode_raw()) {
            return told(&format!("holds an entry named {:?}", String::from_utf8_lossy(name)));
        }
        if !names.insert(name.to_owned()) {
            return told(&format!("holds {:?} twice", String::from_utf8_lossy(name)));
        }
        let place = place(&entry);
        if before >= place {
            return told("is not sorted");
        }
        before = place;
    }
    None
}

/// What is wrong with a commit, given as it is stored, beyond what libgit2 notices.
pub(super) fn flaw_of_commit(id: Oid, raw: &[u8]) -> Option<String> {
    let end = raw.windows(2).position(|pair| pair == b"\n\n").unwrap_or(raw.len());
    raw[..end].contains(&0).then(|| format!("commit {id} has a null byte in its header"))
}

fn is_harmless(name: &[u8], mode: i32) -> bool {
    let mode = (mode & KIND == LINK).then_some(Mode::Symlink);
    let check = |name: &[u8]| component(name.into(), mode, EVERYWHERE).map(drop);
    // Windows takes each part between backslashes for a name.
    let mut parts = name.split(|byte| *byte == b'\\').map(check);
    check(name).is_ok() && !parts.any(|part| matches!(part, Err(Error::DotGitDir | Error::SymlinkedGitModules)))
}

/// By what git sorts: a folder as if its name ended in a slash.
fn place(entry: &TreeEntry<'_>) -> Vec<u8> {
    let mut place = entry.name_bytes().to_vec();
    if entry.filemode_raw() & KIND == FOLDER {
        place.push(b'/');
    }
    place
}
