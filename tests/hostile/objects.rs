//! Packs of objects that cannot be kept.

use crate::case::{Case, pull};
use crate::packs::{Id, Kind, Pack, REFERENCE_DELTA, commit, copy, deflated, delta, tree};
use crate::server::Behaviour;
use crate::wire::{FETCH, listing, sends, serves};

const UNUSABLE: &str = r"The remote('s answer was not understood| sent unusable objects): .+\.";
/// What is not the pack that it says it is may look like one that is too large.
const UNUSABLE_OR_LARGE: &str =
    r"The remote('s answer was not understood| sent unusable objects): .+\.|The remote sent .+ at most .+";

pub(crate) fn cases() -> Vec<Case> {
    [trees(), commits(), missing(), entries()].into_iter().flatten().collect()
}

/// Trees whose entries would do harm when they are checked out, or that git's own fsck refuses.
fn trees() -> Vec<Case> {
    let named = |name: &'static str, mode: &'static str| {
        let mut pack = Pack::new();
        let blob = pack.object(Kind::Blob, b"[core]\n\tfsmonitor = id\n");
        let inner = pack.tree(&[("100644", b"config", blob)]);
        let tree = pack.tree(&[(mode, name.as_bytes(), if mode == "40000" { inner } else { blob })]);
        let tip = pack.commit(tree, &[]);
        sends(tip, pack.finish())
    };
    let of = |entries: &[(&str, &[u8])]| {
        let mut pack = Pack::new();
        let blob = pack.object(Kind::Blob, b"hello\n");
        let entries: Vec<_> = entries.iter().map(|(mode, name)| (*mode, *name, blob)).collect();
        let tree = pack.tree(&entries);
        let tip = pack.commit(tree, &[]);
        sends(tip, pack.finish())
    };
    let raw = |content: &[u8]| {
        let mut pack = Pack::new();
        pack.object(Kind::Blob, b"hello\n");
        let tree = pack.object(Kind::Tree, content);
        let tip = pack.commit(tree, &[]);
        sends(tip, pack.finish())
    };
    vec![
        pull("a_folder_named_dot_git", named(".git", "40000"), UNUSABLE),
        pull("a_folder_named_dot_git_in_capitals", named(".GiT", "40000"), UNUSABLE),
        pull("a_file_named_dot_git", named(".git", "100644"), UNUSABLE),
        pull("a_folder_that_windows_takes_for_dot_git", named("git~1", "40000"), UNUSABLE),
        pull("a_folder_that_windows_strips_to_dot_git", named(".git. ", "40000"), UNUSABLE),
        pull("a_folder_that_macs_take_for_dot_git", named(".g\u{200c}it", "40000"), UNUSABLE),
        pull("a_folder_that_windows_finds_dot_git_in", named("x\\.git", "40000"), UNUSABLE),
        pull("an_entry_named_two_dots", named("..", "40000"), UNUSABLE),
        pull("an_entry_named_one_dot", named(".", "40000"), UNUSABLE),
        pull("an_entry_without_a_name", named("", "100644"), UNUSABLE),
        pull("an_entry_with_a_path_for_a_name", named("a/b", "100644"), UNUSABLE),
        pull("a_link_named_dot_gitmodules", named(".gitmodules", "120000"), UNUSABLE),
        pull("an_entry_twice", of(&[("100644", b"x"), ("100644", b"x")]), UNUSABLE),
        pull("entries_out_of_order", of(&[("100644", b"z"), ("100644", b"a")]), UNUSABLE),
        pull("a_mode_that_is_no_number", of(&[("1x0644", b"x")]), UNUSABLE),
        pull("a_tree_that_is_cut_off", raw(b"100644 x\0short"), UNUSABLE),
        pull("a_tree_of_noise", raw(b"there is no tree in this"), UNUSABLE),
    ]
}

