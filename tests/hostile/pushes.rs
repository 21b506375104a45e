//! Far sides that lie about what became of a push.

use std::io;
use std::net::Shutdown;

use crate::case::{Case, push};
use crate::packs::Id;
use crate::server::{Behaviour, Visit, behaviour};
use crate::wire::{FLUSH, PUSH, band, git_server, line, listing};

const TOO_LONG: &str = r".+ which is the limit .+|The run took longer than 8s and was ended while talking to AT\.";
/// For both branches that are sent.
const UNSAID: &str = r"The push failed: .+\.|Failed to create branch 'main': (the remote did not say what became of it|remote failed to report status)\..*";

pub(crate) fn cases() -> Vec<Case> {
    [reports_that_lie(), endings()].into_iter().flatten().collect()
}

fn reports_that_lie() -> Vec<Case> {
    let both = || vec![b"ok refs/heads/main\n".to_vec(), b"ok refs/heads/topic\n".to_vec()];
    let told = |lines: Vec<Vec<u8>>| reports([vec![b"unpack ok\n".to_vec()], lines].concat());
    vec![
        push("no_report_at_all", receiver(|_| Ok(())), r"The push failed: .+\."),
        push(
            "an_empty_report",
            receiver(|visit| visit.send([band(1, FLUSH), FLUSH.to_vec()].concat())),
            r"(The push failed: .+\.|Failed to create .+)",
        ),
        push(
            "a_report_of_noise",
            receiver(|visit| visit.send([band(1, b"zzzz there is no report in this"), FLUSH.to_vec()].concat())),
            r"The push failed: .+\.",
        ),
        push("a_report_of_nothing_but_the_unpacking", told(Vec::new()), UNSAID),
        push(
            "a_report_of_other_refs",
            told(vec![
                b"ok refs/heads/never-sent\n".to_vec(),
                b"ok refs/heads/..\n".to_vec(),
                b"ok \xff\xfe\n".to_vec(),
            ]),
            UNSAID,
        ),
        push("a_report_of_one_ref_of_two", told(vec![b"ok refs/heads/topic\n".to_vec()]), UNSAID),
        push(
            "a_report_of_refs_never_sent_beside_the_others",
            told([both(), vec![b"ok refs/heads/more\n".to_vec(), b"ng refs/heads/never-sent no\n".to_vec()]].concat()),
            r"The push failed: .+\.",
        )
        .or_not(),
        push(
            "a_refusal_as_long_as_a_line_can_be",
            told(vec![
                [b"ng refs/heads/main ", &vec![b'x'; 65_000][..], b"\n"].concat(),
                b"ok refs/heads/topic\n".to_vec(),
            ]),
            r"Failed to create branch 'main': x{1,1000}….*",
        ),
        push(
            "a_refusal_that_steers_terminals",
            told(vec![
                b"ng refs/heads/main \x1b[31mno\x1b]0;you\x07 \xc2\x9b2J\n".to_vec(),
                b"ok refs/heads/topic\n".to_vec(),
            ]),
            r"Failed to create branch 'main': .*no.*\.",
        ),
        push(
            "a_refusal_without_a_reason",
            told(vec![b"ng refs/heads/main\n".to_vec(), b"ok refs/heads/topic\n".to_vec()]),
            r".+",
        ),
        push(
            "a_pack_that_could_not_be_unpacked",
            reports(vec![
                b"unpack \x1b[31mdisk full\n".to_vec(),
                b"ng refs/heads/main unpacker error\n".to_vec(),
                b"ng refs/heads/topic unpacker error\n".to_vec(),
            ]),
            r"(The push failed: .*|Failed to create branch 'main': unpacker error.*)",
        ),
        push(
            "an_unpacking_that_failed_but_refs_that_did_not",
            reports([vec![b"unpack disk full\n".to_vec()], both()].concat()),
            r".*(disk full|unpack).*",
        ),
        push(
            "both_yes_and_no_for_one_ref",
            told(vec![
                b"ng refs/heads/main hook declined\n".to_vec(),
                b"ok refs/heads/main\n".to_vec(),
                b"ok refs/heads/topic\n".to_vec(),
            ]),
            r"The push failed: .+\.|Failed to create branch 'main': hook declined\..*",
        )
        .or_not(),
    ]
}

