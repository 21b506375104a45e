//! Which engine moves what: plain decisions, made anew in each run.

use std::collections::BTreeSet;

use super::face::parents;
use crate::mirror::engine::EngineName;
use crate::mirror::refs::RefChange;

/// Why the `git` program does what libgit2 would do otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The mirror or the configuration wants it so.
    Wanted,
    /// libgit2 does not know the format of the local repository.
    Format,
    /// libgit2 did not understand the far side, which may use a format that it does not know.
    NotUnderstood,
    /// Nothing is there yet, so that all of a history is to come.
    EmptyRepository,
    /// What came last was big.
    LastWasBig,
    /// The pack that was about to come is big.
    Announced,
    /// All refs are to move or none, which libgit2 cannot ask for.
    Atomic,
    /// What is to be sent is big, or nobody knows how big.
    MuchToSend,
}

impl Reason {
    /// Every one of them.
    pub const ALL: [Self; 8] = [
        Self::Wanted,
        Self::Format,
        Self::NotUnderstood,
        Self::EmptyRepository,
        Self::LastWasBig,
        Self::Announced,
        Self::Atomic,
        Self::MuchToSend,
    ];

    /// As a metric's label and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Format => "format",
            Self::NotUnderstood => "not_understood",
            Self::EmptyRepository => "empty_repository",
            Self::LastWasBig => "last_was_big",
            Self::Announced => "announced",
            Self::Atomic => "atomic",
            Self::MuchToSend => "much_to_send",
        }
    }
}

/// What is known before the far side is asked anything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beginning {
    /// The engine that the mirror or the configuration names.
    pub(super) wanted: Option<EngineName>,
    /// Whether libgit2 can open the local repository.
    pub(super) library_opens: bool,
}

/// Who talks to the far side; `None` is libgit2. What only the program can do is the program's, whatever is wanted.
pub(super) fn to_begin(beginning: Beginning) -> Option<Reason> {
    match beginning {
        Beginning { library_opens: false, .. } => Some(Reason::Format),
        Beginning { wanted: Some(EngineName::Git), .. } => Some(Reason::Wanted),
        _ => None,
    }
}

/// What is known before a download that libgit2 may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Download {
    /// Whether nothing is there yet.
    pub(super) empty: bool,
    /// Objects that the last download brought.
    pub(super) last: u64,
    /// More than so many are the program's.
    pub(super) most: u64,
}

/// Who downloads; `None` is libgit2.
pub(super) fn to_download(download: Download) -> Option<Reason> {
    match download {
        Download { empty: true, .. } => Some(Reason::EmptyRepository),
        Download { last, most, .. } if last > most => Some(Reason::LastWasBig),
        _ => None,
    }
}

/// Refs of which a push as a whole may consist: more do not go into one call of the program, and on the far side each is
/// held by a lock until all of them are.
const MOST_ATOMIC: usize = 10_000;

/// Whether `changes` can be made as a whole. Where one ref makes room for another (`x` for `x/y`), git cannot do that
/// in one transaction.
pub(super) fn can_be_whole(changes: &[RefChange]) -> bool {
    let kept = changes.iter().filter(|change| change.new.is_some());
    let kept: BTreeSet<&str> = kept.map(|change| change.name.as_str()).collect();
    let makes_room = |name: &str| {
        let beneath = format!("{name}/");
        let below = kept.range(beneath.as_str()..).next().is_some_and(|found| found.starts_with(&beneath));
        below || parents(name).any(|parent| kept.contains(parent))
    };
    let mut gone = changes.iter().filter(|change| change.new.is_none());
    changes.len() <= MOST_ATOMIC && !gone.any(|change| makes_room(change.name.as_str()))
}

/// What is known before a push that libgit2 may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Push {
    /// Whether all refs are to move, or none.
    pub(super) atomic: bool,
    /// Refs that are to move.
    pub(super) refs: usize,
    /// Whether few objects are to be sent, as far as that was to be found out.
    pub(super) light: bool,
}

/// Who pushes; `None` is libgit2.
pub(super) fn to_push(push: Push) -> Option<Reason> {
    match push {
        Push { atomic: true, refs: 2.., .. } => Some(Reason::Atomic),
        Push { light: false, .. } => Some(Reason::MuchToSend),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::refs::{ObjectId, RefName};

    #[test]
    fn who_begins() {
        use EngineName::{Git, Libgit2};
        for (wanted, library_opens, reason) in [
            (None, true, None),
            (Some(Libgit2), true, None),
            (Some(Git), true, Some(Reason::Wanted)),
            (None, false, Some(Reason::Format)),
            (Some(Libgit2), false, Some(Reason::Format)),
            (Some(Git), false, Some(Reason::Format)),
        ] {
            assert_eq!(to_begin(Beginning { wanted, library_opens }), reason, "{wanted:?} {library_opens}");
        }
    }

    #[test]
    fn who_downloads() {
        for (empty, last, reason) in [
            (true, 0, Some(Reason::EmptyRepository)),
            (false, 0, None),
            (false, 10, None),
            (false, 11, Some(Reason::LastWasBig)),
        ] {
            assert_eq!(to_download(Download { empty, last, most: 10 }), reason, "{empty} {last}");
        }
    }

    #[test]
    fn who_pushes() {
        for (atomic, refs, light, reason) in [
            (false, 1, true, None),
            (false, 500, true, None),
            (true, 1, true, None),
            (true, 2, true, Some(Reason::Atomic)),
            (false, 1, false, Some(Reason::MuchToSend)),
            (true, 1, false, Some(Reason::MuchToSend)),
        ] {
            assert_eq!(to_push(Push { atomic, refs, light }), reason, "{atomic} {refs} {light}");
        }
    }

    #[test]
    fn a_push_that_makes_room_is_not_whole() {
        let id = ObjectId::from_bytes(&[1; 20]).unwrap();
        let gone = |name| RefChange::delete(RefName::branch(name), id);
        let new = |name| RefChange::create(RefName::branch(name), id);
        for (changes, whole) in [
            (vec![gone("a"), new("b")], true),
            (vec![gone("a"), new("a-b")], true),
            (vec![gone("a"), new("a/b")], false),
            (vec![gone("a/b"), new("a")], false),
            (vec![gone("a/b"), new("a/c")], true),
            (vec![new("a"); MOST_ATOMIC + 1], false),
        ] {
            assert_eq!(can_be_whole(&changes), whole, "{:?}", &changes[..2]);
        }
    }

    #[test]
    fn every_reason_has_a_word_of_its_own() {
        let words: BTreeSet<_> = Reason::ALL.map(Reason::as_str).into();
        assert_eq!(words.len(), Reason::ALL.len());
    }
}
