//! Everything that can be wrong with the other side: a failed run in time, with its text from `docs/messages.md`, and
//! a worker that goes on.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use crate::messages::{assert_listed, listed};
use crate::rig::git_http::GitServer;
use crate::rig::port;
use crate::rig::proxy::Proxy;
use crate::rig::repository::Repository;
use crate::rig::silent::SilentServer;
use crate::world::World;

/// A good mirror, to see that the worker goes on.
const GOOD: u64 = 1;

/// The longest that a run may take beside its limits, on a busy machine.
const SLACK: f64 = 2.0;

fn stage(settings: &[(&str, &str)]) -> (World, Repository) {
    let world = World::with(|installation| {
        settings.iter().fold(installation, |installation, (key, value)| installation.mirror(key, value))
    });
    let upstream = world.git.create("up.git");
    upstream.commit("main", "first");
    world.add_pull(GOOD, "up.git", &[]);
    (world, upstream)
}

/// Runs pull mirrors of all these URLs at once; each must fail with its text, within `limit` seconds.
fn assert_fail(world: &World, upstream: &Repository, limit: f64, cases: &[(&str, &str)]) {
    for (id, (url, _)) in (100..).zip(cases) {
        world.installation.add_mirror("pull", id, &format!("group/{id}.git"), url, &[]);
        world.push_job("pull", id);
    }
    world.wait_for_jobs();
    for (id, (url, expected)) in (100..).zip(cases) {
        let state = world.state("pull", id);
        assert_eq!((state.status(), state.error()), ("failed", Some(*expected)), "{url}");
        assert_listed(expected);
        let duration = state.0["last_duration_seconds"].as_f64().unwrap();
        assert!(duration < limit + SLACK, "{url}: {duration} s");
        assert!(!world.worker.log().contains(GitServer::PASSWORD));
    }
    upstream.commit("main", "more");
    world.succeed("pull", GOOD);
    assert_eq!(world.local(GOOD).mirrored_refs(), upstream.mirrored_refs(), "the worker goes on");
}

#[test]
fn what_cannot_be_reached_or_answers_wrongly_is_told_apart() {
    let (world, upstream) = stage(&[("stall_timeout", "1s")]);
    let (silent, nobody) = (SilentServer::start(), port::free());
    let at = |port: u16| GitServer::url_at(port, "up.git");
    assert_fail(
        &world,
        &upstream,
        1.0,
        &[
            ("http://no-such-host.invalid/up.git", "Could not resolve host no-such-host.invalid."),
            (&at(nobody), &format!("Could not connect to 127.0.0.1:{nobody}: connection refused.")),
            (
                &world.git.url("nothing.git"),
                "HTTP 404: 127.0.0.1 has no such repository, or does not show it to this user.",
            ),
            (
                &world.git.redirecting_url("up.git"),
                &format!(
                    "HTTP 301: 127.0.0.1 redirects to {}, and redirects are not followed; use that address in the \
                     mirror's URL.",
                    world.git.url("up.git")
                ),
            ),
            (&world.git.page_url(), "The server 127.0.0.1 did not answer like a git server (content type text/html)."),
            (
                &at(silent.port()),
                &format!("The server 127.0.0.1:{} accepted the connection but sent nothing for 1s.", silent.port()),
            ),
        ],
    );
}

#[test]
fn a_private_address_is_never_connected_to() {
    let (world, _) = stage(&[("allow_local_network", "false")]);
    let port = world.git.port();
    for (id, (host, kind)) in (100..).zip([
        ("127.0.0.1", "loopback addresses"),
        ("127.1", "loopback addresses"),
        ("localhost", "loopback addresses"),
        ("[::1]", "loopback addresses"),
        ("[::ffff:127.0.0.1]", "loopback addresses"),
        ("10.0.0.1", "the local network"),
        ("192.168.1.1", "the local network"),
        ("100.64.0.1", "the shared address space"),
        ("169.254.169.254", "the link local network"),
    ]) {
        let url = format!("http://{host}:{port}/up.git");
        world.installation.add_mirror("pull", id, "group/project.git", &url, &[]);
        let error = world.fail("pull", id);
        let shown = error.rsplit_once(" (").unwrap();
        assert_eq!(shown.0, format!("Requests to {kind} are not allowed"), "{url}");
        assert_listed(&error);
    }
    let error = world.fail("pull", GOOD);
    assert_eq!(error, "Requests to loopback addresses are not allowed (127.0.0.1).");
    assert_eq!(world.git.requests("up.git"), [], "nothing was ever asked");
}

