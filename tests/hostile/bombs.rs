//! Far sides that send little and mean much, or never stop: each meets a worker of its own, whose memory is measured.

use std::io;
use std::sync::LazyLock;

use flate2::{Compress, Compression, FlushCompress, write::GzEncoder};

use crate::case::{Case, pull, push};
use crate::http::head;
use crate::packs::{Id, Kind, Pack, copy, delta, entry_head, header};
use crate::pushes::receiver;
use crate::server::{Behaviour, Visit, behaviour};
use crate::wire::{FETCH, FLUSH, LONGEST, band, line, listing, negotiate, preface, sends, serves, upstream};

/// The limit that is passed, and how it is raised; where git's own limits come first, in its words.
const LIMIT: &str =
    r".+ which is the limit .+|.+\(the limit .+|The server HOST sent a longer answer than is accepted\.";
const LIMIT_OR_TIME: &str =
    r".+ which is the limit .+|.+\(the limit .+|The run took longer than 8s and was ended while talking to AT\.";
const ANY_LIMIT: &str = r".+ which is the limit .+|.+\(the limit .+|The run took longer than 8s and was ended while talking to AT\.|The server HOST sent a longer answer than is accepted\.|The remote('s answer was not understood| sent unusable objects): .+\.";

/// The kind of a list of refs for a pull.
const LIST: &str = "application/x-git-upload-pack-advertisement";

/// What is sent in one go where there is no end.
const AT_ONCE: usize = 1000;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        pull("a_blob_of_four_gigabytes_of_nothing", zeros(4 << 30), ANY_LIMIT).endless(),
        pull("a_delta_that_becomes_four_gigabytes", delta_of(256), ANY_LIMIT).endless(),
        pull("many_deltas_that_become_gigabytes_together", deltas_of_a_base(200), ANY_LIMIT).endless(),
        pull("deltas_upon_deltas_without_end", chain(50_000), ANY_LIMIT).endless(),
        pull("a_hundred_thousand_tiny_objects", tiny_objects(100_000), ".+").has(&[
            "refs/heads/main",
            "refs/heads/theirs",
            "refs/heads/topic",
        ]),
        pull("four_billion_objects_announced", sends(Id::NOBODY, header(2, u32::MAX)), ANY_LIMIT).endless(),
        pull("folders_in_folders_without_end", nested(20_000), "").has(&[
            "refs/heads/main",
            "refs/heads/theirs",
            "refs/heads/topic",
        ]),
        pull("a_commit_of_fifty_thousand_parents", octopus(50_000), "").has(&[
            "refs/heads/main",
            "refs/heads/theirs",
            "refs/heads/topic",
        ]),
        pull("a_tag_of_a_tag_of_a_tag", tags(20_000), "").has(&["refs/heads/main", "refs/heads/topic", "refs/tags/v1"]),
        pull("ten_million_refs", refs(10_000_000), LIMIT),
        pull("refs_without_end", refs(usize::MAX), LIMIT),
        pull("one_name_without_end", one_line(), ANY_LIMIT),
        pull("blank_lines_without_end", blank_lines(), ANY_LIMIT),
        pull("a_list_that_unpacks_to_gigabytes", gzip(), LIMIT),
        pull(
            "talk_in_the_pack_without_end",
            upstream(Id::NOBODY, |visit, request| {
                negotiate(visit, request)?;
                visit.flood(&band(2, &[b'x'; LONGEST - 1]).repeat(AT_ONCE / 10))
            }),
            LIMIT_OR_TIME,
        )
        .endless(),
        push("refs_without_end_for_a_push", refs(usize::MAX), LIMIT),
        push(
            "a_report_without_end",
            receiver(|visit| visit.flood(&band(1, &line("ok refs/heads/other\n").repeat(AT_ONCE)))),
            r"The push failed: it reports on more than it was sent\.|.+ which is the limit .+|The run took longer than 8s and was ended while talking to AT\.",
        )
        .endless(),
        push(
            "talk_about_a_push_without_end",
            receiver(|visit| visit.flood(&band(2, &[b'x'; LONGEST - 1]))),
            LIMIT_OR_TIME,
        )
        .endless(),
    ]
}

