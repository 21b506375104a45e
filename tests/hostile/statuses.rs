//! Answers that are no answers: statuses, headers, bodies that HTTP does not allow, and other places to go.

use crate::case::{Case, pull};
use crate::http::{answers, status};
use crate::server::{Behaviour, behaviour};
use crate::wire::preface;

const BROKE: &str = r"The connection to AT broke: .+\.";
const REDIRECTED: &str =
    r"HTTP 30\d: HOST redirects to .+, and redirects are not followed; use that address in the mirror's URL\.";
/// The kind of a list of refs for a pull.
const LIST: &str = "application/x-git-upload-pack-advertisement";

pub(crate) fn cases() -> Vec<Case> {
    let not_git = r"The server HOST did not answer like a git server \(content type .*\)\.";
    let busy = r"HTTP (429|503): HOST .+";
    let mut cases = vec![
        pull("a_page_for_people", status("200 OK", "Content-Type: text/html\r\n"), not_git),
        pull("no_content_type", status("200 OK", ""), not_git),
        pull(
            "a_content_type_that_steers_terminals",
            status("200 OK", &format!("Content-Type: text/\x1b[2J{}\r\n", "\t\x7f\u{9b}".repeat(500))),
            r"The server HOST did not answer like a git server \(content type .*\)\.|The connection to AT broke: .+\.",
        ),
        pull(
            "the_type_of_a_push",
            status("200 OK", "Content-Type: application/x-git-receive-pack-result\r\n"),
            not_git,
        ),
        pull("another_protocol", behaviour(|visit| visit.send("SSH-2.0-OpenSSH_9.2\r\n")), BROKE),
        pull("a_status_beyond_all_numbers", status("999999 Odd", ""), BROKE),
        pull(
            "a_status_that_nobody_knows",
            status("799 \x1b[31mOdd", ""),
            r"HTTP 799: HOST .+|The connection to AT broke: .+\.",
        ),
        pull("no_content_where_content_was_asked", status("204 No Content", ""), r"HTTP 204: HOST .+"),
        pull(
            "a_part_that_nobody_asked_for",
            status("206 Partial Content", "Content-Range: bytes 0-4/9\r\n"),
            r"HTTP 206: HOST .+",
        ),
        pull(
            "another_protocol_to_switch_to",
            status("101 Switching Protocols", "Upgrade: x\r\nConnection: upgrade\r\n"),
            r"HTTP 101: HOST .+|The connection to AT broke: .+\.",
        ),
        pull(
            "a_login_that_is_never_right",
            status("401 Unauthorized", "WWW-Authenticate: Basic realm=\"\x1b[31m\"\r\n"),
            r"HTTP 401: HOST .+|The connection to AT broke: .+\.",
        ),
        pull("headers_without_end", flooded("HTTP/1.1 200 OK\r\nX-Long: ", "x"), BROKE),
        pull("header_lines_without_end", flooded("HTTP/1.1 200 OK\r\n", "X-More: of it\r\n"), BROKE),
        pull("provisional_answers_without_end", flooded("", "HTTP/1.1 100 Continue\r\n\r\n"), TOO_LONG_OR_SILENT)
            .endless(),
        pull(
            "two_lengths_of_one_body",
            status("200 OK", &format!("Content-Type: {LIST}\r\nContent-Length: 7\r\n")),
            BROKE,
        ),
        pull(
            "a_length_below_nothing",
            answers(format!("HTTP/1.1 200 OK\r\nContent-Type: {LIST}\r\nContent-Length: -1\r\n\r\n")),
            BROKE,
        ),
        pull(
            "a_length_that_is_not_kept",
            answers(format!("HTTP/1.1 200 OK\r\nContent-Type: {LIST}\r\nContent-Length: 99999999999\r\n\r\n")),
            BROKE,
        ),
        pull("retry_after_a_thousand_years", status("429 Too Many Requests", "Retry-After: 31536000000\r\n"), busy),
        pull("retry_after_less_than_nothing", status("503 Service Unavailable", "Retry-After: -1\r\n"), busy),
        pull(
            "retry_after_more_than_a_number",
            status("503 Service Unavailable", &format!("Retry-After: {}\r\n", "9".repeat(400))),
            busy,
        ),
        pull(
            "retry_after_a_day_long_gone",
            status("429 Too Many Requests", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
            busy,
        ),
        pull(
            "retry_after_a_day_that_never_comes",
            status("429 Too Many Requests", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n"),
            busy,
        ),
        pull("retry_at_once_for_ever", status("503 Service Unavailable", "Retry-After: 0\r\n"), busy),
        pull(
            "a_gzip_that_is_none",
            status("200 OK", &format!("Content-Type: {LIST}\r\nContent-Encoding: gzip\r\n")),
            BROKE,
        ),
    ];
    cases.extend(chunks());
    cases.extend(redirects());
    cases
}

const TOO_LONG_OR_SILENT: &str = r"The run took longer than 8s and was ended while talking to AT\.|The server AT accepted the connection but sent nothing for 2s\.";

/// Bodies in pieces that are none.
fn chunks() -> Vec<Case> {
    let chunked = |body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {LIST}\r\nTransfer-Encoding: chunked\r\n\r\n");
        [head.as_bytes(), body].concat()
    };
    let flooding = |before: &[u8], again: &'static [u8]| {
        let before = chunked(before);
        behaviour(move |visit| {
            visit.request()?;
            visit.send(&before)?;
            visit.flood(again)
        })
    };
    let list = preface("git-upload-pack");
    let one = [format!("{:x}\r\n", list.len()).as_bytes(), &list, b"\r\n"].concat();
    vec![
        pull("a_chunk_of_no_number", answers(chunked(b"five\r\nhello\r\n0\r\n\r\n")), BROKE),
        pull("a_chunk_beyond_all_numbers", answers(chunked(b"ffffffffffffffffff\r\nhello")), BROKE),
        pull("a_chunk_that_is_not_filled", answers(chunked(&[b"ffffffff\r\n", &list[..]].concat())), BROKE),
        pull("a_last_chunk_that_never_comes", answers(chunked(&one)), BROKE),
        pull("a_remark_on_a_chunk_without_end", flooding(b"5;", b"x"), BROKE),
        pull("trailers_without_end", flooding(&[&one[..], b"0\r\n"].concat(), b"X-More: of it\r\n"), BROKE),
    ]
}

