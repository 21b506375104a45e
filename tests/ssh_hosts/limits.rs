//! No wait without an end.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use sidemirror::net::{Access, DoorSettings};

use crate::world::{World, refusal};

/// A listener that says `greeting` to whoever comes, and then nothing more; the connections are kept.
fn silent_after(greeting: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
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