/// Ends that come too early, too late or not at all.
fn endings() -> Vec<Case> {
    vec![
        push(
            "an_error_on_its_band",
            receiver(|visit| visit.send([band(3, b"\x1b[31mno more\0 today\n"), FLUSH.to_vec()].concat())),
            r"The push failed: .*no more.*",
        ),
        push(
            "talk_that_steers_terminals",
            receiver(|visit| {
                visit.send(band(2, "\x1b[31mred\x1b]0;you\x07 \u{9b}2J\r\n".repeat(50_000).as_bytes()))?;
                visit.send(
                    [
                        band(1, &report(&[b"unpack ok\n", b"ng refs/heads/main no\n", b"ng refs/heads/topic no\n"])),
                        FLUSH.to_vec(),
                    ]
                    .concat(),
                )
            }),
            r"Failed to create branch 'main': no\..*The remote said:\n.*red.*",
        ),
        push("talk_without_end", receiver(|visit| visit.flood(&band(2, b"still at it\r").repeat(1000))), TOO_LONG)
            .endless(),
        push(
            "a_report_without_end",
            receiver(|visit| visit.flood(&band(1, &line("ok refs/heads/other\n").repeat(500)))),
            ".+",
        )
        .endless(),
        push(
            "an_answer_before_the_pack",
            early("200 OK\r\nContent-Type: application/x-git-receive-pack-result\r\n"),
            r"(The push failed|The connection to AT broke): .+\.",
        )
        .with_much_to_send(),
        push("a_refusal_before_the_pack", early("403 Forbidden\r\n"), r"HTTP 403: HOST .+").with_much_to_send(),
        push(
            "a_redirect_of_the_pack",
            early("307 Temporary Redirect\r\nLocation: http://169.254.169.254/x\r\n"),
            r"HTTP 307: HOST redirects to .+",
        )
        .with_much_to_send(),
        push(
            "a_cut_in_the_middle_of_the_pack",
            in_the_pack(|visit| visit.socket()?.shutdown(Shutdown::Both)),
            r"The connection to AT broke: .+\.",
        )
        .with_much_to_send(),
        push("a_server_that_stops_reading", deaf(), r"The server AT accepted the connection but sent nothing for 2s\.")
            .with_much_to_send()
            .stalling(),
    ]
}

fn honest_list() -> Vec<u8> {
    listing("git-receive-pack", PUSH, [(&b"refs/heads/theirs"[..], Id::NOBODY)])
}

/// A far side that takes some of the pack and then answers this, with no more than half an ear for the rest.
fn early(answer: &'static str) -> Behaviour {
    in_the_pack(move |visit| visit.send(format!("HTTP/1.1 {answer}Content-Length: 0\r\nConnection: close\r\n\r\n")))
}

/// A far side that takes some of the pack and then leaves it lying.
fn deaf() -> Behaviour {
    in_the_pack(Visit::hold_deaf)
}

/// Does this after the first bytes of a request that is a pack.
fn in_the_pack(act: impl Fn(&mut Visit) -> io::Result<()> + Send + Sync + 'static) -> Behaviour {
    let list = honest_list();
    behaviour(move |visit| {
        loop {
            let request = visit.request_head()?;
            if request.is_listing() {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-receive-pack-advertisement";
                visit.send(format!("{head}\r\nContent-Length: {}\r\n\r\n", list.len()))?;
                visit.send(&list)?;
            } else if visit.beginning_of_body(&request)? == FLUSH {
                // git asks whether it may send before it sends something long.
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-receive-pack-result";
                visit.send(format!("{head}\r\nContent-Length: 0\r\n\r\n"))?;
            } else {
                return act(visit);
            }
        }
    })
}

/// A far side with one branch of its own that does this once it has the pack.
pub(crate) fn receiver(act: impl Fn(&mut Visit) -> io::Result<()> + Send + Sync + 'static) -> Behaviour {
    git_server(honest_list(), move |visit, _| act(visit))
}

/// Lines as a report has them, without the side-band around it.
fn report(lines: &[&[u8]]) -> Vec<u8> {
    let lines: Vec<u8> = lines.iter().flat_map(line).collect();
    [&lines[..], FLUSH].concat()
}

fn reports(lines: Vec<Vec<u8>>) -> Behaviour {
    receiver(move |visit| {
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        visit.send([band(1, &report(&lines)), FLUSH.to_vec()].concat())
    })
}
