//! Request bodies that are sent while they are made.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use sidemirror::net::Session;
use tokio_util::sync::CancellationToken;

use crate::world::World;

/// Answers one request with `answer` at once (if there is one) and tells all that it was sent.
/// Says when it has heard the beginning.
fn listening(answer: &'static str) -> (u16, Receiver<()>, JoinHandle<Vec<u8>>) {
    let (begun, hearing) = std::sync::mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut heard = vec![0; 1024];
        let read = connection.read(&mut heard).unwrap();
        heard.truncate(read);
        let _ = begun.send(());
        if !answer.is_empty() {
            connection.write_all(answer.as_bytes()).unwrap();
            connection.shutdown(Shutdown::Write).unwrap();
        }
        let _ = connection.read_to_end(&mut heard);
        heard
    });
    (port, hearing, heard)
}

fn session(world: &World, port: u16) -> Session {
    world.session_to(&format!("http://127.0.0.1:{port}"), CancellationToken::new())
}

#[test]
fn an_abandoned_upload_never_looks_complete() {
    let world = World::new();
    let (port, hearing, heard) = listening("");
    let mut upload = session(&world, port).upload("/x", "text/plain", "text/plain").unwrap();
    upload.write(Bytes::from_static(b"half of it")).unwrap();
    // Before that it would be no upload yet.
    hearing.recv_timeout(Duration::from_secs(20)).unwrap();
    drop(upload);
    let heard = String::from_utf8(heard.join().unwrap()).unwrap();
    assert!(!heard.contains("\r\n0\r\n"), "{heard}");
}

#[test]
fn what_the_server_answers_in_the_middle_is_what_the_writer_hears() {
    let world = World::new();
    let (port, _, heard) =
        listening("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let mut upload = session(&world, port).upload("/x", "text/plain", "text/plain").unwrap();
    let refused = loop {
        if let Err(error) = upload.write(Bytes::from(vec![0; 64 * 1024])) {
            break error.to_string();
        }
    };
    assert_eq!(refused, "HTTP 413: 127.0.0.1 did not do what was asked (Payload Too Large).");
    drop(upload);
    drop(heard);
}