/// Other places that nobody asked for.
fn redirects() -> Vec<Case> {
    let to = |place: &str| status("302 Found", &format!("Location: {place}\r\n"));
    let followed = |case: Case| case.with(&["--redirects", "follow"]);
    vec![
        followed(pull(
            "a_redirect_to_the_metadata_of_a_cloud_that_would_be_followed",
            to("http://169.254.169.254/group/project.git/info/refs?service=git-upload-pack"),
            r"Requests to (cloud metadata addresses|the link local network) are not allowed \(169\.254\.169\.254\)\.",
        )),
        followed(pull(
            "a_redirect_in_a_circle_that_would_be_followed",
            to("/group/project.git/info/refs?service=git-upload-pack"),
            r".*redirect.*",
        )),
        followed(pull(
            "a_redirect_to_a_file_that_would_be_followed",
            to("file:///etc/passwd"),
            r".*redirect.*|.*only http.*",
        )),
        pull("a_redirect_to_the_metadata_of_a_cloud", to("http://169.254.169.254/latest/meta-data/"), REDIRECTED),
        pull("a_redirect_to_another_host", to("http://other.example.org/group/project.git/info/refs"), REDIRECTED),
        pull("a_redirect_in_a_circle", to("/group/project.git/info/refs?service=git-upload-pack"), REDIRECTED),
        pull("a_redirect_to_a_file", to("file:///etc/passwd"), REDIRECTED),
        pull("a_redirect_to_a_command", to("ext::sh -c id"), REDIRECTED),
        pull("a_redirect_to_nowhere", status("301 Moved Permanently", ""), REDIRECTED),
        pull("a_redirect_to_a_very_long_address", to(&format!("http://other/{}", "x".repeat(50_000))), REDIRECTED),
        pull("a_redirect_that_steers_terminals", to("http://other/\t\u{9b}31m\u{85}"), REDIRECTED),
    ]
}

/// `before`, and then `again` for ever.
fn flooded(before: &'static str, again: &'static str) -> Behaviour {
    behaviour(move |visit| {
        visit.request()?;
        visit.send(before)?;
        visit.flood(again.repeat(1000).as_bytes())
    })
}