/// Commits and tags that are none.
fn commits() -> Vec<Case> {
    let tip_of = |content: &dyn Fn(Id) -> Vec<u8>| {
        let mut pack = Pack::new();
        let blob = pack.object(Kind::Blob, b"hello\n");
        let tree = pack.tree(&[("100644", b"x", blob)]);
        let tip = pack.object(Kind::Commit, &content(tree));
        sends(tip, pack.finish())
    };
    let replacing =
        |from: &'static str, to: &'static str| tip_of(&|tree| commit(tree, &[]).replace(from, to).into_bytes());
    let who = "Mallory <mallory@example.org> 1700000000 +0000";
    let tag = |content: &dyn Fn(Id) -> String| {
        let mut pack = Pack::new();
        let blob = pack.object(Kind::Blob, b"hello\n");
        let tree = pack.tree(&[("100644", b"x", blob)]);
        let commit = pack.commit(tree, &[]);
        let tip = pack.object(Kind::Tag, content(commit).as_bytes());
        sends(tip, pack.finish())
    };
    vec![
        pull("a_commit_of_noise", tip_of(&|_| b"there is no commit in this".to_vec()), UNUSABLE),
        pull("a_commit_of_nothing", tip_of(&|_| Vec::new()), UNUSABLE),
        pull(
            "a_commit_without_a_tree",
            tip_of(&|_| format!("author {who}\ncommitter {who}\n\nhello\n").into_bytes()),
            UNUSABLE,
        ),
        pull("a_commit_without_an_author", replacing("author", "nobody"), UNUSABLE),
        pull("a_commit_without_a_committer", replacing("committer", "nobody"), UNUSABLE),
        pull("a_commit_of_a_null_byte_in_its_head", replacing("Mallory <", "Mal\0lory <"), UNUSABLE),
        pull("a_commit_at_the_end_of_time", replacing("1700000000", "99999999999999999999999999"), UNUSABLE),
        pull(
            "a_branch_that_is_a_blob",
            branch_of_a_blob(),
            r"Failed to create branch 'new': a branch must point at .*blob\.",
        )
        .in_part(),
        pull("a_tag_of_noise", tag(&|_| "there is no tag in this".to_owned()), UNUSABLE),
        pull(
            "a_tag_of_what_it_is_not",
            tag(&|commit| format!("object {commit}\ntype blob\ntag v1\ntagger {who}\n\nhello\n")),
            UNUSABLE,
        ),
        pull(
            "a_tag_of_nothing_there",
            tag(&|_| format!("object {}\ntype commit\ntag v1\ntagger {who}\n\nhello\n", Id::NOBODY)),
            UNUSABLE,
        ),
    ]
}

/// A far side that has a branch `new`, which is no commit.
fn branch_of_a_blob() -> Behaviour {
    let mut pack = Pack::new();
    let blob = pack.object(Kind::Blob, b"hello\n");
    serves(listing("git-upload-pack", FETCH, [(&b"refs/heads/new"[..], blob)]), pack.finish())
}

/// Histories with holes.
fn missing() -> Vec<Case> {
    let hole = |leave: usize| {
        let contents = [b"hello\n".to_vec(), b"bye\n".to_vec()];
        let blobs = contents.each_ref().map(|content| Id::of(Kind::Blob, content));
        let inner = tree(&[("100644", b"bye.txt", blobs[1])]);
        let inner_id = Id::of(Kind::Tree, &inner);
        let outer = tree(&[("100644", b"hello.txt", blobs[0]), ("40000", b"inner", inner_id)]);
        let parent = commit(Id::of(Kind::Tree, &outer), &[]);
        let tip = commit(inner_id, &[Id::of(Kind::Commit, parent.as_bytes())]);
        let all = [
            (Kind::Blob, &contents[0][..]),
            (Kind::Blob, &contents[1]),
            (Kind::Tree, &inner),
            (Kind::Tree, &outer),
            (Kind::Commit, parent.as_bytes()),
            (Kind::Commit, tip.as_bytes()),
        ];
        let mut pack = Pack::new();
        for (_, (kind, content)) in all.iter().enumerate().filter(|(number, _)| *number != leave) {
            pack.object(*kind, content);
        }
        sends(Id::of(Kind::Commit, tip.as_bytes()), pack.finish())
    };
    let taken_for = |kind: Kind| {
        let mut pack = Pack::new();
        let blob = pack.object(Kind::Blob, b"");
        let tree = pack.tree(&[]);
        let wrong = if kind == Kind::Blob { blob } else { pack.commit(tree, &[]) };
        let tip = pack.commit(wrong, &[]);
        sends(tip, pack.finish())
    };
    let stray = |stray: &dyn Fn(&mut Pack)| {
        let mut pack = Pack::new();
        let tree = pack.tree(&[]);
        let tip = pack.commit(tree, &[]);
        stray(&mut pack);
        sends(tip, pack.finish())
    };
    vec![
        pull(
            "a_hole_that_nothing_leads_to_yet",
            stray(&|pack| {
                pack.tree(&[("100644", b"x", Id::NOBODY)]);
            }),
            UNUSABLE,
        ),
        pull(
            "a_harmful_tree_that_nothing_leads_to_yet",
            stray(&|pack| {
                let empty = Id::of(Kind::Tree, b"");
                pack.tree(&[("40000", b".git", empty)]);
            }),
            UNUSABLE,
        ),
        pull("a_tree_without_its_blob", hole(0), UNUSABLE),
        pull("an_inner_tree_without_its_blob", hole(1), UNUSABLE),
        pull("a_tree_without_its_inner_tree", hole(2), UNUSABLE),
        pull("a_commit_without_its_own_tree", hole(3), UNUSABLE),
        pull("a_commit_without_its_parent", hole(4), UNUSABLE),
        pull("a_pack_without_the_commit_asked_for", hole(5), UNUSABLE),
        pull("a_blob_in_the_place_of_a_tree", taken_for(Kind::Blob), UNUSABLE),
        pull("a_commit_in_the_place_of_a_tree", taken_for(Kind::Commit), UNUSABLE),
        pull(
            "a_folder_in_the_place_of_a_file",
            {
                let mut pack = Pack::new();
                let inner = pack.tree(&[]);
                let tree = pack.tree(&[("100644", b"x", inner)]);
                let tip = pack.commit(tree, &[]);
                sends(tip, pack.finish())
            },
            UNUSABLE,
        ),
    ]
}

