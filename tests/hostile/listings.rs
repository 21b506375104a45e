//! Lists of refs that are wrong, absurd or without end.

use crate::case::{Case, pull, push};
use crate::packs::{Id, Kind, Pack};
use crate::server::Behaviour;
use crate::wire::{FETCH, FLUSH, LONGEST, git_server, line, listing, preface, serves};

const MISUNDERSTOOD: &str = r"The remote's answer was not understood: .+\.";

pub(crate) fn cases() -> Vec<Case> {
    let id = Id::NOBODY.to_string();
    let first = |rest: &str| lines(&[format!("{id} refs/heads/main\0{FETCH}\n").as_bytes(), rest.as_bytes()]);
    let mut cases = vec![
        pull("no_list_at_all", raw(Vec::new()), MISUNDERSTOOD),
        pull("a_page_that_says_it_is_a_list", raw(b"<html><body>Please log in</body></html>".to_vec()), MISUNDERSTOOD),
        pull("a_list_of_zeros", raw(vec![0; 10_000]), MISUNDERSTOOD),
        pull("a_length_that_is_no_number", raw(after_preface(b"zzzz refs/heads/main\n")), MISUNDERSTOOD),
        pull("a_length_below_its_own", raw(after_preface(b"0003")), MISUNDERSTOOD),
        pull(
            "a_length_beyond_the_longest",
            raw(after_preface(&[b"ffff".to_vec(), vec![b'x'; 65535]].concat())),
            MISUNDERSTOOD,
        ),
        pull(
            "an_id_that_is_none",
            raw(lines(&[format!("{} refs/heads/main\0{FETCH}\n", "z".repeat(40)).as_bytes()])),
            MISUNDERSTOOD,
        ),
        pull("an_id_that_is_too_short", raw(lines(&[b"1234 refs/heads/main\n"])), MISUNDERSTOOD),
        pull("a_ref_without_a_name", raw(lines(&[format!("{id}\0{FETCH}\n").as_bytes()])), MISUNDERSTOOD),
        pull("a_second_list_of_abilities", raw(first(&format!("{id} refs/heads/b\0{FETCH} evil\n"))), ".+"),
        pull(
            "another_kind_of_ids",
            raw(lines(&[format!("{} refs/heads/main\0object-format=sha256\n", "1".repeat(64)).as_bytes()])),
            ".+",
        ),
        pull(
            "an_error_that_steers_terminals",
            raw(after_preface(&line("ERR \x1b]0;you\x07 \x1b[31mgo away\x1b[0m \u{9b}2J\r\n"))),
            r".*go away.*",
        ),
        pull(
            "an_error_of_a_book's_length",
            raw(after_preface(&line([b"ERR ", &[b'x'; LONGEST - 4][..]].concat()))),
            ".{20,10000}",
        ),
        push("no_list_at_all_for_a_push", raw(Vec::new()), MISUNDERSTOOD),
        push("a_page_that_says_it_is_a_list_for_a_push", raw(b"<html>".to_vec()), MISUNDERSTOOD),
    ];
    cases.extend(names());
    cases
}

/// Names that nobody should have.
fn names() -> Vec<Case> {
    let absurd: Vec<Vec<u8>> = vec![
        b"refs/heads/..".to_vec(),
        b"refs/heads/../../../../etc/passwd".to_vec(),
        b"refs/heads/a..b".to_vec(),
        b"refs/heads/.hidden".to_vec(),
        b"refs/heads/x.lock".to_vec(),
        b"refs/heads/x/".to_vec(),
        b"refs/heads//x".to_vec(),
        b"refs/heads/".to_vec(),
        b"refs/heads/@{1}".to_vec(),
        b"refs/heads/\x1b[31mred".to_vec(),
        b"refs/heads/tab\there".to_vec(),
        b"refs/heads/bell\x07".to_vec(),
        b"refs/heads/delete\x7f".to_vec(),
        b"refs/heads/caf\xe9".to_vec(),
        b"refs/heads/\xff\xfe".to_vec(),
        b"refs/heads/question?".to_vec(),
        b"refs/heads/star*".to_vec(),
        b"refs/heads/colon:colon".to_vec(),
        b"refs/heads/tilde~1".to_vec(),
        b"refs/heads/back\\slash".to_vec(),
        b"/refs/heads/absolute".to_vec(),
        b"../refs/heads/outside".to_vec(),
        b"heads/without".to_vec(),
        b"HEAD.lock".to_vec(),
        b"config".to_vec(),
        b"hooks/post-receive".to_vec(),
        b"FETCH_HEAD".to_vec(),
        b"--upload-pack=id".to_vec(),
        b"refs/sidemirror/push/1/x/heads/main".to_vec(),
        b"refs/remotes/upstream/main".to_vec(),
        b"refs/replace/1111111111111111111111111111111111111111".to_vec(),
        b"refs/notes/commits".to_vec(),
    ];
    vec![
        pull("absurd_names_are_left_out", history_with(&absurd), "").has(&[
            "refs/heads/good",
            "refs/heads/main",
            "refs/heads/topic",
        ]),
        pull("a_name_like_an_option_is_a_name", history_with(&[b"refs/heads/-x".to_vec()]), "").has(&[
            "refs/heads/-x",
            "refs/heads/good",
            "refs/heads/main",
            "refs/heads/topic",
        ]),
        pull(
            "a_name_of_ten_thousand_letters",
            history_with(&[[b"refs/heads/".to_vec(), vec![b'x'; 10_000]].concat()]),
            r"Failed to create ref 'refs/remotes/upstream/x+…': .+\.\n\nFailed to create branch 'x+…': .+\.",
        )
        .in_part(),
        pull("a_name_twice", history_with(&vec![b"refs/heads/good".to_vec(); 3]), "").has(&[
            "refs/heads/good",
            "refs/heads/main",
            "refs/heads/topic",
        ]),
        pull(
            "a_name_within_a_name",
            history_with(&[b"refs/heads/good/better".to_vec()]),
            r".*Failed to create branch 'good.*': Branch name conflicts with existing branch hierarchy\.",
        )
        .in_part(),
    ]
}

/// A list of these bytes, whichever service is asked for, and nothing more.
pub(crate) fn raw(list: Vec<u8>) -> Behaviour {
    git_server(list, |_, _| Ok(()))
}

fn after_preface(bytes: &[u8]) -> Vec<u8> {
    [&preface("git-upload-pack"), bytes].concat()
}

fn lines(payloads: &[&[u8]]) -> Vec<u8> {
    let lines: Vec<u8> = payloads.iter().flat_map(line).collect();
    after_preface(&[&lines[..], FLUSH].concat())
}

/// A far side with one honest branch `good` and these further names, all of the same honest commit.
fn history_with(names: &[Vec<u8>]) -> Behaviour {
    let mut pack = Pack::new();
    let blob = pack.object(Kind::Blob, b"hello\n");
    let tree = pack.tree(&[("100644", b"hello.txt", blob)]);
    let tip = pack.commit(tree, &[]);
    let pack = pack.finish();
    let refs = names.iter().map(|name| (&name[..], tip)).chain([(&b"refs/heads/good"[..], tip)]);
    serves(listing("git-upload-pack", FETCH, refs), pack)
}