#[test]
fn a_login_that_is_wrong_or_missing_or_may_not_push_is_told_apart() {
    let (world, upstream) = stage(&[]);
    let wrong = world.installation.password_file("wr0ng/p@ss");
    let url = world.git.url("up.git");
    let add = |id: &str, login: &[&str]| {
        let mirror = ["mirror", "add", "pull", "--id", id, "--repository", "group/p.git", "--url", &url];
        world.installation.cli_ok(&[&mirror, login].concat());
    };
    add("2", &["--user", GitServer::USER, "--password-file", wrong.to_str().unwrap()]);
    add("3", &[]);
    let refused = world.fail("pull", 2);
    assert_eq!(refused, "HTTP 401: 127.0.0.1 refused the user name or password.");
    let needed = world.fail("pull", 3);
    assert_eq!(needed, "HTTP 401: 127.0.0.1 (\"git\") asks for a user name and password, and the mirror has none.");

    world.create_local(4).commit("main", "first");
    let far = world.git.create("far.git");
    far.git(&["config", "http.receivepack", "false"]);
    world.add_push(4, "far.git", &[]);
    let denied = world.fail("push", 4);
    assert_eq!(denied, "HTTP 403: 127.0.0.1 does not let this user do that.");
    for error in [refused, needed, denied] {
        assert_listed(&error);
    }

    assert_fail(&world, &upstream, 0.0, &[]);
    world.installation.cli_ok(&[
        "mirror",
        "update",
        "pull",
        "2",
        "--user",
        GitServer::USER,
        "--password-file",
        world.installation.password_file(GitServer::PASSWORD).to_str().unwrap(),
    ]);
    world.succeed("pull", 2);
}

#[test]
fn a_repository_that_does_not_exist_cannot_be_pushed() {
    let (world, _) = stage(&[]);
    world.git.create("far.git");
    world.add_push(7, "far.git", &[]);
    let error = world.fail("push", 7);
    assert_eq!(error, "The repository group/project-7.git does not exist, so there is nothing to push.");
    assert_listed(&error);
}

#[test]
fn a_connection_that_is_cut_in_the_middle_of_a_pack_leaves_nothing_behind() {
    let (world, upstream) = stage(&[]);
    upstream.commit("big", &noise());
    let proxy = Proxy::to(world.git.port());
    world.installation.add_mirror("pull", 2, "group/project-2.git", &GitServer::url_at(proxy.port(), "up.git"), &[]);
    // More than the list of refs, less than the pack.
    proxy.cut_after(500_000);
    let error = world.fail("pull", 2);
    let rows = listed(&error);
    assert_eq!(rows, ["The connection to {authority} broke: {reason}."], "{error}");
    assert!(error.contains(&format!("127.0.0.1:{}", proxy.port())), "{error}");
    let local = world.local(2);
    assert_eq!(local.refs().len(), 0);
    assert_eq!(local.git(&["count-objects"]), "0 objects, 0 kilobytes");
    let own = std::fs::read_dir(local.path().join("sidemirror")).unwrap();
    let left: Vec<_> = own.map(|entry| entry.unwrap().file_name()).filter(|name| name != "lock").collect();
    assert!(left.is_empty(), "{left:?}");

    assert!(world.succeed("pull", 2) > 0, "the next run has it whole");
    assert_eq!(local.mirrored_refs(), upstream.mirrored_refs());
    world.succeed("pull", GOOD);
}

/// Three megabytes that do not get smaller by compression.
fn noise() -> String {
    (0_u64..200_000).fold(String::new(), |mut noise, number| {
        let _ = write!(noise, "{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        noise
    })
}

#[test]
fn silence_and_dripping_end_at_their_limits() {
    let (world, upstream) = stage(&[("stall_timeout", "2s"), ("run_deadline", "3s")]);
    // A server that says a little all the time, and never anything.
    let dripping = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = dripping.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut connection, _) = dripping.accept().unwrap();
        let _ = connection.read(&mut [0; 4096]);
        let kind = "application/x-git-upload-pack-advertisement";
        let _ = write!(connection, "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 9999\r\n\r\n");
        let line = "001e# service=git-upload-pack\n0000".bytes().chain(std::iter::repeat(b'0'));
        for byte in line {
            if connection.write_all(&[byte]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let url = GitServer::url_at(port, "up.git");
    let text = format!("The run took longer than 3s and was ended while talking to 127.0.0.1:{port}.");
    assert_fail(&world, &upstream, 3.0, &[(&url, &text)]);
}