/// A list of refs that is made while it is sent.
fn refs(count: usize) -> Behaviour {
    behaviour(move |visit| {
        let request = visit.request()?;
        let program = if request.target.contains("receive-pack") { "git-receive-pack" } else { "git-upload-pack" };
        visit.send(head(&format!("application/x-{program}-advertisement")))?;
        visit.send(preface(program))?;
        visit.send(line(format!("{} HEAD\0{FETCH}\n", Id::NOBODY)))?;
        for number in (0..count).step_by(AT_ONCE) {
            let lines = number..number.saturating_add(AT_ONCE);
            visit.send(
                lines.flat_map(|number| line(format!("{} refs/heads/b{number:08}\n", Id::NOBODY))).collect::<Vec<_>>(),
            )?;
        }
        visit.send(FLUSH)
    })
}

/// A line that never ends, as far as HTTP is concerned.
fn one_line() -> Behaviour {
    behaviour(|visit| {
        visit.request()?;
        visit.send(head(LIST))?;
        visit.send(preface("git-upload-pack"))?;
        visit.send(format!("fff0{} refs/heads/", Id::NOBODY))?;
        visit.flood(&vec![b'x'; 64 * 1024])
    })
}

/// Lines of nothing.
fn blank_lines() -> Behaviour {
    behaviour(|visit| {
        visit.request()?;
        visit.send(head(LIST))?;
        visit.send(preface("git-upload-pack"))?;
        visit.flood(&b"0004".repeat(AT_ONCE))
    })
}

/// A list of so many zeros that a thousandth of it is sent.
fn gzip() -> Behaviour {
    behaviour(|visit| {
        visit.request()?;
        let start =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {LIST}\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n");
        visit.send(start)?;
        let mut encoder = GzEncoder::new(Sending(visit), Compression::fast());
        let lines: Vec<u8> = (0..AT_ONCE).flat_map(|_| line(format!("{} refs/heads/b\n", Id::NOBODY))).collect();
        io::Write::write_all(&mut encoder, &preface("git-upload-pack"))?;
        loop {
            io::Write::write_all(&mut encoder, &lines)?;
        }
    })
}

/// A visit as something to write to.
struct Sending<'a>(&'a mut Visit);

impl io::Write for Sending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pack that holds one blob of so many zeros.
fn zeros(count: u64) -> Behaviour {
    static PACK: LazyLock<Vec<u8>> = LazyLock::new(|| deflated_zeros(4 << 30));
    upstream(Id::NOBODY, move |visit, request| {
        negotiate(visit, request)?;
        visit.send(band(1, &[header(2, 1), entry_head(Kind::Blob as u8, count)].concat()))?;
        visit.send([band(1, &PACK), FLUSH.to_vec()].concat())
    })
}

/// Zeros as zlib has them, a thousandth of their number, from one piece that is repeated.
fn deflated_zeros(count: u64) -> Vec<u8> {
    const PIECE: usize = 1 << 24;
    let (zeros, mut piece) = (vec![0; PIECE], Vec::with_capacity(PIECE));
    Compress::new(Compression::best(), false).compress_vec(&zeros, &mut piece, FlushCompress::Full).unwrap();
    let pieces = usize::try_from(count).unwrap() / PIECE;
    let end = [3, 0];
    // What Adler-32 makes of zeros.
    let sum = u32::try_from(count % 65521).unwrap() << 16 | 1;
    [&[0x78, 0xda][..], &piece.repeat(pieces), &end, &sum.to_be_bytes()].concat()
}

const BASE: u32 = (1 << 24) - 1;

