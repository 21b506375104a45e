//! SSH servers that never get as far as a conversation.

use crate::case::{Case, Way, pull, push};
use crate::server::{Visit, behaviour};

/// The handshake has the connect limit as its own.
const UNFINISHED: &str = r"The server AT accepted the connection but (did not finish the SSH handshake within 2s|sent nothing for 2s)\.|The SSH connection to AT failed: .+\.";
const FAILED: &str = r"(The SSH connection to AT failed|The connection to AT broke): .+\.";

const VERSION: &str = "SSH-2.0-Hostile_1.0\r\n";

pub(crate) fn cases() -> Vec<Case> {
    let cases = vec![
        pull("silence_after_accept", behaviour(Visit::hold), UNFINISHED).stalling(),
        push("silence_after_accept_of_a_push", behaviour(Visit::hold), UNFINISHED).stalling(),
        pull(
            "a_greeting_without_end",
            behaviour(|visit| visit.flood(&b"Welcome, welcome!\r\n".repeat(1000))),
            UNFINISHED,
        )
        .stalling(),
        pull("a_line_of_greeting_without_end", behaviour(|visit| visit.flood(&[b'x'; 64 * 1024])), UNFINISHED)
            .stalling(),
        pull("one_byte_a_second", behaviour(|visit| visit.drip(b"x")), UNFINISHED).stalling(),
        pull("closed_after_accept", behaviour(|_| Ok(())), FAILED),
        pull(
            "a_page_in_place_of_a_greeting",
            behaviour(|visit| visit.send("HTTP/1.1 400 Bad Request\r\n\r\n")),
            FAILED,
        ),
        pull("a_version_of_the_last_century", behaviour(|visit| visit.send("SSH-1.5-Old\r\n")), FAILED),
        pull(
            "nothing_after_the_version",
            behaviour(|visit| {
                visit.send(VERSION)?;
                visit.hold()
            }),
            UNFINISHED,
        )
        .stalling(),
        pull(
            "noise_after_the_version",
            behaviour(|visit| {
                visit.send(VERSION)?;
                visit.send([0xff; 10_000])
            }),
            FAILED,
        ),
        pull(
            "a_packet_of_four_gigabytes",
            behaviour(|visit| {
                visit.send(VERSION)?;
                visit.send([0xff, 0xff, 0xff, 0xfc, 4])?;
                visit.flood(&[20; 64 * 1024])
            }),
            UNFINISHED,
        )
        .stalling(),
        pull(
            "no_answer_to_the_offer_of_keys",
            behaviour(|visit| {
                visit.send(VERSION)?;
                visit.send(offer("curve25519-sha256", "ssh-ed25519", "aes256-ctr", "hmac-sha2-256"))?;
                visit.hold()
            }),
            UNFINISHED,
        )
        .stalling(),
        pull(
            "nothing_in_common",
            behaviour(|visit| {
                visit.send(VERSION)?;
                visit.send(offer("none", "none", "none", "none"))?;
                visit.hold()
            }),
            UNFINISHED,
        )
        .stalling(),
        pull(
            "messages_to_be_ignored_without_end",
            behaviour(|visit| {
                visit.send(VERSION)?;
                visit.flood(&packet(&[&[2, 0, 0, 0, 4][..], b"idle"].concat()).repeat(1000))
            }),
            UNFINISHED,
        )
        .stalling(),
        pull(
            "a_goodbye_that_steers_terminals",
            behaviour(|visit| {
                visit.send(VERSION)?;
                let reason = "\x1b[31mgo away\x1b]0;you\x07".as_bytes();
                let length = u32::try_from(reason.len()).unwrap().to_be_bytes();
                visit.send(packet(&[&[1, 0, 0, 0, 2][..], &length, reason, &[0; 4]].concat()))
            }),
            FAILED,
        ),
    ];
    cases.into_iter().map(|case| case.over(Way::Ssh)).collect()
}

/// A packet before there are keys: its length, that of its padding, the payload, the padding.
fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 4 + (8 - (payload.len() + 9) % 8) % 8;
    let length = u32::try_from(1 + payload.len() + padding).unwrap();
    [&length.to_be_bytes()[..], &[u8::try_from(padding).unwrap()], payload, &vec![0; padding]].concat()
}

/// What a server can do, one algorithm of each kind.
fn offer(exchange: &str, key: &str, cipher: &str, mac: &str) -> Vec<u8> {
    let list = |name: &str| [&u32::try_from(name.len()).unwrap().to_be_bytes()[..], name.as_bytes()].concat();
    let lists = [exchange, key, cipher, cipher, mac, mac, "none", "none", "", ""].map(list).concat();
    packet(&[&[20][..], &[7; 16], &lists, &[0; 5]].concat())
}
