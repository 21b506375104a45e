//! No wait without an end, and nothing without a bound.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use sidemirror::net::{Access, Allowance, Deadline, DoorSettings, NetError, Service};
use tokio_util::sync::CancellationToken;

use crate::rig::sshd::me;
use crate::rig::sshd::{Sshd, our_key};
use crate::rig::wait;
use crate::world::{World, engines, refusal, with_key};

/// A server that lets us in and runs this command in the place of git's, and how to get in.
fn running(world: &World, command: &str) -> (Sshd, Access, String) {
    let sshd = Sshd::start(world.folder.path(), &["ed25519"], &[&format!("ForceCommand {command}")]);
    let (private, public) = our_key(world.folder.path(), &["-t", "ed25519", "-N", ""]);
    sshd.authorise(&public);
    let access = with_key(&me(), &private, &sshd.known("ed25519"));
    let url = format!("ssh://127.0.0.1:{}/x.git", sshd.port);
    (sshd, access, url)
}

/// A listener that says `greeting` to whoever comes, and then nothing more; the connections are kept.
fn silent_after(greeting: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut kept: Vec<TcpStream> = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(greeting.as_bytes());
            kept.push(stream);
        }
    });
    port
}

#[test]
fn a_server_that_stops_in_the_key_exchange_ends_at_the_connect_limit() {
    let limit = Duration::from_millis(700);
    let world = World::with(DoorSettings { connect_timeout: limit, ..DoorSettings::default() });
    for greeting in ["", "SSH-2.0-Silence\r\n"] {
        let port = silent_after(greeting);
        let begun = Instant::now();
        let said = refusal(&world.session(&format!("ssh://127.0.0.1:{port}/x.git"), Access::default()));
        let expected = "accepted the connection but did not finish the SSH handshake within 700ms.";
        assert!(said.ends_with(expected), "{said}");
        assert!(begun.elapsed() < limit * 3, "{:?}", begun.elapsed());
    }
}

#[test]
fn what_is_no_ssh_server_is_told_so() {
    let world = World::new();
    let long: &'static str = Box::leak("x".repeat(100_000).into_boxed_str());
    for greeting in [long, "SSH-2.0-Nonsense\r\n\0\0\0\x0c\x0aabcdefghijklmnop"] {
        let port = silent_after(greeting);
        let said = refusal(&world.session(&format!("ssh://127.0.0.1:{port}/x.git"), Access::default()));
        assert!(said.starts_with(&format!("The SSH connection to 127.0.0.1:{port} failed: ")), "{said}");
    }
}

#[test]
fn a_cancelled_run_ends_within_a_second_wherever_it_is() {
    let world = World::new();
    let (sshd, access, serving) = running(&world, "sleep 60");
    let silent = format!("ssh://127.0.0.1:{}/x.git", silent_after("SSH-2.0-Silence\r\n"));
    for (url, is_there) in [(silent, None), (serving, Some(&sshd))] {
        let cancel = CancellationToken::new();
        let allowance = Allowance::until(Deadline::after(Duration::from_mins(1)));
        let session = world.session_with(&url, access.clone(), allowance, cancel.clone());
        let waiting = thread::spawn(move || refusal(&session));
        if let Some(sshd) = is_there {
            wait::until("the program to run", wait::START, || sshd.log().contains("Starting session"));
        }
        let cancelled = Instant::now();
        cancel.cancel();
        assert_eq!(waiting.join().unwrap(), NetError::Cancelled.to_string());
        assert!(cancelled.elapsed() < Duration::from_secs(1), "{:?}", cancelled.elapsed());
    }
    wait::until("the connection to be closed", Duration::from_secs(5), || sshd.log().contains("Disconnected from"));
}

#[test]
fn what_is_said_on_the_side_counts_as_received() {
    let world = World::new();
    let (_sshd, access, url) = running(&world, "yes >&2");
    let allowance = Allowance { received: 4 << 20, ..Allowance::until(Deadline::after(Duration::from_secs(30))) };
    let said = refusal(&world.session_with(&url, access, allowance, CancellationToken::new()));
    assert!(said.starts_with("The server 127.0.0.1 sent more than 4.0MiB in one run (4.0MiB so far)"), "{said}");
}

#[test]
fn a_program_that_sends_nothing_ends_at_the_stall_limit() {
    let limit = Duration::from_millis(900);
    let world = World::with(DoorSettings { stall_timeout: limit, ..DoorSettings::default() });
    // What it says on the side is no answer.
    for command in ["sleep 60", "yes >&2"] {
        let (sshd, access, url) = running(&world, command);
        let said = refusal(&world.session(&url, access));
        let port = sshd.port;
        assert_eq!(said, format!("The server 127.0.0.1:{port} accepted the connection but sent nothing for 900ms."));
    }
}

#[test]
fn a_program_that_does_not_listen_ends_at_the_stall_limit() {
    let limit = Duration::from_millis(900);
    let world = World::with(DoorSettings { stall_timeout: limit, ..DoorSettings::default() });
    for command in ["sleep 60", "yes"] {
        let (_sshd, access, url) = running(&world, command);
        let mut duplex = world.session(&url, access).open(Service::ReceivePack).unwrap();
        let begun = Instant::now();
        let data = vec![0; 64 * 1024];
        let error = loop {
            if let Err(error) = duplex.write_all(&data) {
                break error;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "it is written into the void");
        };
        assert!(error.to_string().ends_with("sent nothing for 900ms."), "{error}");
    }
}

#[test]
fn a_program_that_ends_while_we_write_is_told_by_its_last_words() {
    let world = World::new();
    let (sshd, access, url) = running(&world, "head -c 100000 >/dev/null; echo the disk is full >&2; exit 9");
    let mut duplex = world.session(&url, access).open(Service::ReceivePack).unwrap();
    let data = vec![0; 64 * 1024];
    let error = loop {
        if let Err(error) = duplex.write_all(&data) {
            break error;
        }
    };
    let expected = "git-receive-pack ended with status 9.\n\nThe remote said:\nthe disk is full";
    assert_eq!(error.to_string(), format!("On 127.0.0.1:{}, {expected}", sshd.port));
}

#[test]
fn a_list_of_refs_may_not_be_longer_than_allowed() {
    let world = World::new();
    let (_sshd, access, url) = running(&world, "yes 00400123456789012345678901234567890123456789 refs/heads/endless");
    let deadline = Deadline::after(Duration::from_mins(1));
    let allowance = Allowance { listing: 50_000, ..Allowance::until(deadline) };
    for engine in engines() {
        let session = world.session_with(&url, access.clone(), allowance, CancellationToken::new());
        let said = world.list_by(&*engine, &session).unwrap_err();
        assert!(said.contains("in one list of refs"), "{said}");
        // A program is looked at twenty times a second.
        assert!(session.traffic().received < 20_000_000, "{:?}", session.traffic());
    }
}

#[test]
fn both_directions_flow_at_once_and_end_when_the_program_does() {
    let world = World::new();
    let (_sshd, access, url) = running(&world, "cat");
    let (mut incoming, mut outgoing) = world.session(&url, access).open(Service::UploadPack).unwrap().split();
    let sent: Vec<u8> = (0..8_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let expected = sent.clone();
    let writer = thread::spawn(move || {
        outgoing.write_all(&sent).unwrap();
        outgoing.finish_writing().unwrap();
    });
    let mut heard = Vec::new();
    incoming.read_to_end(&mut heard).unwrap();
    writer.join().unwrap();
    assert!(heard == expected, "{} bytes of {}", heard.len(), expected.len());
}
