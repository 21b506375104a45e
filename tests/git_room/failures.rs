//! Everything that can be wrong with the other side: each ends in time, with its own words and no secret.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use sidemirror::net::{Access, Allowance, Credentials, Deadline, DoorSettings, RemoteUrl};
use tokio_util::sync::CancellationToken;

use crate::both::{Kind, with_both_engines};
use crate::server::PASSWORD;
use crate::world::World;

with_both_engines!(
    what_the_server_refuses_is_told_apart,
    a_push_without_permission_is_denied,
    what_cannot_be_reached_is_told_apart,
    a_private_address_is_refused_by_number_and_by_name,
    a_silent_server_costs_the_stall_limit,
    silence_in_the_middle_of_an_answer_costs_the_stall_limit_once,
    an_answer_that_breaks_off_is_no_answer,
    text_that_is_not_utf_8_harms_nobody,
    cancelling_ends_a_wait_at_once,
    the_run_ends_at_its_deadline,
    a_download_that_is_cancelled_leaves_nothing,
);

fn impatient() -> DoorSettings {
    DoorSettings { allow_local_network: true, stall_timeout: Duration::from_secs(1), ..DoorSettings::default() }
}

/// What a listing of `url` ends with.
fn ending(world: &World, url: &str) -> String {
    let session = world.session_to(url, CancellationToken::new());
    let text = world.list(&world.ours("p.git"), &session).unwrap_err().to_string();
    assert!(!text.contains(PASSWORD), "{text}");
    text
}

/// A server that does `serve` with each connection, for ever.
fn hostile(serve: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    port
}

fn what_the_server_refuses_is_told_apart(kind: Kind) {
    let world = World::of(kind);
    world.served("p.git");
    let port = world.server.port;
    let at = |path: &str| format!("http://127.0.0.1:{port}/{path}");
    let session = |credentials| world.session_as(&at("p.git"), credentials, CancellationToken::new());
    let failed = |credentials| world.list(&world.ours("p.git"), &session(credentials)).unwrap_err().to_string();
    let wrong = failed(Some(Credentials::new("mirror", "wrong")));
    assert_eq!(wrong, "HTTP 401: 127.0.0.1 refused the user name or password.");
    assert_eq!(
        failed(None),
        "HTTP 401: 127.0.0.1 (\"git\") asks for a user name and password, and the mirror has none."
    );
    assert_eq!(
        ending(&world, &at("none.git")),
        "HTTP 404: 127.0.0.1 has no such repository, or does not show it to this user."
    );
    assert_eq!(
        ending(&world, &at("moved/p.git")),
        format!(
            "HTTP 301: 127.0.0.1 redirects to http://*****:*****@127.0.0.1:{port}/elsewhere.git, and redirects are not \
             followed; use that address in the mirror's URL."
        )
    );
    let page = ending(&world, &at("page/p.git"));
    assert_eq!(page, "The server 127.0.0.1 did not answer like a git server (content type text/html).");
}

fn a_push_without_permission_is_denied(kind: Kind) {
    let world = World::of(kind);
    let far = world.served("p.git");
    world.git(&far, &["config", "http.receivepack", "false"]);
    let pushed = sidemirror::git::push(
        world.engine(),
        &world.ours("p.git"),
        &world.session("p.git"),
        &sidemirror::git::Limits::NONE,
        |_| Ok::<_, sidemirror::git::GitError>(()),
    );
    assert_eq!(pushed.unwrap_err().to_string(), "HTTP 403: 127.0.0.1 does not let this user do that.");
}

fn what_cannot_be_reached_is_told_apart(kind: Kind) {
    let world = World::of(kind);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = ending(&world, &format!("http://127.0.0.1:{free}/p.git"));
    assert_eq!(refused, format!("Could not connect to 127.0.0.1:{free}: connection refused."));
    let unknown = ending(&world, "http://no-such-host.invalid/p.git");
    assert_eq!(unknown, "Could not resolve host no-such-host.invalid.");
    let not_tls = ending(&world, &format!("https://127.0.0.1:{}/p.git", world.server.port));
    assert!(
        not_tls.starts_with(&format!("Could not connect securely to 127.0.0.1:{}: ", world.server.port)),
        "{not_tls}"
    );
}

fn a_private_address_is_refused_by_number_and_by_name(kind: Kind) {
    let world = World::with(kind, DoorSettings::default());
    for (host, words) in [
        ("127.0.0.1", "Requests to loopback addresses are not allowed (127.0.0.1)."),
        ("[::1]", "Requests to loopback addresses are not allowed ([::1])."),
        ("localhost", "Requests to loopback addresses are not allowed (localhost)."),
        ("10.0.0.1", "Requests to the local network are not allowed (10.0.0.1)."),
        ("169.254.169.254", "Requests to the link local network are not allowed (169.254.169.254)."),
    ] {
        assert_eq!(ending(&world, &format!("http://{host}/p.git")), words);
    }
    assert!(world.server.requests().is_empty());
}