/// One blob made of so many copies of another one of 16 MiB.
fn delta_of(copies: usize) -> Behaviour {
    let mut pack = Pack::new();
    let base = pack.object(Kind::Blob, &vec![0; BASE as usize]);
    let result = u64::from(BASE) * copies as u64;
    pack.delta_against(base, &delta(u64::from(BASE), result, &copy(BASE).repeat(copies)));
    sends(Id::NOBODY, pack.finish())
}

/// So many blobs of 16 MiB each, all made of one.
fn deltas_of_a_base(count: u32) -> Behaviour {
    let mut pack = Pack::new();
    let base = pack.object(Kind::Blob, &vec![0; BASE as usize]);
    for number in 0..count {
        let own = [&copy(BASE)[..], &[4], &number.to_be_bytes()].concat();
        pack.delta_against(base, &delta(u64::from(BASE), u64::from(BASE) + 4, &own));
    }
    sends(Id::NOBODY, pack.finish())
}

/// So many blobs, each a delta on the one before it.
fn chain(length: u32) -> Behaviour {
    let mut pack = Pack::new();
    let mut before = pack.place();
    pack.object(Kind::Blob, &[b'x'; 1000]);
    for number in 0..length {
        let at = pack.place();
        let own = [&copy(996)[..], &[4], &number.to_be_bytes()].concat();
        pack.delta_back(at - before, &delta(1000, 1000, &own));
        before = at;
    }
    sends(Id::NOBODY, pack.finish())
}

/// An honest history with so many further blobs that nobody needs.
fn tiny_objects(count: u32) -> Behaviour {
    let mut pack = Pack::new();
    let tree = pack.tree(&[]);
    let tip = pack.commit(tree, &[]);
    for number in 0..count {
        let content = number.to_be_bytes();
        let sum =
            content.iter().fold((1_u32, 0_u32), |(a, b), byte| ((a + u32::from(*byte)), b + a + u32::from(*byte)));
        // Deflate's blocks of what is not compressed.
        let data = [&[0x78, 1, 1, 4, 0, 0xfb, 0xff][..], &content, &(sum.1 << 16 | sum.0).to_be_bytes()].concat();
        pack.entry(Kind::Blob as u8, 4, &data);
    }
    branch(tip, pack.finish())
}

/// So many folders, each in the next.
fn nested(depth: usize) -> Behaviour {
    let mut pack = Pack::new();
    let innermost = pack.tree(&[]);
    let tree = (0..depth).fold(innermost, |inner, _| pack.tree(&[("40000", b"d", inner)]));
    let tip = pack.commit(tree, &[]);
    branch(tip, pack.finish())
}

/// A commit with so many parents.
fn octopus(count: u32) -> Behaviour {
    let mut pack = Pack::new();
    let tree = pack.tree(&[]);
    let first = pack.commit(tree, &[]);
    let parents: Vec<Id> = (0..count).map(|_| first).collect();
    let tip = pack.commit(tree, &parents);
    branch(tip, pack.finish())
}

/// A tag of a tag of a tag, and so on, of a commit.
fn tags(depth: usize) -> Behaviour {
    let mut pack = Pack::new();
    let tree = pack.tree(&[]);
    let commit = pack.commit(tree, &[]);
    let tip = (0..depth).fold((commit, "commit"), |(inner, kind), number| {
        let who = "Mallory <mallory@example.org> 1700000000 +0000";
        let tag = format!("object {inner}\ntype {kind}\ntag v{number}\ntagger {who}\n\nhello\n");
        (pack.object(Kind::Tag, tag.as_bytes()), "tag")
    });
    serves(listing("git-upload-pack", FETCH, [(&b"refs/tags/v1"[..], tip.0)]), pack.finish())
}

/// A far side with one further branch.
fn branch(tip: Id, pack: Vec<u8>) -> Behaviour {
    serves(listing("git-upload-pack", FETCH, [(&b"refs/heads/theirs"[..], tip)]), pack)
}
