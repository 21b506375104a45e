//! Far sides that speak git's own protocol, over a connection that stays open.

use std::io;

use crate::case::{Case, Way, pull, push};
use crate::packs::{Id, Kind, Pack};
use crate::server::{Behaviour, Visit, behaviour};
use crate::transfers::honest;
use crate::wire::{FETCH, FLUSH, PUSH, band, line, listed};

const SILENT: &str = r"The server AT accepted the connection but sent nothing for 2s\.";
const TOO_LONG: &str = r"The run took longer than 8s and was ended while talking to AT\.";
const BROKE: &str = r"(The connection to AT broke|The remote's answer was not understood|The remote sent unusable objects|The push failed): .+\.";

pub(crate) fn cases() -> Vec<Case> {
    let over = |case: Case| case.over(Way::Git);
    let (tip, pack) = honest();
    let cut = pack[..pack.len() - 30].to_vec();
    let cases = vec![
        pull("silence_after_accept", behaviour(Visit::hold), SILENT).stalling(),
        pull("silence_after_the_list", upstream(Id::NOBODY, Visit::hold), SILENT).stalling(),
        push("silence_after_the_pack_of_a_push", receiver(Visit::hold), SILENT).stalling(),
        pull(
            "one_byte_a_second",
            behaviour(|visit| {
                asked(visit)?;
                visit.drip(&line("hello"))
            }),
            TOO_LONG,
        )
        .endless(),
        pull("one_byte_a_second_in_the_pack", upstream(Id::NOBODY, |visit| visit.drip(&band(2, b"soon\n"))), TOO_LONG)
            .endless(),
        pull("closed_after_accept", behaviour(|_| Ok(())), BROKE),
        pull("closed_in_the_list", behaviour(|visit| visit.send(&line("hello")[..6])), BROKE),
        pull("closed_after_the_list", upstream(Id::NOBODY, |_| Ok(())), BROKE),
        push("closed_after_the_pack_of_a_push", receiver(|_| Ok(())), BROKE),
        pull("a_page_in_place_of_the_list", behaviour(|visit| visit.send("HTTP/1.1 400 Bad Request\r\n\r\n")), BROKE),
        pull(
            "an_error_that_steers_terminals",
            behaviour(|visit| visit.send(line("ERR \x1b[31maccess denied\x1b]0;you\x07"))),
            r".*access denied.*",
        ),
        pull("a_pack_that_is_cut_off", upstream(tip, move |visit| sends(visit, &cut)), BROKE),
        pull(
            "a_tree_without_its_blob",
            {
                let mut pack = Pack::new();
                let tree = pack.tree(&[("100644", b"x", Id::of(Kind::Blob, b"nowhere"))]);
                let tip = pack.commit(tree, &[]);
                let pack = pack.finish();
                upstream(tip, move |visit| sends(visit, &pack))
            },
            r"The remote sent unusable objects: .+\.",
        ),
        push(
            "a_report_of_nothing",
            receiver(|visit| {
                let report = [line("unpack ok\n"), FLUSH.to_vec()].concat();
                visit.send([band(1, &report), FLUSH.to_vec()].concat())
            }),
            r"The push failed: .+\.|Failed to create branch 'main': (the remote did not say what became of it|remote failed to report status)\..*",
        ),
    ];
    cases.into_iter().map(over).collect()
}

/// Lists `tip` as `main`, waits for the wish, and does this.
fn upstream(tip: Id, act: impl Fn(&mut Visit) -> io::Result<()> + Send + Sync + 'static) -> Behaviour {
    let list = listed(FETCH, [(&b"HEAD"[..], tip), (b"refs/heads/main", tip)]);
    behaviour(move |visit| {
        asked(visit)?;
        visit.send(&list)?;
        until(visit, b"0009done\n")?;
        act(visit)
    })
}

/// Lists one branch of its own, waits for the end of the pack, and does this.
fn receiver(act: impl Fn(&mut Visit) -> io::Result<()> + Send + Sync + 'static) -> Behaviour {
    let list = listed(PUSH, [(&b"refs/heads/theirs"[..], Id::NOBODY)]);
    behaviour(move |visit| {
        asked(visit)?;
        visit.send(&list)?;
        until(visit, b"PACK")?;
        act(visit)
    })
}

fn asked(visit: &mut Visit) -> io::Result<()> {
    let length = visit.bytes(4)?;
    let length = usize::from_str_radix(&String::from_utf8_lossy(&length), 16).map_err(io::Error::other)?;
    visit.bytes(length - 4).map(drop)
}

/// Reads on to these bytes.
fn until(visit: &mut Visit, end: &[u8]) -> io::Result<()> {
    let mut read = Vec::new();
    while !read.ends_with(end) {
        read.push(visit.byte()?);
    }
    Ok(())
}

fn sends(visit: &mut Visit, pack: &[u8]) -> io::Result<()> {
    visit.send([line("NAK\n"), band(1, pack), FLUSH.to_vec()].concat())
}
