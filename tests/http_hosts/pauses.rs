//! Hosts that are busy and say when to come back.

use std::time::{Duration, Instant};

use sidemirror::git::GitError;
use sidemirror::net::NetError;

use crate::rig::host::{Host, Particulars};
use crate::world::{World, engines, list, logged_in};

/// Busy as long as the file `busy` is there.
fn moody(answer: &str) -> Host {
    let server = format!(
        "set $busy no; if (-f FOLDER/busy) {{ set $busy yes; }} error_page 418 = @busy; \
         location @busy {{ {answer} }}"
    );
    let gate = "if ($busy = yes) { return 418; }";
    Host::with(&Particulars { server: &server, gate: Some(gate), ..Particulars::default() })
}

fn cause(error: GitError) -> NetError {
    match error {
        GitError::Net(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn a_short_pause_that_the_host_asks_for_is_made_within_the_run_and_only_once() {
    let host = moody("add_header Retry-After 1 always; return 503;");
    host.repository("p.git");
    let world = World::new();
    let file = host.file("busy");
    for engine in engines() {
        // Free again after the first answer.
        std::fs::write(&file, "").unwrap();
        let before = host.requests(0).len();
        let begun = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                host.requests(before + 1);
                std::fs::remove_file(&file).unwrap();
            });
            list(&*engine, &world.ours("p.git"), &world.session(&host.url("p.git"))).unwrap();
        });
        assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
        let statuses: Vec<_> = host.requests(before + 2)[before..].iter().map(|request| request.status).collect();
        assert_eq!(statuses[..2], [503, 200]);

        std::fs::write(&file, "").unwrap();
        let before = host.requests(0).len();
        let refused = list(&*engine, &world.ours("p.git"), &world.session(&host.url("p.git"))).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "HTTP 503: 127.0.0.1 gets too many requests or is out of service; it asks to be left alone for 1s."
        );
        assert_eq!(host.requests(before + 2).len(), before + 2);
    }
}

#[test]
fn a_long_pause_ends_the_run_at_once_and_is_told() {
    for (status, words) in [(429, "120"), (503, "120"), (403, "120")] {
        let host = moody(&format!("add_header Retry-After {words} always; return {status};"));
        std::fs::write(host.file("busy"), "").unwrap();
        let world = World::new();
        for engine in engines() {
            let session = world.session(&host.url("p.git"));
            let error = cause(list(&*engine, &world.ours("p.git"), &session).unwrap_err());
            let said = "gets too many requests or is out of service; it asks to be left alone for 2m.";
            assert_eq!(error.to_string(), format!("HTTP {status}: 127.0.0.1 {said}"));
            assert_eq!(error.is_hosts_fault(), status == 503, "else it is the login that asks too often");
            let left = error.retry_after().unwrap();
            assert!((110..=120).contains(&left.as_secs()), "{left:?}");
        }
        assert_eq!(host.requests(engines().len()).len(), engines().len());
    }
}

#[test]
fn a_busy_host_that_names_no_time_is_told_apart_from_one_that_forbids() {
    let busy = moody("return 429;");
    let forbidding = moody("return 403;");
    let world = World::new();
    for host in [&busy, &forbidding] {
        std::fs::write(host.file("busy"), "").unwrap();
    }
    assert_eq!(
        world.failure(&busy.url("p.git"), &logged_in()),
        "HTTP 429: 127.0.0.1 gets too many requests or is out of service."
    );
    assert_eq!(
        world.failure(&forbidding.url("p.git"), &logged_in()),
        "HTTP 403: 127.0.0.1 does not let this user do that."
    );
}
