//! Packs that do not come as packs come.

use crate::case::{Case, pull};
use crate::packs::{Id, Kind, Pack, entry_head, header, sealed};
use crate::wire::{FETCH, FLUSH, band, line, listing, negotiate, sends, serves, upstream};

const MISUNDERSTOOD: &str = r"The remote's answer was not understood: .+\.";
const UNUSABLE: &str = r"The remote('s answer was not understood| sent unusable objects): .+\.";
/// What goes on for ever passes one limit or the other first.
const TOO_LONG: &str = r"The run took longer than 8s and was ended while talking to AT\.|.+ which is the limit .+";

#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn cases() -> Vec<Case> {
    let (tip, pack) = honest();
    let (cut, mut spoilt, mut longer) = (pack[..pack.len() - 30].to_vec(), pack.clone(), pack.clone());
    *spoilt.last_mut().unwrap() ^= 1;
    longer.extend(b"and more");
    let mut other = Pack::new();
    other.object(Kind::Blob, b"not what was asked for\n");
    vec![
        pull("no_answer_to_the_wish", upstream(Id::NOBODY, |_, _| Ok(())), MISUNDERSTOOD),
        pull(
            "a_reason_in_place_of_the_pack",
            upstream(Id::NOBODY, |visit, _| visit.send(line("ERR \x1b]0;no\x07 \x1b[31mnot our ref\0 for you"))),
            r".*not our ref.*",
        ),
        pull("nothing_but_a_nak", upstream(Id::NOBODY, |visit, _| visit.send(line("NAK\n"))), UNUSABLE),
        pull("naks_without_end", upstream(Id::NOBODY, |visit, _| visit.flood(&line("NAK\n").repeat(1000))), r"The run took longer than 8s and was ended while talking to AT\.|The remote's answer was not understood: .+\.")
            .endless(),
        pull(
            "acks_without_end",
            upstream(Id::NOBODY, |visit, _| visit.flood(&line(format!("ACK {} continue\n", Id::NOBODY)).repeat(100))),
            r"The run took longer than 8s and was ended while talking to AT\.|The remote's answer was not understood: .+\.",
        )
        .endless(),
        pull(
            "signs_of_life_without_end",
            upstream(Id::NOBODY, |visit, request| {
                negotiate(visit, request)?;
                visit.flood(&band(1, b"").repeat(1000))
            }),
            r".+ which is the limit .+|The (run|remote|server) .+",
        )
        .endless(),
        pull(
            "talk_without_end",
            upstream(Id::NOBODY, |visit, request| {
                negotiate(visit, request)?;
                visit.flood(&band(2, b"\x1b[31mCounting objects\r").repeat(1000))
            }),
            TOO_LONG,
        )
        .endless(),
        pull(
            "a_band_that_does_not_exist",
            upstream(Id::NOBODY, |visit, request| {
                negotiate(visit, request)?;
                visit.send([band(9, b"hello"), FLUSH.to_vec()].concat())
            }),
            UNUSABLE,
        ),
        pull(
            "an_error_on_its_band",
            upstream(Id::NOBODY, |visit, request| {
                negotiate(visit, request)?;
                visit.send([band(3, b"\x1b[31mno more\0 today\n"), FLUSH.to_vec()].concat())
            }),
            r".*no more.*|The remote's answer was not understood: protocol error: bad pack header\.",
        ),
        pull(
            "no_pack_on_its_band",
            upstream(Id::NOBODY, |visit, request| {
                negotiate(visit, request)?;
                visit.send([band(1, &[b'x'; 5000]), FLUSH.to_vec()].concat())
            }),
            UNUSABLE,
        ),
        pull(
            "a_pack_outside_its_band",
            upstream(tip, {
                let pack = pack.clone();
                move |visit, request| {
                    negotiate(visit, request)?;
                    visit.send(&pack)
                }
            }),
            UNUSABLE,
        ),
        pull(
            "a_pack_before_the_one_that_counts",
            upstream(tip, {
                let pack = pack.clone();
                move |visit, request| {
                    visit.send(band(1, &header(2, 0)))?;
                    negotiate(visit, request)?;
                    visit.send([band(1, &pack), FLUSH.to_vec()].concat())
                }
            }),
            MISUNDERSTOOD,
        ),
        pull(
            "a_pack_within_the_one_that_counts",
            upstream(tip, {
                let pack = pack.clone();
                move |visit, request| {
                    let hull = [header(2, 1), entry_head(Kind::Blob as u8, 4000), vec![0x78, 1, 0, 0xa0, 0x0f, 0x5f, 0xf0]];
                    visit.send(band(1, &hull.concat()))?;
                    negotiate(visit, request)?;
                    visit.send([band(1, &pack), FLUSH.to_vec()].concat())
                }
            }),
            MISUNDERSTOOD,
        ),
        pull(
            "an_answer_behind_the_list",
            serves(
                [
                    listing("git-upload-pack", FETCH, [(&b"HEAD"[..], tip), (b"refs/heads/main", tip)]),
                    line(vec![2; 60_000])[..100].to_vec(),
                ]
                .concat(),
                pack.clone(),
            ),
            // git waits for the rest of what has begun.
            r"The remote sent unusable objects: .+\.|The run took longer than 8s and was ended while talking to AT\.",
        )
        .endless(),
        pull("a_pack_of_another_version", sends(Id::NOBODY, sealed(header(9, 0))), UNUSABLE),
        pull("a_pack_of_nothing", sends(Id::NOBODY, sealed(header(2, 0))), UNUSABLE),
        pull("a_pack_that_is_cut_off", sends(tip, cut), UNUSABLE),
        pull("a_pack_with_a_wrong_checksum", sends(tip, spoilt), UNUSABLE),
        pull("a_pack_with_something_behind_it", sends(tip, longer), UNUSABLE),
        pull("another_pack_than_was_asked_for", sends(tip, other.finish()), UNUSABLE),
    ]
}

/// A commit with one file, and a pack that holds both.
pub(crate) fn honest() -> (Id, Vec<u8>) {
    let mut pack = Pack::new();
    let blob = pack.object(Kind::Blob, &b"hello, hello\n".repeat(20));
    let tree = pack.tree(&[("100644", b"hello.txt", blob)]);
    let tip = pack.commit(tree, &[]);
    (tip, pack.finish())
}
