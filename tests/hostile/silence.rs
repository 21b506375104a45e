//! Far sides that say too little: nothing, one byte a second, or not to the end.

use crate::case::{Case, Direction, pull, push};
use crate::http::head;
use crate::packs::Id;
use crate::packs::header;
use crate::pushes::receiver;
use crate::server::{Visit, behaviour};
use crate::wire::{FETCH, band, listing, negotiate, preface, upstream};

const SILENT: &str = r"The server AT accepted the connection but sent nothing for 2s\.";
const TOO_LONG: &str = r"The run took longer than 8s and was ended while talking to AT\.";
const BROKE: &str = r"The connection to AT broke: .+\.";

/// The kind of a list of refs for a pull.
const LIST: &str = "application/x-git-upload-pack-advertisement";

pub(crate) fn cases() -> Vec<Case> {
    let pushed = |case: Case| Case { direction: Direction::Push, ..case };
    vec![
        pull("silence_after_accept", behaviour(Visit::hold), SILENT).stalling(),
        pushed(pull("silence_after_accept_of_a_push", behaviour(Visit::hold), SILENT)).stalling(),
        pull(
            "silence_in_the_head",
            behaviour(|visit| {
                visit.request()?;
                visit.send("HTTP/1.1 200 OK\r\nContent-")?;
                visit.hold()
            }),
            SILENT,
        )
        .stalling(),
        pull(
            "silence_in_the_list",
            behaviour(|visit| {
                visit.request()?;
                visit.send(head(LIST))?;
                visit.send(&preface("git-upload-pack")[..20])?;
                visit.hold()
            }),
            SILENT,
        )
        .stalling(),
        pull(
            "silence_in_the_pack",
            upstream(Id::NOBODY, |visit, request| {
                negotiate(visit, request)?;
                visit.send(band(1, &header(2, 1000)))?;
                visit.hold()
            }),
            SILENT,
        )
        .stalling(),
        push("silence_after_the_pack_of_a_push", receiver(Visit::hold), SILENT).stalling(),
        pull(
            "one_byte_a_second_in_the_head",
            behaviour(|visit| {
                visit.request()?;
                visit.send("HTTP/1.1 200 OK\r\nX-Long: ")?;
                visit.drip(b"x")
            }),
            SILENT,
        )
        .stalling(),
        pull(
            "one_byte_a_second_in_the_list",
            behaviour(|visit| {
                visit.request()?;
                visit.send(head(LIST))?;
                visit.drip(&preface("git-upload-pack"))
            }),
            TOO_LONG,
        )
        .endless(),
        pull(
            "one_byte_a_second_in_the_pack",
            upstream(Id::NOBODY, |visit, request| {
                negotiate(visit, request)?;
                visit.drip(&band(1, &header(2, 1000)))
            }),
            TOO_LONG,
        )
        .endless(),
        push("one_byte_a_second_in_the_report", receiver(|visit| visit.drip(&band(2, b"still here\n"))), TOO_LONG)
            .endless(),
        pull("closed_after_accept", behaviour(|_| Ok(())), BROKE),
        pull("closed_after_the_request", behaviour(|visit| visit.request().map(drop)), BROKE),
        pull(
            "closed_in_the_head",
            behaviour(|visit| {
                visit.request()?;
                visit.send("HTTP/1.1 200 OK\r\nContent-")
            }),
            BROKE,
        ),
        pull(
            "closed_in_the_list",
            behaviour(|visit| {
                visit.request()?;
                visit.send(head(LIST))?;
                visit.send(&listing("git-upload-pack", FETCH, [(&b"refs/heads/main"[..], Id::NOBODY)])[..80])
            }),
            r"The remote's answer was not understood: .+\.",
        ),
        pull(
            "closed_in_the_pack",
            upstream(Id::NOBODY, |visit, request| {
                negotiate(visit, request)?;
                visit.send(band(1, &header(2, 1000)))
            }),
            r"The remote('s answer was not understood| sent unusable objects): .+\.",
        ),
    ]
}