fn a_silent_server_costs_the_stall_limit(kind: Kind) {
    let world = World::with(kind, impatient());
    let held = std::sync::Mutex::new(Vec::new());
    let port = hostile(move |connection| held.lock().unwrap().push(connection));
    let begun = Instant::now();
    let text = ending(&world, &format!("http://127.0.0.1:{port}/p.git"));
    assert_eq!(text, format!("The server 127.0.0.1:{port} accepted the connection but sent nothing for 1s."));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

fn silence_in_the_middle_of_an_answer_costs_the_stall_limit_once(kind: Kind) {
    let world = World::with(kind, impatient());
    let held = std::sync::Mutex::new(Vec::new());
    let port = hostile(move |mut connection| {
        let _ = connection.read(&mut [0; 4096]);
        let header = "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\r\n";
        let _ = connection.write_all(format!("{header}001e# service=git-upload-pack\n0000").as_bytes());
        held.lock().unwrap().push(connection);
    });
    let begun = Instant::now();
    let text = ending(&world, &format!("http://127.0.0.1:{port}/p.git"));
    assert_eq!(text, format!("The server 127.0.0.1:{port} accepted the connection but sent nothing for 1s."));
    assert!(begun.elapsed() < Duration::from_millis(1900), "{:?}", begun.elapsed());
}

fn an_answer_that_breaks_off_is_no_answer(kind: Kind) {
    let world = World::of(kind);
    let port = hostile(|mut connection| {
        let _ = connection.read(&mut [0; 4096]);
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n";
        let kind = "Content-Type: application/x-git-upload-pack-advertisement\r\n\r\n";
        let _ = connection.write_all(format!("{head}{kind}001e# service=git-upload-pack\n0000").as_bytes());
    });
    let text = ending(&world, &format!("http://127.0.0.1:{port}/p.git"));
    assert!(text.starts_with(&format!("The connection to 127.0.0.1:{port} broke: ")), "{text}");
}

fn text_that_is_not_utf_8_harms_nobody(kind: Kind) {
    let world = World::of(kind);
    let port = hostile(|mut connection| {
        let _ = connection.read(&mut [0; 4096]);
        let id = "1".repeat(40);
        let mut body = b"001e# service=git-upload-pack\n0000".to_vec();
        let first = [format!("{id} refs/heads/caf").as_bytes(), b"\xe9\0agent=x ofs-delta\n"].concat();
        let second = format!("{id} refs/heads/main\n").into_bytes();
        for line in [first, second] {
            body.extend(format!("{:04x}", line.len() + 4).into_bytes());
            body.extend(line);
        }
        body.extend(b"0000");
        let kind = "Content-Type: application/x-git-upload-pack-advertisement";
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{kind}\r\n\r\n", body.len());
        let _ = connection.write_all(&[head.as_bytes(), &body].concat());
    });
    let session = world.session_to(&format!("http://127.0.0.1:{port}/p.git"), CancellationToken::new());
    let found: Vec<_> = world.list(&world.ours("p.git"), &session).unwrap().refs.into_keys().collect();
    assert_eq!(found, [sidemirror::mirror::refs::RefName::branch("main")]);
}

fn cancelling_ends_a_wait_at_once(kind: Kind) {
    let world = World::of(kind);
    let (seen, waiting) = std::sync::mpsc::channel();
    let port = hostile(move |connection| seen.send(connection).unwrap());
    let cancel = CancellationToken::new();
    let session = world.session_to(&format!("http://127.0.0.1:{port}/p.git"), cancel.clone());
    let canceller = std::thread::spawn(move || {
        let held = waiting.recv().unwrap();
        cancel.cancel();
        (Instant::now(), held)
    });
    let text = world.list(&world.ours("p.git"), &session).unwrap_err().to_string();
    assert_eq!(text, "The run was cancelled.");
    let (asked, _held) = canceller.join().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}

fn the_run_ends_at_its_deadline(kind: Kind) {
    let world = World::of(kind);
    let held = std::sync::Mutex::new(Vec::new());
    let port = hostile(move |connection| held.lock().unwrap().push(connection));
    let url = RemoteUrl::parse(&format!("http://127.0.0.1:{port}/p.git")).unwrap();
    let session = {
        let _inside = world.runtime().enter();
        let deadline = Deadline::after(Duration::from_millis(300));
        world.door.session(url, Access::default(), Allowance::until(deadline), CancellationToken::new())
    };
    let text = world.list(&world.ours("p.git"), &session).unwrap_err().to_string();
    assert_eq!(text, format!("The run took longer than 300ms and was ended while talking to 127.0.0.1:{port}."));
}

fn a_download_that_is_cancelled_leaves_nothing(kind: Kind) {
    let world = World::of(kind);
    let upstream = world.served("p.git");
    world.commit(&upstream, "main", "one");
    let ours = world.ours("p.git");
    let cancel = CancellationToken::new();
    let url = format!("http://127.0.0.1:{}/p.git", world.server.port);
    let session = world.session_to(&url, cancel.clone());
    let text = sidemirror::git::fetch(world.engine(), &ours, &session, &sidemirror::git::Limits::NONE, |upstream| {
        cancel.cancel();
        let wanted = upstream.advertisement().refs.clone();
        upstream.download(&wanted, &sidemirror::git::Progress::default())
    });
    assert_eq!(text.unwrap_err().to_string(), "The run was cancelled.");
    world.assert_sound(&ours);
    assert_eq!(std::fs::read_dir(ours.path().join("objects/pack")).unwrap().count(), 0);
    world.mirror(&ours, &world.session("p.git")).unwrap();
    assert_eq!(world.refs(ours.path()), world.refs(&upstream));
}

#[test]
fn no_more_is_read_than_the_reader_is_ready_for() {
    let world = World::new();
    let read = |limit| {
        let answer = world.session("page").get("/p.git", "text/html").unwrap();
        answer.limited(limit).read_to_end(&mut Vec::new())
    };
    assert_eq!(read(5).unwrap(), 5);
    assert_eq!(read(4).unwrap_err().to_string(), "The server 127.0.0.1 sent a longer answer than is accepted.");
}