/// Entries of a pack that do not hold what they say.
fn entries() -> Vec<Case> {
    let beside = |write: &dyn Fn(&mut Pack, Id)| {
        let mut pack = Pack::new();
        let blob = pack.object(Kind::Blob, b"hello\n");
        let tree = pack.tree(&[("100644", b"x", blob)]);
        let tip = pack.commit(tree, &[]);
        write(&mut pack, blob);
        sends(tip, pack.finish())
    };
    let announcing = |difference: i64| {
        let (tip, count) = (Id::NOBODY, u32::try_from(1 + difference).unwrap());
        let mut pack = Pack::new();
        pack.object(Kind::Blob, b"hello\n");
        sends(tip, pack.finish_as(count))
    };
    let mut corrupt = deflated(&b"hello ".repeat(100));
    corrupt[6] ^= 0xff;
    let (one, two) = (Id([1; 20]), Id([2; 20]));
    vec![
        pull("data_that_cannot_be_unpacked", beside(&|pack, _| pack.entry(3, 600, &corrupt)), UNUSABLE),
        pull("data_longer_than_announced", beside(&|pack, _| pack.entry(3, 5, &deflated(&[b'x'; 5000]))), UNUSABLE),
        pull("data_shorter_than_announced", beside(&|pack, _| pack.entry(3, 5000, &deflated(b"short"))), UNUSABLE),
        pull("an_entry_of_no_type", beside(&|pack, _| pack.entry(0, 5, &deflated(b"hello"))), UNUSABLE),
        pull("an_entry_of_the_type_to_come", beside(&|pack, _| pack.entry(5, 5, &deflated(b"hello"))), UNUSABLE),
        pull("a_size_without_end", beside(&|pack, _| pack.entry(3, u64::MAX, &deflated(b"hello"))), UNUSABLE_OR_LARGE),
        pull("fewer_objects_than_announced", announcing(1), UNUSABLE_OR_LARGE),
        pull("more_objects_than_announced", announcing(-1), UNUSABLE),
        pull(
            "a_delta_on_what_nobody_has",
            beside(&|pack, _| pack.delta_against(Id::NOBODY, &delta(6, 6, &copy(6)))),
            UNUSABLE,
        ),
        pull("a_delta_on_itself", beside(&|pack, _| pack.delta_back(0, &delta(6, 6, &copy(6)))), UNUSABLE),
        pull(
            "a_delta_on_what_lies_before_the_pack",
            beside(&|pack, _| pack.delta_back(1 << 40, &delta(6, 6, &copy(6)))),
            UNUSABLE,
        ),
        pull(
            "a_delta_on_the_middle_of_an_entry",
            beside(&|pack, _| pack.delta_back(3, &delta(6, 6, &copy(6)))),
            UNUSABLE,
        ),
        pull(
            "two_deltas_on_each_other",
            beside(&|pack, _| {
                pack.delta_against(two, &delta(6, 6, &copy(6)));
                pack.delta_against(one, &delta(6, 6, &copy(6)));
            }),
            UNUSABLE,
        ),
        pull(
            "a_delta_beyond_its_base",
            beside(&|pack, blob| pack.delta_against(blob, &delta(6, 60, &copy(60)))),
            UNUSABLE,
        ),
        pull(
            "a_delta_of_another_base",
            beside(&|pack, blob| pack.delta_against(blob, &delta(7, 7, &copy(7)))),
            UNUSABLE,
        ),
        pull(
            "a_delta_that_falls_short",
            beside(&|pack, blob| pack.delta_against(blob, &delta(6, 60, &copy(6)))),
            UNUSABLE,
        ),
        pull(
            "a_delta_of_an_unknown_instruction",
            beside(&|pack, blob| pack.delta_against(blob, &delta(6, 6, &[0]))),
            UNUSABLE,
        ),
        pull(
            "a_delta_of_nothing",
            beside(&|pack, blob| pack.entry(REFERENCE_DELTA, 0, &[&blob.0[..], &deflated(b"")].concat())),
            UNUSABLE,
        ),
    ]
}
